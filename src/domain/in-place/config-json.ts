import { isAbsolute, join, posix, resolve } from 'node:path';
import jsonc, { type Node, type ParseError } from 'jsonc-parser';
import { z } from 'zod';
import { idFromName, printable } from '../app/app.js';
import { parseExtraPath } from './extra-paths.js';
import type { Place } from './place.js';

/** What config.json says of one app, with every path absolute. */
export interface AppEntry {
  /** The app's id, made from the key. */
  id: string;
  name: string;
  description: string;
  /** An extra path at which visitors find it. */
  path: string | undefined;
  place: Place;
}

/** What config.json says. */
export interface ConfigJson {
  /** The port of the website, where no other setting says so. */
  websitePort: number | undefined;
  entries: AppEntry[];
}

/** The folders from which relative paths are meant. */
export interface Folders {
  /** That of config.json itself. */
  base: string;
  /** The folder of apps, in which an app is looked for that names no other. */
  apps: string;
}

/** What was read, or every mistake, one sentence each. */
export type Reading = { config: ConfigJson } | { mistakes: string[] };

const port = z
  .int('must be a whole number from 1 to 65535')
  .min(1, 'must be a whole number from 1 to 65535')
  .max(65_535, 'must be a whole number from 1 to 65535');
const text = z.string('must be a string');
const yes = z.boolean('must be true or false');

// What is not known here stays in the file and is nobody's mistake: it may be a note of its owner's.
const entrySchema = z.looseObject(
  {
    name: text.max(100, 'must be at most 100 characters long').nullish(),
    url: text.nullish(),
    dir: text.nullish(),
    app: text.nullish(),
    venv: text.nullish(),
    port: port.nullish(),
    description: text.max(2_000, 'must be at most 2000 characters long').nullish(),
    restart_on_crash: yes.nullish(),
    watch: yes.nullish(),
  },
  'must be an object: { … }',
);

const configSchema = z.looseObject(
  {
    website_port: port.nullish(),
    apps: z.record(z.string(), entrySchema, 'must be an object: { "key": { … } }').nullish(),
  },
  'The file must contain an object: { "apps": { … } }',
);

/** Reads the text of a config.json. */
export function readConfigJson(source: string, folders: Folders): Reading {
  try {
    return read(source, folders);
  } catch (error) {
    // Its parser calls itself for each level.
    if (error instanceof RangeError) return { mistakes: ['The file is nested too deeply.'] };
    throw error;
  }
}

function read(source: string, folders: Folders): Reading {
  const errors: ParseError[] = [];
  const plain = source.replace(/^\uFEFF/, '');
  const tree = jsonc.parseTree(plain, errors, { disallowComments: true, allowEmptyContent: false });
  const [first] = errors;
  if (first !== undefined || tree === undefined)
    return { mistakes: [`${place(plain, first?.offset ?? 0)}: invalid JSON (${reason(first)}).`] };
  const parsed = configSchema.safeParse(jsonc.getNodeValue(tree));
  const twice = doubles(jsonc.findNodeAtLocation(tree, ['apps']), plain);
  if (!parsed.success) {
    const wrong = parsed.error.issues.map(({ path, message }) => {
      const key = path.map(String).join('.');
      return key === ''
        ? `${message}.`
        : `${key} ${message}${found(jsonc.findNodeAtLocation(tree, path as string[]))}.`;
    });
    return { mistakes: [...wrong, ...twice] };
  }
  const mistakes = [...twice];
  const entries = Object.entries(parsed.data.apps ?? {}).map(([key, raw]) => entryOf(key, raw, folders, mistakes));
  mistakes.push(...clashes(entries));
  return mistakes.length > 0
    ? { mistakes }
    : { config: { websitePort: parsed.data.website_port ?? undefined, entries } };
}

/** What is to be written of an app, with the names of the file. */
export interface RawEntry {
  name?: string;
  url?: string;
  dir?: string;
  app?: string;
  venv?: string;
  port?: number;
  description?: string;
  restart_on_crash?: boolean;
  [key: string]: unknown;
}

/**
 * The text with apps set or taken out; everything else stays as it is, with its order and its indentation. The lines next
 * to a change may be laid out like the rest.
 * @param source a text that was read without a mistake; empty where there is no file yet
 * @param changes by key; undefined takes an app out
 */
export function changeConfigJson(
  source: string,
  changes: { websitePort?: number; apps: Record<string, RawEntry | undefined> },
): string {
  let result = source.trim() === '' ? '{}\n' : source;
  const formattingOptions = styleOf(source);
  const set = (path: string[], value: unknown): void => {
    result = jsonc.applyEdits(result, jsonc.modify(result, path, value, { formattingOptions }));
  };
  if (changes.websitePort !== undefined) set(['website_port'], changes.websitePort);
  for (const [key, entry] of Object.entries(changes.apps)) set(['apps', key], entry);
  return result.endsWith('\n') ? result : `${result}\n`;
}

/** The apps of a config.json as they stand there, by key. @param source a text that was read without a mistake */
export function rawEntries(source: string): Record<string, RawEntry> {
  const value = jsonc.parse(source.replace(/^\uFEFF/, '')) as { apps?: Record<string, RawEntry> | null } | undefined;
  return value?.apps ?? {};
}

function entryOf(key: string, raw: z.infer<typeof entrySchema>, { base, apps }: Folders, mistakes: string[]): AppEntry {
  const given = (value: string | null | undefined): string | undefined =>
    value === null || value === undefined || value.trim() === '' ? undefined : value.trim();
  const dirText = given(raw.dir);
  const appText = given(raw.app);
  const fixed = dirText === undefined ? undefined : resolve(base, dirText);
  // As in the old system, a main file alone runs in its own folder.
  const main =
    appText === undefined
      ? undefined
      : isAbsolute(appText)
        ? posix.normalize(appText)
        : resolve(fixed ?? base, appText);
  const dir = fixed ?? (main === undefined ? join(apps, key) : posix.dirname(main));
  const venv = given(raw.venv);
  const url = given(raw.url);
  const extra = url === undefined ? undefined : parseExtraPath(url);
  if (extra !== undefined && 'mistake' in extra)
    mistakes.push(`apps.${key}.url ${extra.mistake} (found "${printable(url ?? '')}").`);
  if (key.trim() === '') mistakes.push('apps has an app with an empty key.');
  return {
    id: idFromName(key),
    name: given(raw.name) ?? key,
    description: raw.description ?? '',
    path: extra !== undefined && 'path' in extra ? extra.path : undefined,
    place: {
      key,
      dir,
      ...(main === undefined ? {} : { main }),
      ...(venv === undefined ? {} : { venv: resolve(fixed ?? base, venv) }),
      ...(raw.port === null || raw.port === undefined ? {} : { port: raw.port }),
      restartOnCrash: raw.restart_on_crash ?? true,
      watch: raw.watch ?? false,
    },
  };
}

/** One sentence for each two apps that want the same. */
function clashes(entries: readonly AppEntry[]): string[] {
  const mistakes: string[] = [];
  const look = (
    what: (entry: AppEntry) => string | number | undefined,
    say: (one: string, other: string, value: string) => string,
  ): void => {
    const seen = new Map<string | number, AppEntry>();
    for (const entry of entries) {
      const value = what(entry);
      const other = value === undefined ? undefined : seen.get(value);
      if (other !== undefined) mistakes.push(say(other.place.key, entry.place.key, String(value)));
      else if (value !== undefined) seen.set(value, entry);
    }
  };
  look(
    (entry) => entry.id,
    (one, other, id) => `apps.${one} and apps.${other} both become the app "${id}". Change one of the keys.`,
  );
  look(
    (entry) => entry.path,
    (one, other, path) => `apps.${one}.url and apps.${other}.url are both "${path}". Change one of them.`,
  );
  look(
    (entry) => entry.place.port,
    (one, other, value) => `apps.${one}.port and apps.${other}.port are both ${value}. Change one of them.`,
  );
  return mistakes;
}

/** JSON itself would let the last of two entries win, without a word. */
function doubles(apps: Node | undefined, source: string): string[] {
  const seen = new Set<string>();
  return (apps?.children ?? []).flatMap((property) => {
    const key = String(property.children?.[0]?.value);
    if (apps?.type === 'object' && seen.has(key))
      return [`${place(source, property.offset)}: duplicate key apps.${key}.`];
    seen.add(key);
    return [];
  });
}

function found(node: Node | undefined): string {
  if (node === undefined || node.type === 'object' || node.type === 'array') return '';
  return ` (found ${printable(JSON.stringify(node.value))})`;
}

function place(source: string, offset: number): string {
  const lines = source.slice(0, offset).split('\n');
  return `line ${lines.length}, column ${(lines.at(-1) ?? '').length + 1}`;
}

/** What the parser misses, in words. */
function reason(error: ParseError | undefined): string {
  if (error === undefined) return 'the file is empty';
  const words = jsonc
    .printParseErrorCode(error.error)
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase();
  return words
    .replace(/^value expected$/, 'expected a value')
    .replace(/^property name expected$/, 'expected a name in double quotes');
}

/** How the file is laid out, so that what is added looks like the rest. */
function styleOf(source: string): { insertSpaces: boolean; tabSize: number; eol: string } {
  const indent = /^([ \t]+)\S/m.exec(source)?.[1] ?? '  ';
  return {
    insertSpaces: !indent.startsWith('\t'),
    tabSize: indent.startsWith('\t') ? 4 : indent.length,
    eol: source.includes('\r\n') ? '\r\n' : '\n',
  };
}
