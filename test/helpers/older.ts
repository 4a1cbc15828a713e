import { execFile } from 'node:child_process';
import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
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
  const tsc = join(folder, 'node_modules/typescript/bin/tsc');
  await run(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: folder, timeout: BUILD_MS });
  await cp(join(folder, 'package.json'), join(folder, 'dist', 'package.json'));
  return folder;
}
