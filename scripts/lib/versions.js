import { run, SetupError, which } from './command.js';

/** What has to be there before anything else; everything else is installed by set-up. */
export const NEEDED = { node: [20, 19], git: [2, 29], python: [3, 10] };

/**
 * The first version in a text, such as [2, 39] of "git version 2.39.5".
 * @param {string} text
 * @returns {[number, number] | undefined}
 */
export function parseVersion(text) {
  const match = /(\d+)\.(\d+)/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

/**
 * @param {[number, number] | undefined} version
 * @param {number[]} least
 */
export function isAtLeast(version, least) {
  if (version === undefined) return false;
  return version[0] > least[0] || (version[0] === least[0] && version[1] >= least[1]);
}

/**
 * Node, git and Python, all checked before one line is said.
 * @param {import('./command.js').Env} env
 * @param {string} [node] Node's version
 * @throws SetupError that names everything that is missing or too old
 */
export async function checkVersions(env, node = process.versions.node) {
  const [git, python] = await Promise.all([versionOf('git', env), versionOf('python3', env)]);
  const found = { node: parseVersion(node), git, python };
  const labels = { node: 'Node.js', git: 'git', python: 'Python' };
  const missing = Object.keys(NEEDED)
    .filter((name) => !isAtLeast(found[name], NEEDED[name]))
    .map((name) => `${labels[name]} ${show(NEEDED[name])} or newer (found ${found[name]?.join('.') ?? 'none'})`);
  if (missing.length === 0) return;
  throw new SetupError(`streamlit-host needs ${missing.join(' and ')}. Install what is missing, then start again.`);
}

async function versionOf(command, env) {
  const file = which([command], env);
  if (file === undefined) return undefined;
  const { code, output } = await run(file, ['--version'], { env, timeout: 20_000 });
  return code === 0 ? parseVersion(output) : undefined;
}

function show(version) {
  return version.join('.').replace(/\.0$/, '');
}
