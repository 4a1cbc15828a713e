import type { AlertsAnswer, NewDestinationAnswer } from '../web/api/alerts.js';
import { compactSpan } from '../lib/units.js';
import { appPath } from './api.js';
import { askHidden, canAsk, readStdin } from './ask.js';
import type { Context } from './context.js';
import { usage } from './failures.js';
import { tableLines } from './output.js';

/** The options of `alerts`. */
export interface AlertsOptions {
  /** The app; undefined = the machine and all apps. */
  app?: string;
  name?: string;
  only?: string[];
}

/** Shows alerts, or adds, removes or tests a destination. */
export async function alerts(
  cli: Context,
  action: string | undefined,
  given: readonly string[],
  options: AlertsOptions,
): Promise<void> {
  const path = options.app === undefined ? '/server/alerts' : appPath(options.app, '/alerts');
  if (action === undefined) return show(cli, path);
  const [first, second] = given;
  if (action === 'add') return add(cli, path, first, second, options);
  if (first === undefined || second !== undefined) throw usage('Name the id of the destination.');
  const one = `${path}/destinations/${encodeURIComponent(first)}`;
  const api = await cli.api();
  if (action === 'remove') await api.delete(one);
  else await api.post(`${one}/test`, {});
  if (cli.out.json) return cli.out.data({ id: first, [action === 'remove' ? 'removed' : 'delivered']: true });
  cli.out.print(action === 'remove' ? `${first} is removed.` : 'Test sent.');
}

async function add(
  cli: Context,
  path: string,
  kind: string | undefined,
  given: string | undefined,
  options: AlertsOptions,
): Promise<void> {
  if (kind === undefined) throw usage('Name the kind of the destination, such as email, webhook or slack.');
  const [address = '', secret] = (given ?? (await addressFor(kind))).split('\n').map((line) => line.trim());
  if (address === '') throw usage('Give the address, or send it on standard input.');
  const made = await (
    await cli.api()
  ).post<NewDestinationAnswer>(`${path}/destinations`, {
    ...{ kind, address, name: options.name, rules: options.only },
    ...(secret === undefined || secret === '' ? {} : { secret }),
  });
  if (cli.out.json) return cli.out.data(made);
  cli.out.print(made.id);
  if (made.secret === null) return;
  cli.out.print(made.secret);
  cli.out.note('Copy the signing secret now; it is not shown again. Messages follow Standard Webhooks.');
}

/** A URL may be all that is needed to post there, so it is not an argument, which other processes see. */
async function addressFor(kind: string): Promise<string> {
  return canAsk() ? askHidden(`Address for ${kind}: `, 'Nothing was added.') : readStdin();
}

async function show(cli: Context, path: string): Promise<void> {
  const found = await (await cli.api()).get<AlertsAnswer>(path);
  const { out } = cli;
  if (out.json) return out.data(found);
  const ago = (iso: string): string => `${compactSpan((Date.now() - Date.parse(iso)) / 1_000)} ago`;
  if (found.alerts.length === 0) out.print('No active alerts.');
  for (const { app, text, since } of found.alerts) out.print(`${app ?? 'Machine'}: ${text} (${ago(since)})`);
  if (found.destinations.length === 0)
    return out.note('There are no destinations. Add one with "streamlit-host alerts add".');
  out.print('');
  const lines = tableLines(
    found.destinations,
    [
      { title: 'id', value: ({ id }) => id },
      { title: 'kind', value: ({ kind }) => kind },
      { title: 'address', value: ({ address }) => address },
      { title: 'name', value: ({ name }) => (name === '' ? null : name) },
      { title: 'alerts', value: ({ rules }) => rules?.join(',') ?? 'all' },
      { title: 'last', value: ({ id }) => lastOf(found, id, ago) },
    ],
    out,
  );
  for (const line of lines) out.print(line);
}

function lastOf({ deliveries }: AlertsAnswer, id: string, ago: (iso: string) => string): string | null {
  const last = deliveries.find(({ destination }) => destination === id);
  if (last === undefined) return null;
  return `${last.state} ${ago(last.tried_at ?? last.created_at)}${last.state === 'delivered' ? '' : ` (${last.problem ?? 'not tried yet'})`}`;
}
