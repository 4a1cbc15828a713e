import type { DrainAnswer, DrainsAnswer } from '../web/api/drains.js';
import { appPath } from './api.js';
import { askHidden, canAsk, readStdin } from './ask.js';
import type { Context } from './context.js';
import { usage } from './failures.js';
import { tableLines } from './output.js';

/** Lists, adds or removes log drains. @param options.app the app; undefined = all apps */
export async function drains(
  cli: Context,
  action: string | undefined,
  given: string | undefined,
  options: { app?: string },
): Promise<void> {
  const path = options.app === undefined ? '/server/drains' : appPath(options.app, '/drains');
  if (action === undefined) return list(cli, path);
  if (action === 'remove') {
    if (given === undefined) throw usage('Name the id of the drain.');
    await (await cli.api()).delete(`${path}/${encodeURIComponent(given)}`);
    if (cli.out.json) return cli.out.data({ id: given, removed: true });
    return cli.out.print(`${given} is removed.`);
  }
  // A URL or a token may be a secret, so neither has to be an argument, which other processes see.
  const text = given ?? (canAsk() ? await askHidden('Address: ', 'Nothing was added.') : await readStdin());
  const [address = '', token] = text.split('\n').map((line) => line.trim());
  if (address === '') throw usage('Give the address, or send it on standard input, with a token on the second line.');
  const made = await (
    await cli.api()
  ).post<DrainAnswer>(path, { address, ...(token === undefined || token === '' ? {} : { token }) });
  if (cli.out.json) return cli.out.data(made);
  cli.out.print(made.id);
}

async function list(cli: Context, path: string): Promise<void> {
  const found = (await (await cli.api()).get<DrainsAnswer>(path)).drains;
  if (cli.out.json) return cli.out.data({ drains: found });
  if (found.length === 0) return cli.out.note('There are no drains. Add one with "streamlit-host drains add".');
  const lines = tableLines(
    found,
    [
      { title: 'id', value: ({ id }) => id },
      { title: 'address', value: ({ address }) => address },
      { title: 'sent', value: ({ sent }) => sent },
      { title: 'dropped', value: ({ dropped }) => dropped },
      { title: 'problem', value: ({ problem }) => problem },
    ],
    cli.out,
  );
  for (const line of lines) cli.out.print(line);
}
