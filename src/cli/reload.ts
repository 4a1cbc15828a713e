import { Refusal } from '../errors.js';
import { Api } from './api.js';
import type { Context } from './context.js';
import { dataFolder, findServing } from './local.js';
import { findServer } from './where.js';

/** How long the server may take to answer, in ms: it may build the new version first, and waits for deploys in progress. */
const LIMIT_MS = 10 * 60_000;
/** How long a server that is starting may take to serve, in ms. */
const START_LIMIT_MS = 120_000;

/**
 * Replaces the local server, or that of --url or STREAMLIT_HOST_URL, by a new process of the program that is installed now.
 * Nothing is interrupted, and if the new server fails, the old one keeps serving.
 * @param options.wait how long deploys in progress may take to finish, in seconds
 * @throws Refusal `no-server`, `reload-failed`
 */
export async function reloadServer(cli: Context, { wait }: { wait: number }): Promise<void> {
  const { env, cwd, options } = cli;
  const root = cli.launcher?.root;
  const data = dataFolder(env, cwd, root);
  const named = options.url !== undefined || (env.STREAMLIT_HOST_URL?.trim() ?? '') !== '';
  if (!named && (await findServing(data, START_LIMIT_MS)) === undefined)
    throw new Refusal('unavailable', 'no-server', `No server is running on ${data}. Start it instead.`);
  const target = await findServer({ env, cwd, root, url: options.url, tokenFile: options.tokenFile, loggedIn: false });
  const asked = { wait_seconds: wait };
  const { pid } = await new Api(target).postLong<{ pid: number }>('/server/reload', asked, LIMIT_MS + wait * 1_000);
  if (cli.out.json) return cli.out.data({ reloaded: true, url: target.url, pid });
  cli.out.print(`Reloaded. The server with pid ${pid} has taken over.`);
}
