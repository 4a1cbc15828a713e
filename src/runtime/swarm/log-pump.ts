import { closeSync, openSync, readFileSync, readSync, statSync, writeSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { hasCode } from '../../errors.js';
import { LogFile } from '../../logs/log-file.js';

/** The digits of a number in the file of a position. */
const DIGITS = 16;

/** How far an instance's output is in its log. */
interface Position {
  /** How many bytes of the output were in the log before the last write was begun. */
  offset: number;
  /** How large the log was then. */
  size: number;
  /** How many bytes the write had. */
  length: number;
}

/**
 * Brings the output of an instance on another machine into its log, no line twice and none left out, even where the server is
 * killed at any moment: before each write, a file beside the log's says what is about to be written, and where.
 */
export class LogPump {
  /** How many bytes of the output are in the log. */
  offset: number;
  readonly #log: LogFile;
  readonly #place: string;
  /** What may be in the log already, where the server was killed. */
  #doubtful: Position | undefined;

  private constructor(log: LogFile, place: string, position: Position) {
    this.#log = log;
    this.#place = place;
    this.offset = position.offset;
    this.#doubtful = position.length > 0 ? position : undefined;
  }

  /** @param place of the file with the position */
  static async begin(log: LogFile, place: string): Promise<LogPump> {
    const position = { offset: 0, size: 0, length: 0 };
    await writeFile(place, `${digitsOf(position)}${log.path}`, { mode: 0o600 });
    return new LogPump(log, place, position);
  }

  /** Goes on where an earlier server was. @returns undefined where that had not begun */
  static resume(place: string): LogPump | undefined {
    try {
      const text = readFileSync(place, 'utf8');
      const [offset = NaN, size = NaN, length = NaN] = [0, 1, 2].map((at) =>
        Number(text.slice(at * DIGITS, (at + 1) * DIGITS)),
      );
      const path = text.slice(3 * DIGITS);
      if (path === '' || ![offset, size, length].every(Number.isSafeInteger)) return undefined;
      return new LogPump(new LogFile(path), place, { offset, size, length });
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** Writes a part of the output. @param offset how much came before it */
  async write(offset: number, part: Buffer): Promise<void> {
    const lost = offset - this.offset;
    if (lost > 0) await this.#log.append(`${lost} bytes of output were lost while the server was not connected`);
    let rest = lost > 0 ? part : part.subarray(Math.min(-lost, part.length));
    this.offset = Math.max(offset, this.offset);
    const { path } = this.#log;
    const doubtful = lost <= 0 && rest.length > 0 ? this.#doubtful : undefined;
    if (doubtful !== undefined) {
      const written = lengthWritten(path, doubtful, rest);
      // Its parts are cut differently the second time.
      const left = written === rest.length ? doubtful.length - written : 0;
      this.#doubtful = left > 0 ? { ...doubtful, length: left } : undefined;
      rest = rest.subarray(written);
      this.offset += written;
    }
    if (rest.length === 0) return;
    this.#remember({ offset: this.offset, size: sizeOf(path), length: rest.length });
    await this.#log.take(rest);
    this.offset += rest.length;
  }

  /** Takes what comes before an offset for written. */
  skip(offset: number): void {
    this.offset = Math.max(this.offset, offset);
    this.#doubtful = undefined;
  }

  /** Remembers no position any more: the instance is over. */
  async forget(): Promise<void> {
    await rm(this.#place, { force: true });
  }

  /** In one write, which happens or does not. */
  #remember(position: Position): void {
    const file = openSync(this.#place, 'r+');
    try {
      writeSync(file, digitsOf(position), 0);
    } finally {
      closeSync(file);
    }
  }
}

function digitsOf({ offset, size, length }: Position): string {
  return [offset, size, length].map((one) => String(one).padStart(DIGITS, '0')).join('');
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** How many bytes of a part are in the log behind a position. The server's own lines may stand before and after them. */
function lengthWritten(path: string, { size, length }: Position, part: Buffer): number {
  const now = sizeOf(path);
  // It was rotated: that does not happen while something is written.
  if (now <= size) return 0;
  const tail = Buffer.alloc(Math.min(now - size, length + 64 * 1024));
  const file = openSync(path, 'r');
  try {
    readSync(file, tail, 0, tail.length, size);
  } finally {
    closeSync(file);
  }
  const wanted = part.subarray(0, length);
  let most = 0;
  for (let at = 0; at >= 0 && at < tail.length; at = tail.indexOf(0x0a, at) + 1 || -1) {
    most = Math.max(most, commonLength(tail.subarray(at), wanted));
  }
  // The beginning of a line of the server's own may be the same by chance; what is cut off stands at the end.
  return most === wanted.length || tail.subarray(tail.length - most).equals(wanted.subarray(0, most)) ? most : 0;
}

function commonLength(one: Buffer, other: Buffer): number {
  const most = Math.min(one.length, other.length);
  let length = 0;
  while (length < most && one[length] === other[length]) length += 1;
  return length;
}
