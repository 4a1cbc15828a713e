import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ensureFolder } from '../lib/ensure-folder.js';
import { codeOf, raisedAt, type PrintedException } from '../domain/streamlit/exceptions.js';
import { hasCode } from '../errors.js';
import { reasonOf } from './unreadable.js';
import { replaceFile } from '../lib/replace-file.js';

/** How many kinds of exceptions are kept of an app, those that were seen last. */
const MAX_KINDS = 100;
/** The most characters of a message, a name or a line of a traceback: an app may print anything. */
const MAX_TEXT = 500;

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

  /**
   * The kinds of exceptions of an app, those that were seen last first.
   * @param since an ISO date, when the app was created: an earlier app with the same id is not told of
   */
  async of(app: string, since = ''): Promise<readonly ErrorKind[]> {
    const kinds = (await this.#load(app)).filter(({ lastSeen }) => lastSeen >= since);
    return kinds.sort((a, b) => (a.lastSeen < b.lastSeen ? 1 : -1));
  }

  /** Notes an exception, with its values hidden. @param at ms since 1970 */
  async add(app: string, exception: PrintedException, release: number, at: number): Promise<void> {
    const kinds = await this.#load(app);
    const { file = '', line = 0, function: name = '' } = raisedAt(exception.lines) ?? {};
    const place = {
      type: short(exception.type),
      file: short(file),
      function: short(name),
      code: short(codeOf(exception.lines)),
    };
    const seen = new Date(at).toISOString();
    const newest = {
      ...{ message: short(exception.message), line, lastSeen: seen, lastRelease: release },
      traceback: exception.lines.map(short),
    };
    const known = kinds.find(
      (one) =>
        one.type === place.type &&
        one.file === place.file &&
        one.function === place.function &&
        one.code === place.code,
    );
    const kind = known ?? { ...place, count: 0, firstSeen: seen, firstRelease: release, ...newest };
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
    await ensureFolder(this.#folder, 0o700);
    for (const app of [...this.#changed]) {
      const kinds = await this.#load(app);
      // What comes while it is being written is written the next time.
      this.#changed.delete(app);
      try {
        await replaceFile(this.#path(app), JSON.stringify({ version: 1, kinds }), { mode: 0o600, sync: false });
      } catch (error) {
        this.#changed.add(app);
        throw error;
      }
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

function short(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text;
}

function oldest(kinds: readonly ErrorKind[]): number {
  return kinds.reduce((place, kind, at) => (kind.lastSeen < (kinds[place]?.lastSeen ?? '') ? at : place), 0);
}
