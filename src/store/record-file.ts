import { chmod, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { z } from 'zod';
import { ensureFolder } from '../lib/ensure-folder.js';
import { hasCode, messageOf, Refusal } from '../errors.js';
import { replaceFile } from '../lib/replace-file.js';
import { Turns } from '../lib/turns.js';

export interface RecordFileOptions<T> {
  file: string;
  /** Where the content from before the last change is kept. */
  last: string;
  schema: z.ZodType<T>;
  /** The content of a file that does not exist yet. */
  empty: T;
  /** What the file holds, such as `the accounts`. */
  what: string;
  /** What follows where it cannot be read, such as `nobody can log in with an account`. */
  without: string;
  /** Called with what could not be read. */
  warn: (sentence: string) => void;
}

/**
 * A record in one file, owner-readable only, and in memory. A change is on disk before it counts. A file that cannot be read is
 * replaced by its previous version; without one it is left alone, and nothing can be changed.
 */
export class RecordFile<T> {
  readonly #options: RecordFileOptions<T>;
  readonly #turns = new Turns();
  #content: T;
  #damaged = false;
  /** True where the copy from before stands in: it must stay as it is. */
  #fromLast = false;

  private constructor(options: RecordFileOptions<T>) {
    this.#options = options;
    this.#content = options.empty;
  }

  /** Reads the file. */
  static async open<T>(options: RecordFileOptions<T>): Promise<RecordFile<T>> {
    const record = new RecordFile(options);
    await record.#load();
    return record;
  }

  get content(): T {
    return this.#content;
  }

  /**
   * Changes the content, one change after the other, each on disk before the next.
   * @param make returns the new content and what the caller gets
   * @throws Refusal `record-unreadable`, and whatever `make` throws
   */
  async change<R>(make: (content: T) => [T, R]): Promise<R> {
    return this.#turns.take('', async () => {
      const { file, last, what } = this.#options;
      if (this.#damaged) {
        const sentence = `Cannot read ${file}, which holds ${what}. Restore it from a backup and restart the server, or delete it to start without.`;
        throw new Refusal('unavailable', 'record-unreadable', sentence);
      }
      const [content, result] = make(this.#content);
      await ensureFolder(dirname(file));
      await replaceFile(file, `${JSON.stringify(content, null, 2)}\n`, {
        mode: 0o600,
        last: this.#fromLast ? undefined : last,
      });
      this.#fromLast = false;
      this.#content = content;
      return result;
    });
  }

  async #load(): Promise<void> {
    const { file, last, without, warn } = this.#options;
    try {
      this.#content = await this.#read(file);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return;
      const before = await this.#read(last).catch(() => undefined); // That there is none either is told below.
      this.#damaged = before === undefined;
      this.#fromLast = before !== undefined;
      this.#content = before ?? this.#content;
      const instead = before === undefined ? without : 'its previous version is used';
      warn(`cannot read ${file}, so ${instead}: ${messageOf(error)}`);
    }
  }

  async #read(path: string): Promise<T> {
    const content = this.#options.schema.parse(JSON.parse(await readFile(path, 'utf8')));
    // A copy or a restored backup may have left it open to others.
    if (((await stat(path)).mode & 0o077) !== 0) await chmod(path, 0o600);
    return content;
  }
}
