import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rolldown } from 'rolldown';
import { scratch } from './ends.js';
import { ROOT } from './host.js';

const run = promisify(execFile);
/** How long a build may take, in ms. */
const BUILD_MS = 120_000;

/** True where the repository's history reaches back to a commit, as it does not in a shallow clone or an archive. */
export async function hasCommit(commit: string): Promise<boolean> {
  try {
    await run('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd: ROOT });
    return true;
  } catch {
    return false; // No git, no repository, or no such commit: all the same here.
  }
}

/** An older version of the program, from the repository's history, built with its own libraries. @returns its folder */
export async function olderVersion(commit: string): Promise<string> {
  const folder = join(await scratch('streamlit-host-older-'), 'program');
  await mkdir(folder);
  const archive = join(folder, '..', 'older.tar');
  await run('git', ['archive', '--format=tar', `--output=${archive}`, commit], { cwd: ROOT });
  await run('tar', ['-xf', archive, '-C', folder]);
  await rm(archive);
  const npm = ['ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund'];
  await run('npm', npm, { cwd: folder, timeout: BUILD_MS });
  await transpile(folder);
  await cp(join(folder, 'package.json'), join(folder, 'dist', 'package.json'));
  return folder;
}

/** Makes its dist as its compiler would, file by file, but without a check of its types. */
async function transpile(folder: string): Promise<void> {
  const src = join(folder, 'src');
  const sources = (await readdir(src, { recursive: true })).filter((name) => name.endsWith('.ts'));
  const bundle = await rolldown({
    input: sources.map((name) => join(src, name)),
    platform: 'node',
    external: /^[^./]/,
    cwd: folder,
  });
  await bundle.write({ dir: join(folder, 'dist'), preserveModules: true, preserveModulesRoot: src });
  await bundle.close();
}
