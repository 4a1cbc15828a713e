import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { lastLines, run, SetupError } from './command.js';

/** Says what dist was made from. */
const STAMP = '.built.json';

/**
 * Makes dist of src, unless it was made from exactly these files.
 * @param {import('./npm.js').PackageOptions} options
 * @returns {Promise<boolean>} whether anything was built
 */
export async function ensureBuild({ root, env, say }) {
  const dist = join(root, 'dist');
  const hash = fingerprint(root);
  if (readStamp(join(dist, STAMP)) === hash) return false;
  say('Building …');
  // Beside it and moved into its place as a whole: what is there is never half of one, and has nothing of what left src.
  const draft = join(root, `dist.${process.pid}`);
  const before = join(root, `dist.${process.pid}.before`);
  try {
    const { code, output } = await run(process.execPath, [join(root, 'scripts/build.js'), draft], { cwd: root, env });
    if (code !== 0) throw new SetupError(`The build failed:\n${lastLines(stripVTControlCharacters(output), 20)}`);
    writeFileSync(join(draft, STAMP), JSON.stringify({ hash }));
    if (existsSync(dist)) renameSync(dist, before);
    renameSync(draft, dist);
  } finally {
    for (const folder of [draft, before]) rmSync(folder, { recursive: true, force: true });
  }
  return true;
}

/**
 * Puts single modules of src, with all that they need, into a folder, from which benchmarks and tests load them.
 * @param {string} root
 * @param {string} folder
 * @param {string[]} names such as store/git
 */
export async function buildModules(root, folder, names) {
  const { code, output } = await run(process.execPath, [join(root, 'scripts/build.js'), folder, ...names], {
    cwd: root,
  });
  if (code !== 0) throw new SetupError(`The build failed:\n${lastLines(stripVTControlCharacters(output), 20)}`);
}

/** What tells these sources from others. @param {string} root */
function fingerprint(root) {
  const below = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(root.length + 1));
  const hash = createHash('sha256');
  for (const file of ['package-lock.json', 'scripts/build.js', ...below].sort()) {
    const { size, mtimeMs } = statSync(join(root, file));
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

function readStamp(stamp) {
  try {
    return JSON.parse(readFileSync(stamp, 'utf8')).hash;
  } catch {
    return undefined; // None, or a truncated one: build again.
  }
}
