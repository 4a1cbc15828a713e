import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode, messageOf, Refusal } from '../errors.js';
import { Deadline } from '../lib/deadline.js';
import { isRunning } from '../runtime/process/proc.js';

/** The server of a local data folder, as it has recorded itself. */
export interface LocalServer {
  pid: number;
  /** Distinguishes the process from a later one with the same pid. */
  startTime: string;
  /** Its public URL; empty while it starts. */
  url: string;
  /** Its listening address, for local clients; without it, they use the public URL. */
  local?: string;
}

/**
 * Returns the local server's data folder, by one rule for all verbs: STREAMLIT_HOST_DATA, else `data` in the current
 * folder if a server has used it, else `data` in the root.
 * @param root as the launcher has it
 */
export function dataFolder(env: NodeJS.ProcessEnv, cwd: string, root: string | undefined): string {
  const named = env.STREAMLIT_HOST_DATA?.trim();
  if (named !== undefined && named !== '') return resolve(cwd, named);
  const here = resolve(cwd, 'data');
  const lived = ['apps', 'run', 'environments'].every((name) => existsSync(join(here, name)));
  return lived || root === undefined ? here : join(root, 'data');
}

/** Finds the server that runs on a data folder; undefined if none does. */
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

/** Waits until the server on a data folder serves; undefined if none runs, or after the limit (ms). */
export async function findServing(data: string, limitMs: number): Promise<LocalServer | undefined> {
  for (const deadline = new Deadline(limitMs); !deadline.isOver; await sleep(50)) {
    const server = await findLocal(data);
    if (server?.url !== '') return server;
  }
  return undefined;
}

/** Returns the admin token of a data folder: from the settings, or from its file. */
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
