import { appPath, type Api, type Deploy } from './api.js';
import { askHidden, canAsk, readInput, readStdin } from './ask.js';
import type { Context } from './context.js';
import { afterChange } from './deploy-log.js';
import { usage } from './failures.js';
import { tableLines } from './output.js';
import type { ChangedConfigAnswer, VarsAnswer } from '../web/api/config.js';
import { compactSpan } from '../lib/units.js';

export interface ChangeOptions {
  /** False: return once the deploy is queued. */
  wait: boolean;
}

/** A change of config vars or secrets, as the API returns it. */
export type Stored = Pick<ChangedConfigAnswer, 'version' | 'live_version'> & { deploy: Deploy | null };

/** Lists or changes the config vars of an app. */
export async function config(
  cli: Context,
  id: string,
  action: string | undefined,
  given: readonly string[],
  options: ChangeOptions,
): Promise<void> {
  const path = appPath(id, '/config');
  switch (action) {
    case undefined:
      return list(cli, id, path);
    case 'show':
      return show(cli, path, given);
    case 'import': {
      if (given.length > 1) throw usage('Import one file at a time.');
      const text = await readInput(cli.cwd, given[0], 'the config vars');
      const api = await cli.api();
      return stored(cli, api, id, await api.sendText<Stored>('PATCH', path, text), options);
    }
    case 'set': {
      const vars = await valuesOf(given);
      const api = await cli.api();
      return stored(cli, api, id, await api.patch<Stored>(path, { vars }), options);
    }
    default:
      return unset(cli, id, path, given, options);
  }
}

/** Reports a change, and follows the deploy that applies it. */
export async function stored(
  cli: Context,
  api: Api,
  id: string,
  change: Stored,
  options: ChangeOptions,
): Promise<void> {
  if (change.deploy !== null) return afterChange(cli, api, id, change.deploy, options.wait);
  if (cli.out.json) return cli.out.data(change);
  cli.out.print(unchanged(id, change));
}

/** Explains why nothing was deployed: an earlier change may never have gone live. */
function unchanged(id: string, { version, live_version: live }: Stored): string {
  if (live === null) return 'Saved. Applied on the next deploy.';
  if (live === version) return 'No changes.';
  return `No changes, but the live release still runs with an older config. Apply it with "streamlit-host redeploy ${id}".`;
}

async function list(cli: Context, id: string, path: string): Promise<void> {
  const api = await cli.api();
  const found = await api.get<Pick<VarsAnswer, 'vars'>>(path);
  if (cli.out.json) return cli.out.data(found);
  if (found.vars.length === 0) return cli.out.print(`${id} has no config vars.`);
  const now = Date.now();
  const lines = tableLines(
    found.vars,
    [
      { title: 'name', value: ({ name }) => name, colour: () => 'bold' },
      {
        title: 'changed',
        value: (each) => (each.changed_at === null ? null : compactSpan((now - Date.parse(each.changed_at)) / 1_000)),
      },
      { title: 'by', value: (each) => each.changed_by },
    ],
    cli.out,
  );
  for (const line of lines) cli.out.print(line);
}

async function show(cli: Context, path: string, given: readonly string[]): Promise<void> {
  const [name, ...more] = given;
  if (name === undefined || name === '' || more.length > 0) throw usage('Name the config var to show.');
  const api = await cli.api();
  const { vars } = await api.get<Pick<VarsAnswer, 'vars'>>(`${path}?reveal=1&name=${encodeURIComponent(name)}`);
  const value = vars[0]?.value ?? '';
  if (cli.out.json) return cli.out.data({ name, value });
  cli.out.print(value);
}

async function unset(
  cli: Context,
  id: string,
  path: string,
  names: readonly string[],
  options: ChangeOptions,
): Promise<void> {
  if (names.length === 0) throw usage('Name the config vars to unset.');
  const api = await cli.api();
  const known = new Set((await api.get<Pick<VarsAnswer, 'vars'>>(path)).vars.map(({ name }) => name));
  const unknown = names.find((name) => !known.has(name));
  if (unknown !== undefined) throw usage(`${id} has no config var ${JSON.stringify(unknown)}. Nothing was changed.`);
  return stored(
    cli,
    api,
    id,
    await api.patch<Stored>(path, { vars: Object.fromEntries(names.map((name) => [name, null])) }),
    options,
  );
}

/** Parses `KEY=VALUE …`. The value of a `KEY` alone is prompted for, or read from standard input, so that no other process sees it. */
async function valuesOf(given: readonly string[]): Promise<Record<string, string>> {
  const words = given.filter((word) => word !== '-');
  const [bare, ...more] = words.filter((word) => !word.includes('='));
  if (words.length === 0) throw usage('Give KEY=VALUE, or KEY alone to read the value from standard input.');
  if (more.length > 0) throw usage('Only one value can come from standard input. Use "import" to set several.');
  const vars = new Map(
    words
      .filter((word) => word.includes('='))
      .map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]),
  );
  if (bare !== undefined) {
    const value = canAsk()
      ? await askHidden(`Value of ${bare}: `, 'Nothing was set.')
      : (await readStdin()).replace(/\r?\n$/, '');
    if (value === '' && !canAsk())
      throw usage(`Standard input is empty. Send the value of ${bare} there, or set an empty one with "${bare}=".`);
    vars.set(bare, value);
  }
  return Object.fromEntries(vars);
}
