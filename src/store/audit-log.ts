import { createReadStream } from 'node:fs';
import { open as openFile, readdir, readFile, rename, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as immediately } from 'node:timers/promises';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { ensureFolder } from '../lib/ensure-folder.js';
import { BEGINNING, open, read, seal, type AuditEntry, type Happening } from '../domain/access/audit.js';
import { hasCode, messageOf } from '../errors.js';
import { replaceFile } from '../lib/replace-file.js';
import { linesOf, readBackwards } from '../logs/backwards.js';

/** When a part is full, in bytes. */
const MAX_BYTES = 10 * 1024 * 1024;

/** How many parts are kept. */
const KEEP = 20;

/** The most entries that wait for a disk that takes none; later ones are lost, and that is said. */
const MAX_WAITING = 10_000;

/** How many lines are searched at once. */
const AT_ONCE = 500;

/** How long (ms) entries that were written may be in the machine's memory alone. */
const SETTLE_MS = 1_000;

/** What the log knows of itself. */
const HEAD = 'head.json';

/** How many are written at once. */
const BATCH = 1_000;

export interface AuditLogOptions {
  /** Called with what could not be read or written. */
  warn: (sentence: string) => void;
  maxBytes?: number;
  keep?: number;
  now?: () => number;
}

/** What a look at the whole chain has found. */
export interface Verified {
  /** How many entries there are; the first one that is kept, and the last. */
  entries: number;
  first: number;
  last: number;
  /** The hash of the last entry: a person who keeps it elsewhere can show later that nothing before it was changed. */
  hash: string;
  /** What is wrong, in one sentence; undefined where nothing is. */
  problem: string | undefined;
}

const headSchema = z.object({
  /** The first entry that is kept, and the last that was written. */
  first: z.number().int().positive(),
  last: z.number().int().nonnegative(),
  hash: z.string(),
});

/** What the log knows of itself, beside its parts: cut off at its end, it would look whole. */
type Head = z.infer<typeof headSchema>;

/** An entry on its way to the disk. */
interface Waiting {
  n: number;
  line: string;
  hash: string;
  happening: Happening;
}

/**
 * Who did what, in files of JSON lines that are only ever appended to. Each entry holds the hash of the one before, so that a
 * changed or a missing one is found. A part is named after its first entry; the oldest part goes when there are too many.
 */
export class AuditLog {
  readonly #folder: string;
  readonly #options: Required<AuditLogOptions>;
  #head: Head = { first: 1, last: 0, hash: BEGINNING };
  /** The last entry that was sealed, written or not. */
  #last = { n: 0, hash: BEGINNING };
  #waiting: Waiting[] = [];
  /** The part that is written to, and how much of it is whole; a failed write may have left a piece of a line behind that. */
  #part: { name: string; size: number; made: boolean } | undefined;
  #writing: Promise<void> | undefined;
  #settling: NodeJS.Timeout | undefined;
  /** Who writes now, once another server does. */
  #heir: ((happening: Happening) => void) | undefined;
  /** What came since, until that is known. */
  #late: Happening[] | undefined;

  private constructor(folder: string, options: AuditLogOptions) {
    this.#folder = folder;
    this.#options = { maxBytes: MAX_BYTES, keep: KEEP, now: Date.now, ...options };
  }

  /** The log in a folder, which goes on where it ended. Files that cannot be continued are moved aside. */
  static async open(folder: string, options: AuditLogOptions): Promise<AuditLog> {
    const log = new AuditLog(folder, options);
    try {
      await log.#load();
    } catch (error) {
      await log.#putAside(error);
    }
    return log;
  }

  /** Adds an entry. It is written soon, in the order of the calls. */
  append(happening: Happening): void {
    if (this.#heir !== undefined) return this.#heir(happening);
    if (this.#late !== undefined) return void this.#late.push(happening);
    if (this.#waiting.length >= MAX_WAITING) return;
    const n = this.#last.n + 1;
    const { line, hash } = seal(n, new Date(this.#options.now()), happening, this.#last.hash);
    this.#last = { n, hash };
    this.#waiting.push({ n, line, hash, happening });
    void this.flush();
  }

  /** Gives the files to another server: nothing is written after this. */
  async handOver(): Promise<void> {
    this.#late ??= [];
    await this.close();
    // What the disk has not taken is sealed by the other server: by then, the chain goes on there.
    this.#late.unshift(...this.#waiting.map(({ happening }) => happening));
    this.#waiting = [];
  }

  /** Has everything on the disk. */
  async close(): Promise<void> {
    await this.flush();
    if (this.#settling !== undefined) await this.#settle();
  }

  /** Passes on what still comes to who writes now. */
  passTo(heir: (happening: Happening) => void): void {
    this.#heir = heir;
    for (const happening of this.#late ?? []) heir(happening);
    this.#late = undefined;
  }

  /** Resolves when everything is written, or the disk takes no more. */
  flush(): Promise<void> {
    this.#writing ??= this.#writeAll();
    return this.#writing;
  }

  /**
   * All entries, the newest first.
   * @param options.before the entry to begin before; with the newest unless given @param options.words what the line must contain
   */
  async *entries(options: { before?: number | undefined; words?: readonly string[] } = {}): AsyncGenerator<AuditEntry> {
    const { before = Infinity, words = [] } = options;
    await this.flush();
    let seen = 0;
    for (const name of (await this.#parts()).reverse()) {
      if (Number.parseInt(name, 10) >= before) continue;
      for (const line of await linesFromEnd(join(this.#folder, name))) {
        // A long search must not keep everybody else waiting.
        if ((seen += 1) % AT_ONCE === 0) await immediately();
        const entry = words.every((word) => line.toLowerCase().includes(word)) ? read(line) : undefined;
        if (entry !== undefined && entry.n < before) yield entry;
      }
    }
  }

  /** The files of the log, the oldest first. */
  async files(): Promise<string[]> {
    await this.flush();
    return (await this.#parts()).map((name) => join(this.#folder, name));
  }

  /** Looks at every entry: whether one was changed, or is missing. */
  async verify(): Promise<Verified> {
    await this.flush();
    const head = this.#head;
    const found: Verified = { entries: 0, first: head.first, last: head.last, hash: head.hash, problem: undefined };
    let expected = head.first;
    let prev: string | undefined = head.first === 1 ? BEGINNING : undefined;
    const kept = (await this.#parts()).filter((name) => Number.parseInt(name, 10) >= head.first);
    for (const path of kept.map((name) => join(this.#folder, name))) {
      for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
        const entry = open(line);
        if (entry === undefined) return { ...found, problem: `Entry ${expected} was changed.` };
        if (entry.n !== expected) return { ...found, problem: missing(expected, entry.n - 1) };
        if (prev !== undefined && entry.prev !== prev)
          return { ...found, problem: `An entry before entry ${expected} was changed.` };
        if (entry.n === head.last && entry.hash !== head.hash)
          return { ...found, problem: `Entry ${expected} was changed.` };
        prev = entry.hash;
        expected += 1;
        found.entries += 1;
      }
    }
    return expected <= head.last ? { ...found, problem: missing(expected, head.last) } : found;
  }

  async #load(): Promise<void> {
    await ensureFolder(this.#folder, 0o700);
    const names = await this.#parts();
    const stored = await this.#readHead(names.length > 0);
    let last: AuditEntry | undefined;
    const cut: { path: string; size: number }[] = [];
    for (const name of names.toReversed()) {
      const path = join(this.#folder, name);
      const end = await endOf(path);
      if (end.rest > 0) cut.push({ path, size: end.size });
      // The newest one is written to; a crash may have left it without an entry.
      this.#part ??= { name, size: end.size, made: true };
      last = end.last;
      if (end.size > 0) break;
    }
    if (stored === undefined && names.length > 0 && last === undefined) throw new Error('its last entry was changed');
    const first = Number.parseInt(names[0] ?? '1', 10);
    this.#head = stored ?? (last === undefined ? this.#head : { first, last: last.n, hash: last.hash });
    this.#last = { n: this.#head.last, hash: this.#head.hash };
    // After a crash the lines may be ahead of the head, and never behind it.
    if (last !== undefined && last.n >= this.#head.last) this.#last = { n: last.n, hash: last.hash };
    // Now: where that part is full, the next entry goes to another one.
    for (const { path, size } of cut)
      await truncate(path, size).catch((error: unknown) => {
        this.#options.warn(`the audit log cannot be written: ${messageOf(error)}`);
      });
  }

  /** @returns undefined where the parts have to say it, as after a restore */
  async #readHead(expected: boolean): Promise<Head | undefined> {
    try {
      return headSchema.parse(JSON.parse(await readFile(join(this.#folder, HEAD), 'utf8')));
    } catch (error) {
      if (expected || !hasCode(error, 'ENOENT'))
        this.#options.warn(
          'the audit log has no valid head.json, as after a restore; run "streamlit-host audit verify"',
        );
      return undefined;
    }
  }

  /** Begins a new log; the files of the one that cannot be continued are kept. */
  async #putAside(error: unknown): Promise<void> {
    const { now, warn } = this.#options;
    this.#part = undefined;
    const place = `${this.#folder}.unreadable-${new Date(now()).toISOString().replace(/\W/g, '')}`;
    const reason = `the audit log cannot be read: ${messageOf(error)}`;
    try {
      await rename(this.#folder, place);
      warn(`${reason}; it was moved to ${place}, and a new one begins`);
    } catch (problem) {
      warn(`${reason}; it cannot be moved to ${place}: ${messageOf(problem)}`);
    }
  }

  /** Ends in the tick in which nothing waits any more: what comes later is written by another call. */
  async #writeAll(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, BATCH);
      try {
        await this.#write(batch);
      } catch (error) {
        const lost = this.#waiting.length >= MAX_WAITING ? ' Further entries are lost.' : '';
        this.#options.warn(`the audit log cannot be written: ${messageOf(error)}.${lost}`);
        break;
      }
      this.#waiting = this.#waiting.slice(batch.length);
    }
    this.#writing = undefined;
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    const [first, last] = [batch[0], batch.at(-1)];
    if (first === undefined || last === undefined) return;
    if (this.#part === undefined || this.#part.size > this.#options.maxBytes)
      this.#part = { name: `${String(first.n).padStart(12, '0')}.jsonl`, size: 0, made: false };
    const bytes = Buffer.from(batch.map(({ line }) => `${line}\n`).join(''));
    await ensureFolder(this.#folder, 0o700);
    // A part that is there already holds what somebody else has written.
    const file = await openFile(join(this.#folder, this.#part.name), this.#part.made ? 'a' : 'ax', 0o600);
    try {
      this.#part.made = true;
      if ((await file.stat()).size > this.#part.size) await file.truncate(this.#part.size);
      await file.appendFile(bytes);
    } finally {
      await file.close();
    }
    const begins = this.#part.size === 0;
    this.#part.size += bytes.length;
    this.#head = { ...this.#head, last: last.n, hash: last.hash };
    if (begins)
      await this.#dropOldest().catch((error: unknown) => {
        // The entries are written all the same.
        this.#options.warn(`old parts of the audit log cannot be deleted: ${messageOf(error)}`);
      });
    this.#settling ??= setTimeout(() => void this.#settle(), SETTLE_MS).unref();
  }

  /**
   * Has the entries on the disk itself, and then notes the last of them: after a crash of the machine, entries that are not noted
   * are fine, and noted ones that are not there would look as if somebody had cut them off.
   */
  async #settle(): Promise<void> {
    clearTimeout(this.#settling);
    this.#settling = undefined;
    const head = { ...this.#head };
    try {
      if (this.#part === undefined) return;
      const file = await openFile(join(this.#folder, this.#part.name), 'r+');
      await file.datasync().finally(() => file.close());
      await replaceFile(join(this.#folder, HEAD), `${JSON.stringify(head)}\n`, { mode: 0o600 });
    } catch (error) {
      this.#options.warn(`the audit log cannot be written: ${messageOf(error)}`);
    }
  }

  /** Notes first what will be gone, so that it is not missed. */
  async #dropOldest(): Promise<void> {
    const names = await this.#parts();
    const old = names.slice(0, Math.max(0, names.length - this.#options.keep));
    if (old.length === 0) return;
    this.#head = { ...this.#head, first: Number.parseInt(names[old.length] ?? '', 10) };
    await this.#settle();
    for (const name of old) await rm(join(this.#folder, name), { force: true });
  }

  async #parts(): Promise<string[]> {
    const names = (await readdir(this.#folder).catch(ifMissing)) ?? [];
    return names.filter((name) => /^\d{12}\.jsonl$/.test(name)).sort();
  }
}

/** Where the last whole line of a part ends, and its entry. The rest of it, in bytes, is what a crash has left of a line: nothing that was promised. */
async function endOf(path: string): Promise<{ size: number; rest: number; last: AuditEntry | undefined }> {
  const bytes = await readFile(path);
  const size = bytes.lastIndexOf('\n') + 1;
  const whole = bytes.subarray(0, Math.max(0, size - 1));
  return { size, rest: bytes.length - size, last: open(whole.subarray(whole.lastIndexOf('\n') + 1).toString()) };
}

/** The lines of a file, the last one first. */
async function linesFromEnd(path: string): Promise<string[]> {
  const found = await readBackwards(path, async ({ size, pieces }) => {
    const lines: string[] = [];
    for await (const piece of pieces(size, 0)) for (const { bytes } of linesOf(piece)) lines.push(bytes.toString());
    return lines;
  });
  return found ?? [];
}

function missing(from: number, to: number): string {
  return from === to ? `Entry ${from} is missing.` : `Entries ${from} to ${to} are missing.`;
}

function ifMissing(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT')) throw error;
}
