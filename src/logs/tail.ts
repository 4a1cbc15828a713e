import { linesOf, readBackwards, type Piece } from './backwards.js';
import { plainBytes } from './lines.js';

/** How far back a log is looked through, in bytes: further than what is kept of it, for the sake of lines without end. */
const MAX_SCAN = 32 * 1024 * 1024;

/** The end of a log. */
export interface Tail {
  /** Plain lines, the oldest first; the last one may be one that is still being written. */
  lines: string[];
  /** Where the reading ended, in bytes: where `follow` goes on without a gap. */
  offset: number;
  /** True where the file holds more before these lines. */
  truncated: boolean;
}

/**
 * The last lines of a file, read from its end: it costs the same whatever the file's size. One that does not exist is
 * empty.
 * @param count how many lines at most
 * @param options.maxBytes how much of it is kept at most; 4 MiB unless told
 * @param options.maxScan how far back is looked at most, for lines that are longer than what is kept of them; 32 MiB unless told
 */
export async function tail(
  path: string,
  count: number,
  options: { maxBytes?: number; maxScan?: number } = {},
): Promise<Tail> {
  const { maxBytes = 4 * 1024 * 1024 } = options;
  const found = await readBackwards(path, async ({ size, pieces }): Promise<Tail> => {
    const result: Tail = { lines: [], offset: size, truncated: count <= 0 && size > 0 };
    if (count <= 0) return result;
    let kept = 0;
    reading: for await (const piece of pieces(size, size - Math.max(maxBytes, options.maxScan ?? MAX_SCAN))) {
      for (const line of linesOf(piece)) {
        result.truncated = line.partial || result.lines.length === count || kept >= maxBytes;
        kept += line.bytes.length + 1;
        // Half a line is better than nothing, but only then.
        if (result.truncated && result.lines.length > 0) break reading;
        const half = result.lines.length === 0 ? halfCharacter(line, size) : 0;
        result.offset -= half;
        result.lines.push(plainBytes(line.bytes.subarray(0, line.bytes.length - half)));
      }
    }
    result.lines.reverse();
    return result;
  });
  return found ?? { lines: [], offset: 0, truncated: false };
}

/** How many bytes at the file's end begin a UTF-8 character that is not complete yet: the follower gets it whole. */
function halfCharacter({ start, bytes }: Piece, size: number): number {
  if (start + bytes.length !== size) return 0;
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}
