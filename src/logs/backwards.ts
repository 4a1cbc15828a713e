import { open, type FileHandle } from 'node:fs/promises';
import { hasCode } from '../errors.js';

/** How much is read at once, in bytes. */
const BLOCK = 64 * 1024;

/** The most of one line that is kept while its beginning is looked for, in bytes. */
const KEEP = 64 * 1024;

/** Whole lines of a file that follow each other, without the last newline. Valid until the next piece is asked for. */
export interface Piece {
  /** Where they begin in the file, in bytes. */
  start: number;
  bytes: Buffer;
  /** True where this is only the end of one line, because the reading ended within it. */
  partial: boolean;
}

/** A file opened to be read from its end. */
export interface Backwards {
  /** Its length when it was opened, in bytes. */
  size: number;
  /** The lines before this offset, the last ones first. @param stopAt the first byte that may be read */
  pieces: (before: number, stopAt: number) => AsyncGenerator<Piece, void, undefined>;
}

/**
 * Reads a file from its end, block by block, in constant memory: a line that is longer than what is kept loses its end.
 * @returns undefined where there is no such file
 */
export async function readBackwards<T>(path: string, work: (file: Backwards) => Promise<T>): Promise<T | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    const { size } = await handle.stat();
    return await work({
      size,
      pieces: (before, stopAt) => piecesOf(handle, Math.min(before, size), Math.max(stopAt, 0)),
    });
  } finally {
    await handle.close();
  }
}

/** The lines of a piece, the last one first. */
export function* linesOf(piece: Piece): Generator<Piece, void, undefined> {
  const { start, bytes, partial } = piece;
  for (let end = bytes.length; end >= 0;) {
    const newline = end === 0 ? -1 : bytes.lastIndexOf(0x0a, end - 1);
    yield { start: start + newline + 1, bytes: bytes.subarray(newline + 1, end), partial };
    if (newline === -1) return;
    end = newline;
  }
}

async function* piecesOf(handle: FileHandle, before: number, stopAt: number): AsyncGenerator<Piece, void, undefined> {
  const block = Buffer.allocUnsafe(BLOCK);
  let position = before;
  // The end of a line whose beginning is not found yet; undefined before anything was read.
  let rest: Buffer | undefined;
  while (position > stopAt) {
    const from = Math.max(position - BLOCK, stopAt);
    let bytes = block.subarray(0, await readAll(handle, block.subarray(0, position - from), from));
    // A newline at the very end closes the last line; it does not begin one more.
    if (rest === undefined && bytes.at(-1) === 0x0a) bytes = bytes.subarray(0, -1);
    rest ??= Buffer.alloc(0);
    const first = bytes.indexOf(0x0a);
    if (first !== -1) {
      const last = bytes.lastIndexOf(0x0a);
      yield { start: from + last + 1, bytes: join(bytes.subarray(last + 1), rest), partial: false };
      if (first < last) yield { start: from + first + 1, bytes: bytes.subarray(first + 1, last), partial: false };
      rest = Buffer.alloc(0);
      bytes = bytes.subarray(0, first);
    }
    rest = Buffer.from(join(bytes, rest));
    position = from;
  }
  if (rest === undefined) return;
  if (position === 0) yield { start: 0, bytes: rest, partial: false };
  else if (rest.length > 0) yield { start: position, bytes: rest, partial: true };
}

/** Both parts as one, or of a line that is too long only its beginning. */
function join(head: Buffer, tail: Buffer): Buffer {
  if (tail.length === 0) return head;
  return Buffer.concat([head, tail.subarray(0, Math.max(0, KEEP - head.length))]);
}

/** Fills the buffer from the file, as far as the file goes. @returns how many bytes */
export async function readAll(handle: FileHandle, buffer: Buffer, position: number): Promise<number> {
  let done = 0;
  while (done < buffer.length) {
    const { bytesRead } = await handle.read(buffer, done, buffer.length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}
