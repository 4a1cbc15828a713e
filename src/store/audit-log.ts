import { createReadStream } from 'node:fs';
import { mkdir, open as openFile, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as immediately } from 'node:timers/promises';
import { createInterface } from 'node:readline';
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

/** What the log knows of itself, beside its parts: cut off at its end, it would look whole. */
interface Head {
  /** The first entry that is kept, and the last that was written. */
  first: number;
  last: number;
  hash: string;
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
  #waiting: { n: number; line: string; hash: string }[] = [];
  /** The part that is written to, and how much of it is whole; a failed write may have left a piece of a line behind that. */
  #part: { name: string; size: number } | undefined;
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

  /** The log in a folder, which goes on where it ended. */
  static async open(folder: string, options: AuditLogOptions): Promise<AuditLog> {
    const log = new AuditLog(folder, options);
    try {
      await log.#load();
    } catch (error) {
      options.warn(`the audit log cannot be read: ${messageOf(error)}`);
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
    this.#waiting.push({ n, line, hash });
    void this.flush();
  }

  /** Gives the files to another server: nothing is written after this. */
  async handOver(): Promise<void> {
    this.#late ??= [];
    await this.close();
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
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const names = await this.#parts();
    const newest = names.at(-1);
    const stored = await readFile(join(this.#folder, HEAD), 'utf8').catch(ifMissing);
    if (stored !== undefined) this.#head = JSON.parse(stored) as Head;
    this.#last = { n: this.#head.last, hash: this.#head.hash };
    if (newest === undefined) return;
    const path = join(this.#folder, newest);
    const text = await readFile(path, 'utf8');
    // What a crash has left of a line is nothing that was promised.
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    this.#part = { name: newest, size: Buffer.byteLength(whole) };
    const last = open(whole.trimEnd().split('\n').at(-1) ?? '');
    // After a crash the lines may be ahead of the head, and never behind it.
    if (last !== undefined && last.n >= this.#head.last) this.#last = { n: last.n, hash: last.hash };
    if (stored === undefined)
      this.#options.warn('the audit log has lost its head.json; run "streamlit-host audit verify"');
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

  async #write(batch: readonly { n: number; line: string; hash: string }[]): Promise<void> {
    const [first, last] = [batch[0], batch.at(-1)];
    if (first === undefined || last === undefined) return;
    if (this.#part === undefined || this.#part.size > this.#options.maxBytes)
      this.#part = { name: `${String(first.n).padStart(12, '0')}.jsonl`, size: 0 };
    const bytes = Buffer.from(batch.map(({ line }) => `${line}\n`).join(''));
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const file = await openFile(join(this.#folder, this.#part.name), 'a', 0o600);
    try {
      if ((await file.stat()).size > this.#part.size) await file.truncate(this.#part.size);
      await file.appendFile(bytes);
    } finally {
      await file.close();
    }
    const begins = this.#part.size === 0;
    this.#part.size += bytes.length;
    this.#head = { ...this.#head, last: last.n, hash: last.hash };
    if (begins) await this.#dropOldest();
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
