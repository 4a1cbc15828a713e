import { setTimeout as sleep } from 'node:timers/promises';
import { Deadline } from '../lib/deadline.js';
import { Api } from './api.js';
import type { Context } from './context.js';
import { unreachable } from './failures.js';
import { isRunning } from '../runtime/process/proc.js';
import { dataFolder, findServing, type LocalServer } from './local.js';
import { findServer } from './where.js';

/** The time limit (ms) for a server to stop; it stops every app first. */
const STOP_LIMIT_MS = 120_000;

/**
 * Stops the local server, or that of --url or STREAMLIT_HOST_URL, and waits until it has exited; never the one logged
 * in to, which may be another. Does nothing if none runs.
 * @throws Refusal `not-reachable` where it does not end
 */
export async function stopServer(cli: Context, options: { keepApps?: boolean }): Promise<void> {
  const root = cli.launcher?.root;
  const { env, cwd } = cli;
  const data = dataFolder(env, cwd, root);
  const named = cli.options.url !== undefined || (env.STREAMLIT_HOST_URL?.trim() ?? '') !== '';
  // One that is just starting can be told to end once it serves.
  const local = await findServing(data, STOP_LIMIT_MS);
  if (!named && local === undefined) {
    if (cli.out.json) return cli.out.data({ stopped: false, data });
    return cli.out.print(`No server is running on ${data}.`);
  }
  const target = await findServer({
    env,
    cwd,
    root,
    url: cli.options.url,
    tokenFile: cli.options.tokenFile,
    loggedIn: false,
  });
  const api = new Api(target);
  await api.post('/server/stop', { keep_apps: options.keepApps === true });
  const isLocal = local !== undefined && [local.url, local.local].includes(target.url);
  await gone(api, isLocal ? local : undefined);
  if (cli.out.json) return cli.out.data({ stopped: true, url: target.url, keep_apps: options.keepApps === true });
  cli.out.print(
    options.keepApps === true
      ? 'The server has stopped. Its apps are still running.'
      : 'The server and its apps have stopped.',
  );
}

async function gone(api: Api, local: LocalServer | undefined): Promise<void> {
  const runs = (): boolean | Promise<boolean> => (local === undefined ? api.isHealthy() : isRunning(local));
  for (const deadline = new Deadline(STOP_LIMIT_MS); await runs(); await sleep(50)) {
    if (deadline.isOver)
      throw unreachable(`The server at ${api.target.url} did not stop within ${STOP_LIMIT_MS / 1_000} seconds.`);
  }
}
