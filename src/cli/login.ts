import { createInterface } from 'node:readline';
import { Refusal } from '../errors.js';
import { Api } from './api.js';
import { askHidden, canAsk } from './ask.js';
import { writeConfigFile } from './config-file.js';
import type { Context } from './context.js';
import { usage } from './failures.js';
import { git } from './git.js';
import { isLoopback, parseUrl } from './url.js';

export interface LoginOptions {
  tokenStdin?: boolean;
  git?: boolean;
}

/** Checks a token and stores it, for git as well on request. */
export async function login(cli: Context, address: string, options: LoginOptions): Promise<void> {
  const url = parseUrl(address, '<url>');
  if (url.startsWith('http:') && !isLoopback(url))
    cli.out.note(`Warning: ${url} is not encrypted, so the token is sent in plain text.`);
  const token = await readToken(options.tokenStdin === true);
  const api = new Api({ url, token });
  await api.get('/apps?per_page=1');
  if (options.git === true) await approve(cli, url, token);
  const file = await writeConfigFile(cli.env, { url, token });
  if (cli.out.json) return cli.out.data({ url, config: file, git: options.git === true });
  cli.out.print(
    `Logged in to ${url}. The token is stored in ${file}${options.git === true ? " and in git's credential helper" : ''}.`,
  );
}

async function readToken(piped: boolean): Promise<string> {
  if (!piped && !canAsk()) throw usage('Not a terminal. Pipe the token in and pass --token-stdin.');
  const token = (piped ? await firstLine() : await askHidden('Token: ', 'Not logged in.')).trim();
  if (!/^[\x21-\x7e]{1,256}$/.test(token))
    throw usage('Invalid token. A token is one line of printable characters without spaces.');
  return token;
}

async function firstLine(): Promise<string> {
  const lines = createInterface({ input: process.stdin, terminal: false });
  try {
    for await (const line of lines) return line;
    return '';
  } finally {
    lines.close();
    process.stdin.destroy();
  }
}

/** Passes the token to git's credential helper. @throws Refusal `no-credential-helper` */
async function approve(cli: Context, url: string, token: string): Promise<void> {
  const { protocol, host, origin } = new URL(url);
  const helper = await git(cli.cwd, ['config', '--get-urlmatch', 'credential.helper', origin]);
  if (helper === undefined || helper.trim() === '') {
    const hint = 'git config --global credential.helper store';
    throw new Refusal(
      'conflict',
      'no-credential-helper',
      `No credential helper is configured in git. Set one, for example with "${hint}", and log in again.`,
    );
  }
  const said = await git(
    cli.cwd,
    ['credential', 'approve'],
    `protocol=${protocol.slice(0, -1)}\nhost=${host}\nusername=admin\npassword=${token}\n\n`,
  );
  if (said === undefined)
    throw new Refusal('conflict', 'git-failed', "Git's credential helper did not accept the token.");
}
