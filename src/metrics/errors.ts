import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { codeOf, raisedAt, type PrintedException } from '../domain/streamlit/exceptions.js';
import { hasCode } from '../errors.js';
import { reasonOf } from './unreadable.js';
import { replaceFile } from '../lib/replace-file.js';

/** How many kinds of exceptions are kept of an app, those that were seen last. */
const MAX_KINDS = 100;
const MAX_MESSAGE = 500;

const kindSchema = z.object({
  type: z.string(),
  message: z.string(),
  file: z.string(),
  line: z.number(),
  function: z.string(),
  code: z.string(),
  count: z.number(),
  /** ISO dates. */
  firstSeen: z.string(),
  lastSeen: z.string(),
  firstRelease: z.number(),
  lastRelease: z.number(),
  /** The newest one, a line each. */
  traceback: z.array(z.string()),
});

const fileSchema = z.object({ version: z.literal(1), kinds: z.array(kindSchema) });

/** Exceptions of an app that are of the same type and were raised at the same place. */
export type ErrorKind = z.infer<typeof kindSchema>;

/** Called with each exception. @param isNew true where none of its kind was seen before */
export type ErrorListener = (app: string, kind: ErrorKind, isNew: boolean) => void;

/** The exceptions that apps have printed, by kind, in a file for each app. */
export class Errors {
  readonly #folder: string;
  readonly #warn: (text: string) => void;
  readonly #apps = new Map<string, Promise<ErrorKind[]>>();
  readonly #changed = new Set<string>();
  readonly #listeners = new Set<ErrorListener>();

  /** @param folder its own folder @param warn told what is wrong with a file */
  constructor(folder: string, warn: (text: string) => void) {
    this.#folder = folder;
    this.#warn = warn;
  }

  /** @returns a function that unsubscribes */
  subscribe(listener: ErrorListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The kinds of exceptions of an app, those that were seen last first. */
  async of(app: string): Promise<readonly ErrorKind[]> {
    return [...(await this.#load(app))].sort((a, b) => (a.lastSeen < b.lastSeen ? 1 : -1));
  }

  /** Notes an exception, with its values hidden. @param at ms since 1970 */
  async add(app: string, exception: PrintedException, release: number, at: number): Promise<void> {
    const kinds = await this.#load(app);
    const { file = '', line = 0, function: name = '' } = raisedAt(exception.lines) ?? {};
    const code = codeOf(exception.lines);
    const seen = new Date(at).toISOString();
    const newest = {
      ...{ message: exception.message.slice(0, MAX_MESSAGE), line, lastSeen: seen, lastRelease: release },
      traceback: exception.lines,
    };
    const known = kinds.find(
      (one) => one.type === exception.type && one.file === file && one.function === name && one.code === code,
    );
    const kind = known ?? {
      ...{ type: exception.type, file, function: name, code, count: 0, firstSeen: seen, firstRelease: release },
      ...newest,
    };
    Object.assign(kind, newest, { count: kind.count + 1 });
    if (known === undefined) kinds.push(kind);
    if (kinds.length > MAX_KINDS) kinds.splice(oldest(kinds), 1);
    this.#changed.add(app);
    for (const listener of this.#listeners) listener(app, kind, known === undefined);
  }

  /** Forgets the exceptions of an app. */
  async clear(app: string): Promise<void> {
    this.#apps.set(app, Promise.resolve([]));
    this.#changed.delete(app);
    await rm(this.#path(app), { force: true });
  }

  /** Writes what is new. @throws Error where the disk is full; it is tried again the next time */
  async flush(): Promise<void> {
    if (this.#changed.size === 0) return;
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    for (const app of [...this.#changed]) {
      const kinds = await this.#load(app);
      await replaceFile(this.#path(app), JSON.stringify({ version: 1, kinds }), { mode: 0o600, sync: false });
      this.#changed.delete(app);
    }
  }

  #path(app: string): string {
    return join(this.#folder, `${app}.json`);
  }

  #load(app: string): Promise<ErrorKind[]> {
    const found = this.#apps.get(app) ?? this.#read(app);
    this.#apps.set(app, found);
    return found;
  }

  async #read(app: string): Promise<ErrorKind[]> {
    const path = this.#path(app);
    try {
      return fileSchema.parse(JSON.parse(await readFile(path, 'utf8'))).kinds;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return [];
      await rename(path, `${path}.unreadable`).catch(() => undefined); // It is replaced in any case.
      this.#warn(
        `Cannot read ${path}, the exceptions of ${app}: ${reasonOf(error)}. It was moved to ${path}.unreadable.`,
      );
      return [];
    }
  }
}

function oldest(kinds: readonly ErrorKind[]): number {
  return kinds.reduce((place, kind, at) => (kind.lastSeen < (kinds[place]?.lastSeen ?? '') ? at : place), 0);
}
