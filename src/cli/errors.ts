import type { ErrorsAnswer } from '../web/api/errors.js';
import { compactSpan } from '../lib/units.js';
import { appPath } from './api.js';
import type { Context } from './context.js';
import { tableLines, type Column } from './output.js';
import { harmlessLine } from './text.js';

type ErrorAnswer = ErrorsAnswer['errors'][number];

/** Prints the exceptions of an app, those that were seen last first, with the newest traceback below. */
export async function errors(cli: Context, id: string): Promise<void> {
  const { out } = cli;
  const found = await (await cli.api()).get<ErrorsAnswer>(appPath(id, '/errors'));
  if (out.json) return out.data(found);
  const [newest] = found.errors;
  if (newest === undefined) return out.print(`${id} has printed no exceptions.`);
  const ago = (iso: string): string => `${compactSpan((Date.now() - Date.parse(iso)) / 1_000)} ago`;
  const columns: Column<ErrorAnswer>[] = [
    { title: 'count', value: ({ count }) => count },
    { title: 'last seen', value: (one) => ago(one.last_seen) },
    { title: 'first seen', value: (one) => ago(one.first_seen) },
    { title: 'releases', value: (one) => releases(one) },
    { title: 'place', value: ({ file, line }) => (file === '' ? null : `${file}:${line}`) },
    { title: 'exception', value: ({ type, message }) => (message === '' ? type : `${type}: ${message}`) },
  ];
  for (const line of tableLines(found.errors, columns, out)) out.print(line);
  out.print('');
  for (const line of newest.traceback) out.print(out.terminal ? harmlessLine(line) : line);
}

function releases({ first_release: first, last_release: last }: ErrorAnswer): string {
  return first === last ? String(first) : `${first}–${last}`;
}
