import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode, messageOf, Refusal } from '../errors.js';
import { isRunning } from '../runtime/process/proc.js';

/** The server that works on a data folder of this machine, as it has written it down. */
export interface LocalServer {
  pid: number;
  /** Tells a process from a later one with the same pid. */
  startTime: string;
  /** Its public address; empty while it starts. */
  url: string;
  /** Where it listens, for clients on the same machine; servers that do not record it are asked at their public address. */
  local?: string;
}

/**
 * The data folder of this machine's server, the same for the command that starts it and for those that look for it: the one that
 * STREAMLIT_HOST_DATA names, else `data` where one stands, if a server has lived there, else `data` of the root.
 * @param root as the launcher has it
 */
export function dataFolder(env: NodeJS.ProcessEnv, cwd: string, root: string | undefined): string {
  const named = env.STREAMLIT_HOST_DATA?.trim();
  if (named !== undefined && named !== '') return resolve(cwd, named);
  const here = resolve(cwd, 'data');
  const lived = ['apps', 'run', 'environments'].every((name) => existsSync(join(here, name)));
  return lived || root === undefined ? here : join(root, 'data');
}

/** The server that runs on a data folder; undefined where none does. */
export async function findLocal(data: string): Promise<LocalServer | undefined> {
  let record: Partial<LocalServer>;
  try {
    record = JSON.parse(await readFile(join(data, 'run', 'server.json'), 'utf8')) as Partial<LocalServer>;
  } catch (error) {
    if (hasCode(error, 'EACCES')) throw notReadable(data, error);
    return undefined; // Never written, removed at its end, or cut off by a crash.
  }
  const { pid, startTime, url, local } = record;
  if (typeof pid !== 'number' || typeof startTime !== 'string' || typeof url !== 'string') return undefined;
  const server = { pid, startTime, url, ...(typeof local === 'string' ? { local } : {}) };
  return isRunning(server) ? server : undefined;
}

/** The server that runs on a data folder, once it serves; undefined where none does, or the limit (ms) is over first. */
export async function findServing(data: string, limitMs: number): Promise<LocalServer | undefined> {
  for (const deadline = Date.now() + limitMs; Date.now() <= deadline; await sleep(50)) {
    const server = await findLocal(data);
    if (server?.url !== '') return server;
  }
  return undefined;
}

/** The admin token of a data folder: the one that the settings give, or the one that the server keeps there. */
export async function localToken(env: NodeJS.ProcessEnv, data: string): Promise<string | undefined> {
  const given = env.STREAMLIT_HOST_TOKEN?.trim();
  if (given !== undefined && given !== '') return given;
  try {
    return (await readFile(join(data, 'admin-token'), 'utf8')).trim();
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return undefined;
    throw notReadable(data, error);
  }
}

function notReadable(data: string, error: unknown): Refusal {
  return new Refusal('forbidden', 'data-not-readable', `Cannot read the data folder ${data}: ${messageOf(error)}.`, {
    cause: error,
  });
}
