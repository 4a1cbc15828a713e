import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines, run, SetupError } from './command.js';

/**
 * Compiles src to dist, unless dist was made from exactly these files.
 * @param {import('./npm.js').PackageOptions & { lenient?: boolean }} options
 *   lenient = a type error is said, but what the compiler wrote is used all the same
 * @returns {Promise<boolean>} whether anything was built
 */
export async function ensureBuild({ root, env, say, lenient = false }) {
  const dist = join(root, 'dist');
  const stamp = join(dist, '.built.json');
  const files = sources(root);
  const hash = fingerprint(root, files);
  const before = readStamp(stamp);
  if (before?.hash === hash) return false;
  // What was removed from src must not stay in dist, and without a stamp nobody knows what dist is.
  const unknown = before === undefined || before.files.some((file) => !files.includes(file));
  if (unknown) rmSync(dist, { recursive: true, force: true });
  const write = (made) => writeFileSync(stamp, JSON.stringify({ hash: made, files }));
  mkdirSync(dist, { recursive: true });
  write('unfinished');
  say('Building …');
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { code, output } = await run(process.execPath, [compiler, '-p', 'tsconfig.build.json'], { cwd: root, env });
  if (code !== 0) {
    const message = `The build failed:\n${lastLines(output, 20)}`;
    if (!lenient) throw new SetupError(message);
    say(message);
    return true;
  }
  write(hash);
  return true;
}

/** Every file that the compiler reads of ours, relative to the root. @param {string} root */
function sources(root) {
  const below = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(root.length + 1));
  return ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json', ...below].sort();
}

function fingerprint(root, files) {
  const hash = createHash('sha256');
  for (const file of files) {
    const { size, mtimeMs } = statSync(join(root, file));
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

function readStamp(stamp) {
  try {
    return JSON.parse(readFileSync(stamp, 'utf8'));
  } catch {
    return undefined; // None, or a truncated one: build again.
  }
}
