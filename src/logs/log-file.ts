import { appendFileSync, closeSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { appendFile, open, rename, rm, stat, truncate, type FileHandle } from 'node:fs/promises';
import { hasCode } from '../errors.js';
import { readAll } from './backwards.js';

/** How much is copied at once, in bytes. */
const BLOCK = 256 * 1024;

/** How much is kept, in bytes, of what was written while the file was copied. */
const MAX_REST = BLOCK;

/** Children and the platform write here; other users of the machine need not read it. */
const MODE = 0o640;

/**
 * A log on disk: stamped lines of the platform, and what children print, which write to it by themselves, so that their
 * output survives the platform. Its folder must exist.
 */
export class LogFile {
  readonly path: string;
  readonly #maxBytes: number;
  readonly #keep: number;
  #pending = '';
  #written: Promise<void> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /**
   * @param options.maxBytes when it is rotated, in bytes; 10 MiB unless told
   * @param options.keep how many older parts (`.1`, `.2` …) are kept; 1 unless told
   */
  constructor(path: string, options: { maxBytes?: number; keep?: number } = {}) {
    this.path = path;
    this.#maxBytes = options.maxBytes ?? 10 * 1024 * 1024;
    this.#keep = options.keep ?? 1;
  }

  /** Writes a text, each of its lines after the time, in the order of the calls. Resolves when it is written. */
  append(text: string): Promise<void> {
    const time = `[${new Date().toISOString()}] `;
    this.#pending += text
      .replace(/\r?\n$/, '')
      .split(/\r?\n/)
      .map((line) => `${time}${line}\n`)
      .join('');
    // Calls that come while the file is busy are written together.
    this.#written ??= this.#inTurn(async () => {
      const lines = this.#pending;
      this.#pending = '';
      this.#written = undefined;
      await appendFile(this.path, lines, { mode: MODE });
    });
    return this.#written;
  }

  /** Writes what a child has printed on another machine, as it is. */
  take(output: Buffer): Promise<void> {
    return this.#inTurn(() => appendFile(this.path, output, { mode: MODE }));
  }

  /** The file for a child's stdout and stderr: its `fd` writes at the end. The caller closes it after the start. */
  openForChild(): Promise<FileHandle> {
    return open(this.path, 'a', MODE);
  }

  /**
   * Where the file has grown too large, moves it to `.1` and starts a new one; to be called every second. Children hold
   * the file open, so it is copied and emptied; what a child writes in the instant between the two is lost. Of a flood only
   * the last part is kept, and where the disk is full, nothing is.
   * @param options.most how many bytes of it are kept at most, from its end; as many as fit unless given
   * @returns whether it was rotated
   */
  rotateIfLarge({ most }: { most?: number } = {}): Promise<boolean> {
    return this.#inTurn(async () => {
      const size = await sizeOf(this.path);
      if (size <= this.#maxBytes) return false;
      const copied = this.#keep > 0 ? await this.#keepPart(size, most) : undefined;
      if (copied === undefined) await truncate(this.path, 0);
      else emptyWithRest(this.path, `${this.path}.1`, copied);
      return true;
    });
  }

  /** @returns up to which byte the file was copied; undefined where the disk is full */
  async #keepPart(size: number, most: number | undefined): Promise<number | undefined> {
    const from = most !== undefined ? Math.max(0, size - most) : size > 2 * this.#maxBytes ? size - this.#maxBytes : 0;
    const draft = `${this.path}.new`;
    try {
      const copied = await copyEnd(this.path, draft, from, 2 * this.#maxBytes);
      for (let part = this.#keep; part > 1; part -= 1)
        await renameIfThere(`${this.path}.${part - 1}`, `${this.path}.${part}`);
      await rename(draft, `${this.path}.1`);
      return copied;
    } catch (error) {
      await rm(draft, { force: true });
      // It must not stay large because the disk is full: it may be what fills it.
      if (!hasCode(error, 'ENOSPC') && !hasCode(error, 'EDQUOT')) throw error;
      return undefined;
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work, work);
    // The next one does not care how this one ended; its caller does.
    this.#turn = mine.catch(() => undefined);
    return mine;
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 0;
    throw error;
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

/**
 * Empties a file, of which what was written since it was copied is kept as well: the end of a flood is often the reason for it. All
 * in one go, since a child goes on writing meanwhile.
 * @param copied up to which byte `to` has it
 */
function emptyWithRest(path: string, to: string, copied: number): void {
  const source = openSync(path, 'r+');
  try {
    const { size } = fstatSync(source);
    const rest = Buffer.alloc(Math.min(Math.max(0, size - copied), MAX_REST));
    const read = readSync(source, rest, 0, rest.length, size - rest.length);
    try {
      if (read > 0) appendFileSync(to, rest.subarray(0, read));
    } finally {
      ftruncateSync(source, 0);
    }
  } catch (error) {
    if (!hasCode(error, 'ENOSPC') && !hasCode(error, 'EDQUOT')) throw error;
  } finally {
    closeSync(source);
  }
}

/**
 * Copies a file from an offset (if not 0, from the next line's beginning) to its end, at most so many bytes.
 * @returns up to which byte
 */
async function copyEnd(path: string, to: string, from: number, most: number): Promise<number> {
  const source = await open(path, 'r');
  try {
    const target = await open(to, 'w', MODE);
    try {
      const block = Buffer.allocUnsafe(BLOCK);
      let position = from;
      while (position - from < most) {
        const bytes = block.subarray(0, await readAll(source, block, position));
        if (bytes.length === 0) break;
        const begin = position === from && from > 0 ? bytes.indexOf(0x0a) + 1 : 0;
        // Where no other line follows, the end of this one is better than nothing.
        await target.writeFile(bytes.subarray(begin < bytes.length ? begin : 0));
        position += bytes.length;
      }
      return position;
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}
