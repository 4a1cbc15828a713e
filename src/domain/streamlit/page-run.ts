import { field, fieldsOf, pick, textOf } from './proto.js';

/** A page of an app, as Streamlit tells a browser of it. */
export interface AppPage {
  /** How Streamlit names it in its messages. */
  hash: string;
  name: string;
  /** Its path below the app; empty for the first one, and before 1.36. */
  path: string;
  /** True for the page that a visitor gets first. */
  first: boolean;
}

/** What a run of a script has said, as far as a check needs it. */
export interface Heard {
  pages?: AppPage[];
  /** An exception that the visitor would see: its type, message and stack, a line each. */
  exception?: string[];
  /** The run has ended. */
  finished?: true;
}

/**
 * The message that asks for a run of a page (streamlit/proto/BackMsg.proto, ClientState.proto).
 * @param hash of the page; empty for the one that a visitor gets first
 */
export function rerun(hash: string): Buffer {
  return field(11, hash === '' ? Buffer.alloc(0) : field(3, hash));
}

/** Reads one message to a browser (streamlit/proto/ForwardMsg.proto). */
export function hear(message: Buffer): Heard {
  for (const part of fieldsOf(message)) {
    // Since 1.36 the pages come with the navigation; before, with the beginning of the run.
    if (part.number === 23) return { pages: pagesOf(part.bytes, 2) };
    if (part.number === 4) return { pages: pagesOf(part.bytes, 8) };
    // A script that asked for another run (status 2) goes on with it.
    if (part.number === 6) return part.value === 2 ? {} : { finished: true };
    // Shown on the page, or a page that is not Python at all.
    const shown =
      part.number === 5 ? pick(part.bytes, 3, 8)?.bytes : part.number === 10 ? pick(part.bytes, 3)?.bytes : undefined;
    // A warning is not a failure.
    if (shown !== undefined && (pick(shown, 5)?.value ?? 0) === 0) return { exception: linesOf(shown) };
  }
  return {};
}

/**
 * The pages of a message, without links that lead elsewhere (streamlit/proto/AppPage.proto).
 * @param most how many entries are read
 */
export function pagesOf(message: Buffer, number: number, most = Infinity): AppPage[] {
  const pages: Buffer[] = [];
  let left = most;
  for (const one of fieldsOf(message)) {
    if (one.number !== number) continue;
    left -= 1;
    if (left < 0) break;
    if (textOf(one.bytes, 8) === '') pages.push(one.bytes);
  }
  // The only page of an app is not marked as its first one.
  return pages.map((bytes) => ({
    hash: textOf(bytes, 1),
    name: textOf(bytes, 2),
    path: textOf(bytes, 6),
    first: pages.length === 1 || (pick(bytes, 4)?.value ?? 0) !== 0,
  }));
}

/** streamlit/proto/Exception.proto */
function linesOf(exception: Buffer): string[] {
  const stack = [...fieldsOf(exception)].filter((one) => one.number === 3).map((one) => one.bytes.toString('utf8'));
  const message = textOf(exception, 2);
  // Of a syntax error, the message has it all: its place, the code and the type.
  const last = message.startsWith('File "') ? message : `${textOf(exception, 1)}: ${message}`;
  return [...stack, last].flatMap((line) => line.split('\n'));
}
