import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { messageOf, Refusal } from '../errors.js';
import { readConfigFile, type Login } from './config-file.js';
import { unreachable, usage } from './failures.js';
import { dataFolder, findLocal, localToken } from './local.js';
import { parseUrl } from './url.js';

/** The selected server, and its token. */
export interface Target {
  /** Without a trailing slash. */
  url: string;
  /** undefined if no token is known for this server. */
  token: string | undefined;
}

export interface Surroundings {
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** The checkout that the command belongs to. */
  root: string | undefined;
  url?: string | undefined;
  tokenFile?: string | undefined;
  /** False for commands on the local server, which may not be the one logged in to. */
  loggedIn?: boolean;
}

/**
 * Selects the server: --url, then STREAMLIT_HOST_URL, then the login, then the local one. A token is sent only to its
 * own server: --token-file to the selected one; STREAMLIT_HOST_TOKEN to STREAMLIT_HOST_URL, or if that is unset, to
 * --url and the local server; stored tokens to the URL they were stored for.
 * @throws Refusal `no-server`, `usage`
 */
export async function findServer(around: Surroundings): Promise<Target> {
  const named = around.url ?? set(around.env.STREAMLIT_HOST_URL);
  const fromFile =
    around.tokenFile === undefined ? undefined : await readTokenFile(resolve(around.cwd, around.tokenFile));
  if (named !== undefined) {
    const url = parseUrl(named, around.url === undefined ? 'STREAMLIT_HOST_URL' : '--url');
    return { url, token: fromFile ?? (await tokenFor(url, around)) };
  }
  const login = around.loggedIn === false ? undefined : await readConfigFile(around.env);
  if (login !== undefined) return { ...login, token: fromFile ?? login.token };

  const local = await findHere(around);
  if (local !== undefined) return { ...local, token: fromFile ?? local.token };
  throw new Refusal(
    'unavailable',
    'no-server',
    `No server is running on ${dataFolder(around.env, around.cwd, around.root)}. Start one with "streamlit-host start --detach", or choose another with --url or "streamlit-host login <url>".`,
  );
}

async function findHere({ env, cwd, root }: Surroundings): Promise<Target | undefined> {
  const data = dataFolder(env, cwd, root);
  const server = await findLocal(data);
  if (server?.url === '')
    throw unreachable(`The server on ${data} is still starting (pid ${server.pid}). Try again in a moment.`);
  return server === undefined ? undefined : { url: server.local ?? server.url, token: await localToken(env, data) };
}

async function tokenFor(url: string, around: Surroundings): Promise<string | undefined> {
  const { env, cwd, root } = around;
  const envUrl = set(env.STREAMLIT_HOST_URL);
  const envToken = set(env.STREAMLIT_HOST_TOKEN);
  if (envToken !== undefined && (envUrl === undefined || parseUrl(envUrl, 'STREAMLIT_HOST_URL') === url))
    return envToken;
  const login: Login | undefined = await readConfigFile(env);
  if (login?.url === url) return login.token;
  const data = dataFolder(env, cwd, root);
  const local = await findLocal(data);
  return local !== undefined && (local.url === url || local.local === url) ? localToken({}, data) : undefined;
}

async function readTokenFile(file: string): Promise<string> {
  const token = await readFile(file, 'utf8').then(
    (text) => text.trim(),
    (error: unknown) => {
      throw usage(`Cannot read --token-file: ${messageOf(error)}.`);
    },
  );
  if (!/^[\x21-\x7e]+$/.test(token)) throw usage(`The file of --token-file, ${file}, must hold a token on one line.`);
  return token;
}

function set(text: string | undefined): string | undefined {
  const value = text?.trim();
  return value === '' ? undefined : value;
}
