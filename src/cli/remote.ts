import { Refusal } from '../errors.js';
import { appPath, type Api } from './api.js';
import type { Context } from './context.js';
import { git } from './git.js';

/** Adds the git remote "host" to the checkout that the person stands in, or points it at another app. */
export async function remote(cli: Context, id: string, options: { new?: boolean }): Promise<void> {
  const path = appPath(id);
  if ((await git(cli.cwd, ['rev-parse', '--git-dir'])) === undefined) {
    throw new Refusal(
      'conflict',
      'no-checkout',
      `${cli.cwd} is not in a git repository: run "git init -b main" first.`,
    );
  }
  const api = await cli.api();
  const url = await addressOf(api, path, id, options.new === true);
  const before = (await git(cli.cwd, ['config', '--get', 'remote.host.url']))?.trim();
  if (before !== url) await set(cli.cwd, url, before !== undefined);
  if (cli.out.json) return cli.out.data({ remote: 'host', url });
  cli.out.print(`The remote "host" is ${url}`);
  if (before !== undefined && before !== url) cli.out.note(`It was ${withoutPassword(before)} before.`);
  cli.out.note('Push with: git push host main (any user name; the password is the token)');
}

async function addressOf(api: Api, path: string, id: string, isNew: boolean): Promise<string> {
  try {
    return (await api.get<{ git_url: string }>(path)).git_url;
  } catch (error) {
    if (!(error instanceof Refusal && error.code === 'app-not-found')) throw error;
    if (isNew) return `${api.target.url}/git/${encodeURIComponent(id)}.git`;
    throw new Refusal(
      'not-found',
      error.code,
      `${error.message} The first push makes an app: add --new to push to a new one.`,
    );
  }
}

async function set(folder: string, url: string, known: boolean): Promise<void> {
  const done = await git(folder, known ? ['remote', 'set-url', 'host', url] : ['remote', 'add', 'host', url]);
  if (done === undefined)
    throw new Refusal('conflict', 'git-failed', `git could not set the remote "host" of ${folder}.`);
}

function withoutPassword(address: string): string {
  return address.replace(/\/\/[^/@]*@/, '//');
}
