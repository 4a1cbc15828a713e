import { watch, type FSWatcher } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../errors.js';
import { readAll } from './backwards.js';
import { plainBytes } from './lines.js';

/** How much is read, and so handed over, at once, in bytes. */
const BLOCK = 64 * 1024;

/** How many bytes before the offset are remembered, to know the file again: emptied, it may have grown since. */
const MARK = 64;

/** How often (ms) a line that is drawn again and again is handed over at most. */
const REDRAW_MS = 250;

/** What draws a line again from its beginning, such as a progress bar. */
const RETURN = 0x0d;

const EMPTY = Buffer.alloc(0);

/** What was added to a log. */
export interface Added {
  /** Whole, plain lines, each ended by a newline; none where only the last line was drawn again. */
  text: string;
  /** What a line shows now that is drawn again and again, and has no newline yet, such as a progress bar. */
  redrawn?: string;
  /** Where to go on after them, in bytes. */
  offset: number;
}

export interface FollowOptions {
  /** The offset to begin at: that of a tail, or of what was added last. */
  from: number;
  /** Ends it at once. */
  signal: AbortSignal;
  /** How often (ms) the file is looked at even when the system reports no change. */
  pollMs?: number;
}

/**
 * Whatever is added to a file, as it is added, until the signal ends it. The file need not exist yet; where it was
 * rotated (emptied), it goes on with the new beginning. What was not taken yet stays in the file, so that a slow reader
 * costs nothing.
 */
export async function* follow(path: string, options: FollowOptions): AsyncGenerator<Added, void, undefined> {
  const { signal, pollMs = 1_000 } = options;
  const bell = new Bell(path, signal, pollMs);
  const buffer = Buffer.allocUnsafe(MARK + BLOCK);
  let offset = options.from;
  let mark = EMPTY;
  // True while the end of a line that is longer than a block goes by.
  let skipping = false;
  let redrawn: string | undefined;
  try {
    if (offset > 0) {
      const start = Math.max(0, offset - MARK);
      mark = Buffer.from((await readAt(path, buffer.subarray(0, offset - start), start)) ?? EMPTY);
      if (mark.length < offset - start) [offset, mark] = [0, EMPTY];
    }
    while (!signal.aborted) {
      const bytes = await readAt(path, buffer.subarray(0, mark.length + BLOCK), offset - mark.length);
      const same = bytes !== undefined && bytes.subarray(0, mark.length).equals(mark);
      if (!same && offset > 0) {
        // It was emptied, or is gone: what comes next comes at its beginning.
        [offset, mark, skipping] = [0, EMPTY, false];
        continue;
      }
      const step: Step | undefined = same ? take(bytes.subarray(mark.length), skipping) : undefined;
      if (same && step !== undefined) {
        offset += step.used;
        mark = Buffer.from(bytes.subarray(0, mark.length + step.used).subarray(-MARK));
        skipping = step.skipping;
        redrawn = undefined;
        if (step.text !== '') yield { text: step.text, offset };
        continue;
      }
      const shown = same && !skipping ? redrawnIn(bytes.subarray(mark.length)) : undefined;
      if (shown === undefined || shown === redrawn) {
        await bell.rings();
        continue;
      }
      redrawn = shown;
      yield { text: '', redrawn, offset };
      await pause(REDRAW_MS, signal);
    }
  } finally {
    bell.close();
  }
}

/** One step through the file. */
interface Step {
  /** How many bytes were taken. */
  used: number;
  text: string;
  skipping: boolean;
}

/** What can be handed over of these bytes; undefined while no line is complete. */
function take(bytes: Buffer, skipping: boolean): Step | undefined {
  const end = bytes.lastIndexOf(0x0a) + 1;
  if (end > 0) {
    return { used: end, text: plainText(bytes.subarray(skipping ? bytes.indexOf(0x0a) + 1 : 0, end)), skipping: false };
  }
  if (skipping && bytes.length > 0) return { used: bytes.length, text: '', skipping: true };
  if (bytes.length < BLOCK) return undefined;
  // What was drawn over is as good as gone.
  const start = bytes.lastIndexOf(RETURN, Math.max(0, endOf(bytes) - 1));
  if (start > 0) return { used: start, text: '', skipping: false };
  return { used: bytes.length, text: `${plainBytes(bytes)}\n`, skipping: true };
}

/** What an unfinished line shows that was drawn more than once; undefined where it was not. */
function redrawnIn(bytes: Buffer): string | undefined {
  const end = endOf(bytes);
  // A return at the end may be the first half of the line's end.
  return bytes.subarray(0, end).includes(RETURN) ? plainBytes(bytes) : undefined;
}

/** Where bytes end but for the returns behind them. */
function endOf(bytes: Buffer): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === RETURN) end -= 1;
  return end;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** @returns undefined where there is no such file */
async function readAt(path: string, buffer: Buffer, position: number): Promise<Buffer | undefined> {
  try {
    const handle = await open(path, 'r');
    try {
      return buffer.subarray(0, await readAll(handle, buffer, position));
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function plainText(bytes: Buffer): string {
  let text = '';
  for (let start = 0; start < bytes.length;) {
    const newline = bytes.indexOf(0x0a, start);
    text += `${plainBytes(bytes.subarray(start, newline))}\n`;
    start = newline + 1;
  }
  return text;
}

/** Rings when the file may have changed: by the system's notice, after a while in any case, and at the end. */
class Bell {
  readonly #watcher: FSWatcher | undefined;
  readonly #signal: AbortSignal;
  readonly #pollMs: number;
  readonly #ring = (): void => {
    this.#rang = true;
    this.#wake?.();
  };
  #rang = false;
  #wake: (() => void) | undefined;

  constructor(path: string, signal: AbortSignal, pollMs: number) {
    this.#signal = signal;
    this.#pollMs = pollMs;
    signal.addEventListener('abort', this.#ring);
    try {
      // The folder, not the file: the file may come later.
      this.#watcher = watch(dirname(path), (_event, name) => {
        if (name === null || name === basename(path)) this.#ring();
      });
      // Without the system's notices the polling is enough.
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      // There is no folder yet, or no watcher is left: the polling is enough.
      this.#watcher = undefined;
    }
  }

  /** Resolves when it rings, or has rung since the last time. */
  async rings(): Promise<void> {
    if (!this.#rang && !this.#signal.aborted) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, this.#pollMs);
      });
      clearTimeout(timer);
      this.#wake = undefined;
    }
    this.#rang = false;
  }

  close(): void {
    this.#signal.removeEventListener('abort', this.#ring);
    this.#watcher?.close();
  }
}
