import { Deadline } from '../lib/deadline.js';
import { linesOf, readBackwards } from './backwards.js';
import { plainBytes } from './lines.js';

const ASCII = /^\p{ASCII}*$/u;

/** A line that holds what was searched for. */
export interface Match {
  /** Where the line begins in the file, in bytes. */
  offset: number;
  line: string;
}

/** The lines that were found. */
export interface SearchResult {
  /** The newest first. */
  matches: Match[];
  /** True where the whole file was searched; otherwise the limit of matches or of time was reached. */
  complete: boolean;
  /** Where to go on, as `before`, where it is not complete. */
  next: number;
}

/** How far to look. */
export interface SearchOptions {
  /** How many matches at most. */
  limit: number;
  /** Only what begins before this offset. */
  before?: number;
  /** How long it may take, in ms; 2 s unless told. */
  timeoutMs?: number;
  /** Hides what must not be read. It cannot be searched for either, or one could guess it letter by letter. */
  hide?: (line: string) => string;
}

/**
 * Searches a file for plain text, whatever its case, from the end to the beginning: people look for what is newest.
 * A file that does not exist holds nothing.
 */
export async function search(path: string, text: string, options: SearchOptions): Promise<SearchResult> {
  const { limit, before = Infinity, timeoutMs = 2_000, hide = (line: string) => line } = options;
  const wanted = text.toLowerCase();
  const deadline = new Deadline(timeoutMs);
  const found = await readBackwards(path, async ({ pieces }): Promise<SearchResult> => {
    const matches: Match[] = [];
    let next = 0;
    for await (const piece of pieces(before, 0)) {
      next = piece.start;
      if (mayHold(piece.bytes, wanted)) {
        for (const { start, bytes } of linesOf(piece)) {
          const line = mayHold(bytes, wanted) ? hide(plainBytes(bytes)) : '';
          if (!line.toLowerCase().includes(wanted)) continue;
          matches.push({ offset: start, line });
          if (matches.length < limit) continue;
          return { matches, complete: start === 0, next: start };
        }
      }
      if (deadline.isOver) break;
    }
    return { matches, complete: next === 0, next };
  });
  return found ?? { matches: [], complete: true, next: 0 };
}

/** A cheap look at many lines at once: only where it says yes, they are looked at one by one. */
function mayHold(bytes: Buffer, wanted: string): boolean {
  // latin1 is far quicker to decode, and the same as UTF-8 for ASCII. A colour within a word hides it here, rarely.
  return bytes
    .toString(ASCII.test(wanted) ? 'latin1' : 'utf8')
    .toLowerCase()
    .includes(wanted);
}
