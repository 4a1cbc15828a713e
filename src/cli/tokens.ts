import { appPath } from './api.js';
import type { Context } from './context.js';
import { usage } from './failures.js';
import { tableLines } from './output.js';
import type { NewTokenAnswer, TokenAnswer } from '../web/api/tokens.js';

/** The options of `tokens`. */
export interface TokensOptions {
  /** The app whose deploy tokens are meant; undefined = one's own tokens. */
  deploy?: string;
  scope?: string;
  app?: string[];
  days?: number;
}

/** Lists, creates or revokes tokens. */
export async function tokens(
  cli: Context,
  action: string | undefined,
  name: string | undefined,
  options: TokensOptions,
): Promise<void> {
  const { deploy, scope, app, days } = options;
  const path = deploy === undefined ? '/me/tokens' : appPath(deploy, '/deploy-tokens');
  if (action === undefined) return list(cli, path);
  if (name === undefined || name.trim() === '')
    throw usage(
      action === 'create' ? 'Name the token, for example after where it is used.' : 'Name the id of the token.',
    );
  const api = await cli.api();
  if (action === 'revoke') {
    await api.delete(`${path}/${encodeURIComponent(name)}`);
    if (cli.out.json) return cli.out.data({ id: name, active: false });
    return cli.out.print(`${name} is revoked.`);
  }
  if (deploy !== undefined && (scope !== undefined || app !== undefined))
    throw usage('A deploy token has the scope deploy, and is for its app only. Omit --scope and --app.');
  const own = deploy === undefined ? { scope: scope ?? 'deploy', apps: app } : {};
  const made = await api.post<NewTokenAnswer>(path, { name, days, ...own });
  if (cli.out.json) return cli.out.data(made);
  cli.out.print(made.token);
  cli.out.note(`Copy the token now; it is not shown again. It works until ${made.expires_at.slice(0, 10)}.`);
}

async function list(cli: Context, path: string): Promise<void> {
  const found = (await (await cli.api()).get<{ tokens: TokenAnswer[] }>(path)).tokens;
  if (cli.out.json) {
    for (const each of found) cli.out.data(each);
    return;
  }
  if (found.length === 0) return cli.out.note('There are no tokens.');
  const lines = tableLines(
    found,
    [
      { title: 'Id', value: (each) => each.id },
      { title: 'Name', value: (each) => each.name },
      { title: 'Scope', value: (each) => each.scope },
      { title: 'Apps', value: (each) => each.apps?.join(',') ?? 'all' },
      { title: 'State', value: (each) => (each.active ? 'active' : 'ended') },
      { title: 'Expires', value: (each) => each.expires_at.slice(0, 10) },
      { title: 'Last used', value: (each) => each.last_used_at?.slice(0, 10) ?? null },
    ],
    cli.out,
  );
  for (const line of lines) cli.out.print(line);
}
