import { appPath, type Api } from './api.js';
import type { Context } from './context.js';
import type { Colour, Output } from './output.js';
import { harmlessLine } from './text.js';
import type { DiffAnswer } from '../web/api/deploys.js';

type Names = NonNullable<DiffAnswer['config']>['vars'];

/** Shows how a release differs from the live one: the code, and the names of config vars and secrets. */
export async function diff(cli: Context, id: string, release: number): Promise<void> {
  const path = appPath(id);
  const api = await cli.api();
  const found = await diffOf(api, path, release);
  if (cli.out.json) return cli.out.data(found);
  for (const line of codeLines(`${found.stat}\n\n${found.patch}`.trim(), cli.out)) cli.out.print(line);
  for (const line of configLines(found, cli.out)) cli.out.print(line);
  if (found.patch === '') cli.out.note(`Release ${release} has the same code as the live release.`);
}

/** @param path the app's own path in the API */
export async function diffOf(api: Api, path: string, release: number): Promise<DiffAnswer> {
  return api.get<DiffAnswer>(`${path}/deploys/${release}/diff`);
}

/** Summarises what a rollback would do. */
export function summaryLines(found: DiffAnswer, out: Output): string[] {
  const code = found.stat === '' ? ['Code: no changes'] : ['Code:', ...codeLines(found.stat, out)];
  const config = configLines(found, out);
  return [...code, ...(config.length === 0 ? ['Config: no changes'] : config)];
}

function codeLines(text: string, out: Output): string[] {
  return text === ''
    ? []
    : text.split('\n').map((line) => {
        const shown = out.terminal ? harmlessLine(line) : line;
        const colour: Colour | undefined = /^\+(?!\+\+ )/.test(line)
          ? 'green'
          : /^-(?!-- )/.test(line)
            ? 'red'
            : line.startsWith('diff --git ')
              ? 'bold'
              : undefined;
        return colour === undefined ? shown : out.paint(colour, shown);
      });
}

function configLines({ config, config_problem: problem }: DiffAnswer, out: Output): string[] {
  if (config === null) return [`Config: cannot be compared. ${problem ?? ''}`.trim()];
  const lines = [...namesOf(config.vars, '', out), ...namesOf(config.secrets, ' (secret)', out)];
  return lines.length === 0 ? [] : ['Config:', ...lines];
}

function namesOf({ added, removed, changed }: Names, what: string, out: Output): string[] {
  const lines = (names: string[], sign: string, colour: Colour, note: string): string[] =>
    names.map((name) => out.paint(colour, ` ${sign} ${harmlessLine(name)}${what}${note}`));
  return [
    ...lines(added, '+', 'green', ''),
    ...lines(removed, '-', 'red', ''),
    ...lines(changed, '~', 'yellow', ': value differs'),
  ];
}
