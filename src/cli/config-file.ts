import { mkdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { hasCode, messageOf, Refusal } from '../errors.js';
import { replaceFile } from '../lib/replace-file.js';
import { parseUrl } from '../lib/parse-url.js';

/** The server that the person has logged in to. */
export interface Login {
  url: string;
  token: string;
}

/** @see https://specifications.freedesktop.org/basedir-spec/latest/ which says to ignore relative paths */
export function configFile(env: NodeJS.ProcessEnv): string {
  const xdg = env.XDG_CONFIG_HOME;
  const home = env.HOME !== undefined && isAbsolute(env.HOME) ? env.HOME : homedir();
  const base = xdg !== undefined && isAbsolute(xdg) ? xdg : join(home, '.config');
  return join(base, 'streamlit-host', 'config.json');
}

/** Reads what "login" has stored; undefined if there is nothing. @throws Refusal `config-broken` */
export async function readConfigFile(env: NodeJS.ProcessEnv): Promise<Login | undefined> {
  const file = configFile(env);
  let found: unknown;
  try {
    found = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return undefined;
    throw broken(file, messageOf(error));
  }
  const { url, token } = (found ?? {}) as Partial<Login>;
  if (typeof url !== 'string' || parseUrl(url) === undefined || typeof token !== 'string')
    throw broken(file, '"url" or "token" is missing');
  return { url, token };
}

/** Stores a login, readable by this user only. */
export async function writeConfigFile(env: NodeJS.ProcessEnv, login: Login): Promise<string> {
  const file = configFile(env);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await replaceFile(file, `${JSON.stringify(login, undefined, 2)}\n`, { mode: 0o600 });
  return file;
}

function broken(file: string, why: string): Refusal {
  return new Refusal(
    'invalid',
    'config-broken',
    `Cannot use ${file} (${why}). Log in again with "streamlit-host login <url>", or delete the file.`,
  );
}
