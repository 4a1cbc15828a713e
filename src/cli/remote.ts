import { Refusal } from '../errors.js';
import { appPath, type Api } from './api.js';
import type { Context } from './context.js';
import { git } from './git.js';

/** Adds the git remote "host" to the current checkout, or points it at another app. */
export async function remote(cli: Context, id: string, options: { new?: boolean }): Promise<void> {
  const path = appPath(id);
  if ((await git(cli.cwd, ['rev-parse', '--git-dir'])) === undefined) {
    throw new Refusal(
      'conflict',
      'no-checkout',
      `${cli.cwd} is not in a git repository. Run "git init -b main" first.`,
    );
  }
  const api = await cli.api();
  const url = await addressOf(api, path, id, options.new === true);
  const before = (await git(cli.cwd, ['config', '--get', 'remote.host.url']))?.trim();
  if (before !== url) await set(cli.cwd, url, before !== undefined);
  if (cli.out.json) return cli.out.data({ remote: 'host', url });
  cli.out.print(`Remote "host" set to ${url}`);
  if (before !== undefined && before !== url) cli.out.note(`It was ${withoutPassword(before)}.`);
  cli.out.note('Push with: git push host main (any user name works; the password is your token)');
}

async function addressOf(api: Api, path: string, id: string, isNew: boolean): Promise<string> {
  try {
    return (await api.get<{ git_url: string }>(path)).git_url;
  } catch (error) {
    if (!(error instanceof Refusal && error.code === 'app-not-found')) throw error;
    if (isNew) return `${api.target.url}/git/${encodeURIComponent(id)}.git`;
    throw new Refusal('not-found', error.code, `${error.message} Pass --new if the first push is to create it.`);
  }
}

async function set(folder: string, url: string, known: boolean): Promise<void> {
  const done = await git(folder, known ? ['remote', 'set-url', 'host', url] : ['remote', 'add', 'host', url]);
  if (done === undefined)
    throw new Refusal('conflict', 'git-failed', `Could not set the git remote "host" in ${folder}.`);
}

function withoutPassword(address: string): string {
  return address.replace(/\/\/[^/@]*@/, '//');
}
