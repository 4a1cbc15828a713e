import type { AccessAnswer, NewShareAnswer } from '../web/api/access.js';
import { appPath } from './api.js';
import type { Context } from './context.js';
import { usage } from './failures.js';
import { tableLines } from './output.js';

/** The options of `share`. */
export interface ShareOptions {
  days?: number;
  embed?: boolean;
}

/** Lists, creates or revokes the share links of an app, or changes which origins may frame it. */
export async function share(
  cli: Context,
  id: string,
  action: string | undefined,
  words: readonly string[],
  { days, embed }: ShareOptions,
): Promise<void> {
  const shares = appPath(id, '/shares');
  const access = appPath(id, '/access');
  if (action === undefined) return list(cli, id, access);
  if (words.length === 0) throw usage(MISSING[action] ?? '');
  const api = await cli.api();
  if (action === 'frames') {
    const wanted = words.length === 1 && words[0] === '-' ? [] : words;
    const { frames } = await api.patch<AccessAnswer>(access, { frames: wanted });
    if (cli.out.json) return cli.out.data({ app: id, frames });
    return cli.out.print(
      frames.length === 0 ? `No page can frame ${id}.` : `${id} can be framed by ${frames.join(', ')}.`,
    );
  }
  const name = words.join(' ');
  if (action === 'revoke') {
    await api.delete(`${shares}/${encodeURIComponent(name)}`);
    if (cli.out.json) return cli.out.data({ app: id, id: name, active: false });
    return cli.out.print(`${name} is revoked.`);
  }
  const made = await api.post<NewShareAnswer>(shares, { name, days, embed: embed === true });
  if (cli.out.json) return cli.out.data(made);
  cli.out.print(made.url);
  cli.out.note(`Copy the link now; it is not shown again. It works until ${made.share.expires_at.slice(0, 10)}.`);
}

const MISSING: Record<string, string> = {
  create: 'Name the link, for example after who gets it.',
  revoke: 'Name the id of the link.',
  frames: 'Name origins such as https://wiki.example.com, or "-" for none.',
};

async function list(cli: Context, id: string, path: string): Promise<void> {
  const { shares, frames } = await (await cli.api()).get<AccessAnswer>(path);
  if (cli.out.json) return cli.out.data({ app: id, shares, frames });
  if (frames.length > 0) cli.out.note(`Links with --embed can be framed by ${frames.join(', ')}.`);
  if (shares.length === 0) return cli.out.note(`${id} has no share links.`);
  const lines = tableLines(
    shares,
    [
      { title: 'Id', value: (each) => each.id },
      { title: 'Name', value: (each) => each.name },
      { title: 'Framed', value: (each) => (each.embed ? 'yes' : 'no') },
      { title: 'Expires', value: (each) => each.expires_at.slice(0, 10) },
      { title: 'By', value: (each) => each.by },
    ],
    cli.out,
  );
  for (const line of lines) cli.out.print(line);
}
