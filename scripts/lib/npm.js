import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines, run, SetupError, which } from './command.js';

/** @typedef {{ root: string, env: import('./command.js').Env, say: (line: string) => void }} PackageOptions */

/**
 * Installs the npm packages, unless they are those of the lock file already.
 * @param {PackageOptions} options
 * @returns {Promise<boolean>} whether anything was installed
 */
export async function ensurePackages({ root, env, say }) {
  const stamp = join(root, 'node_modules', '.streamlit-host');
  const wanted = fingerprint(root);
  if (read(stamp) === wanted) return false;
  if (!isInstalled(root)) {
    const npm = which(['npm'], env);
    if (npm === undefined) throw new SetupError('streamlit-host needs npm. Install it and start again.');
    say('Installing npm packages (first run only) …');
    // The compiler's types are development packages, so NODE_ENV=production must not leave them out.
    const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
    const { code, output } = await run(npm, args, { cwd: root, env, timeout: 1_800_000 });
    if (code !== 0) throw new SetupError(`npm could not install the packages:\n${lastLines(output)}`);
  }
  mkdirSync(join(root, 'node_modules'), { recursive: true });
  writeFileSync(stamp, wanted);
  return true;
}

/** Changes with the lock file, and with a Node that wants other native parts. */
function fingerprint(root) {
  const hash = createHash('sha256').update(readFileSync(join(root, 'package-lock.json')));
  return hash.update(`${process.platform} ${process.arch} ${process.versions.modules}`).digest('hex');
}

/**
 * True where npm's own record in node_modules has every package of the lock file: then it was installed by hand.
 * @param {string} root
 */
export function isInstalled(root) {
  const installed = parse(join(root, 'node_modules', '.package-lock.json'));
  const wanted = parse(join(root, 'package-lock.json'));
  if (installed === undefined || wanted === undefined) return false;
  return Object.entries(wanted).every(
    ([path, entry]) => path === '' || entry.optional === true || installed[path]?.version === entry.version,
  );
}

function parse(file) {
  const text = read(file);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text).packages;
  } catch {
    return undefined; // Cut off by an interrupted install: npm writes it again.
  }
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
