import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildModules, ensureBuild } from './build.js';
import { SetupError } from './command.js';
import { ensurePackages } from './npm.js';
import { ensureRedis, ensureUv, ensureValkey } from './tools.js';
import { checkVersions } from './versions.js';

export { buildModules, ensureBuild, ensurePackages, ensureRedis, ensureUv, ensureValkey, SetupError };

/** The folder of package.json. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** True in a package from npm, which is built; a checkout builds itself from its source. */
export const PACKAGED = !existsSync(join(ROOT, 'src'));

/** The data folder, as src/settings.ts reads it. @param {import('./command.js').Env} env */
export function dataFolder(env, cwd = process.cwd()) {
  return resolve(cwd, env.STREAMLIT_HOST_DATA?.trim() || 'data');
}

/**
 * Everything from a fresh clone to a server that can start. What is there already is not made again.
 * @param {{ data?: string, env?: import('./command.js').Env, say?: (line: string) => void, tools?: boolean,
 *   built?: () => Promise<unknown> }} [options]
 *   tools = uv and Redis too (default); built = called as soon as there is a dist, beside what else is done
 * @returns {Promise<{ uv: string | undefined, redis: string | undefined }>}
 * @throws SetupError
 */
export async function setUp(options = {}) {
  const { env = process.env, data = dataFolder(env), say = tell, tools = true, built } = options;
  // Whatever it fails with, the start meets again; a reason that comes first is a better one.
  const begin = async () => void (await built?.().catch(() => undefined));
  const begun = PACKAGED ? begin() : undefined;
  await checkVersions(env);
  const ending = new AbortController();
  const build = async () => {
    if (PACKAGED) return begun;
    await ensurePackages({ root: ROOT, env, say });
    await ensureBuild({ root: ROOT, env, say });
    return begin();
  };
  // The build and the downloads do not wait for each other, and none goes on when another has failed.
  const parts = [build(), ...(tools ? [provideTools({ env, data, say, signal: ending.signal })] : [])];
  try {
    const [, provided] = await Promise.all(parts);
    return provided ?? { uv: undefined, redis: undefined };
  } catch (error) {
    ending.abort();
    await Promise.allSettled(parts);
    throw error;
  }
}

/** uv and Redis, side by side. @param {import('./tools.js').ToolOptions} options @throws SetupError */
export async function provideTools(options) {
  const ending = new AbortController();
  const signal = options.signal === undefined ? ending.signal : AbortSignal.any([options.signal, ending.signal]);
  // What an end interrupts says nothing more.
  const both = { ...options, signal, say: (line) => !signal.aborted && options.say(line) };
  const parts = [ensureRedis(both), ensureUv(both)];
  try {
    const [redis, uv] = await Promise.all(parts);
    return { uv, redis };
  } catch (error) {
    ending.abort();
    await Promise.allSettled(parts);
    throw error;
  }
}

/** Runs a script's main part: an expected failure is one message and exit code 1, without a stack. */
export async function main(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

function tell(line) {
  console.log(line);
}
