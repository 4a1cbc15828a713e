import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, which } from './command.js';

const FINDER = fileURLToPath(new URL('./find_pip.py', import.meta.url));

/**
 * How pip is called on this machine: Python's own, or a pip wheel, which Python can run as it is.
 * @param {{ env: import('./command.js').Env, keep: string, work: string, signal?: AbortSignal }} options
 *   keep = where a fetched wheel stays, so that it is fetched once; work = an empty folder on the same disk
 * @returns {Promise<{ argv: string[] } | { reason: string }>} reason = a part of a sentence
 */
export async function findPip({ env, keep, work, signal }) {
  const python = which(['python3'], env);
  if (python === undefined) return { reason: 'python3 is not installed' };
  // Its version takes five times as long.
  const own = await run(python, ['-c', 'import pip'], { env, signal, timeout: 60_000 });
  if (own.code === 0) return { argv: [python, '-m', 'pip'] };
  const kept = wheelIn(keep);
  if (kept !== undefined) return { argv: [python, join(kept, 'pip')] };
  mkdirSync(work, { recursive: true });
  const found = await run(python, [FINDER, work], { env, signal, timeout: 180_000 });
  const wheel = found.code === 0 ? found.stdout.trim() : await fetchFromDebian(env, work, signal);
  if (wheel !== undefined) return { argv: [python, join(keepWheel(wheel, work, keep), 'pip')] };
  return { reason: found.code === 1 ? found.output.trim() : 'Python has no pip (apt-get install python3-pip)' };
}

/**
 * The wheel out of Debian's package. `apt-get download` needs no rights, with lists of its own where the system's are
 * empty; apt checks the signatures.
 */
async function fetchFromDebian(env, work, signal) {
  const apt = which(['apt-get'], env);
  const dpkg = which(['dpkg-deb'], env);
  if (apt === undefined || dpkg === undefined) return undefined;
  const call = (...args) => run(apt, ['-q', ...args], { cwd: work, env, signal, timeout: 300_000 });
  if ((await call('download', 'python3-pip-whl')).code !== 0) {
    const own = ['lists', 'cache'].map((name) => join(work, name));
    mkdirSync(join(own[0], 'partial'), { recursive: true });
    mkdirSync(join(own[1], 'archives', 'partial'), { recursive: true });
    const options = ['-o', `Dir::State::Lists=${own[0]}`, '-o', `Dir::Cache=${own[1]}`];
    await call(...options, 'update');
    if ((await call(...options, 'download', 'python3-pip-whl')).code !== 0) return undefined;
  }
  const archive = readdirSync(work).find((name) => name.endsWith('.deb'));
  if (archive === undefined) return undefined;
  const { code } = await run(dpkg, ['-x', join(work, archive), join(work, 'deb')], { env, signal });
  if (code !== 0) return undefined;
  return wheelIn(join(work, 'deb', 'usr', 'share', 'python-wheels'));
}

/** Moves a wheel that was fetched to where it stays; one that belongs to the system is used where it is. */
function keepWheel(wheel, work, keep) {
  if (!wheel.startsWith(`${work}/`)) return wheel;
  mkdirSync(keep, { recursive: true });
  const kept = join(keep, basename(wheel));
  renameSync(wheel, kept);
  return kept;
}

function wheelIn(folder) {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const name = names.find((entry) => /^pip-.*\.whl$/.test(entry));
  return name === undefined ? undefined : join(folder, name);
}
