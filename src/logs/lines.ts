import { StringDecoder } from 'node:string_decoder';

/** The longest line that is kept, in characters; what is more is cut off and marked by "…". */
export const MAX_LINE = 8_192;

/** Everything that steers a terminal instead of being read, but for the tab. */
const CONTROL = /[^\P{Cc}\t]/gu;

/**
 * What steers a terminal: CSI and OSC sequences, and the short escapes (ECMA-48). Each class ends where the next begins,
 * so that this takes as long as the line is, which Node's own stripVTControlCharacters does not.
 */
const ESCAPES =
  // eslint-disable-next-line no-control-regex
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|(?:\u001b\]|\u009d)[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)|\u001b[ -/]*[0-~]/g;

/**
 * A line as a person reads it: without colours and other terminal control, of a progress bar (text that returns to the
 * line's start) only what stood there last, and cut to a bearable length.
 */
export function plainLine(raw: string): string {
  const end = endOf(raw);
  const last = raw.slice(raw.lastIndexOf('\r', end - 1) + 1, end);
  return cut(last.replace(ESCAPES, '').replace(CONTROL, ''));
}

/** The plain line that these bytes hold; of very many bytes only the first are looked at. */
export function plainBytes(bytes: Uint8Array): string {
  // Four bytes a character at most, and room for what plainLine takes away.
  const most = MAX_LINE * 8;
  if (bytes.length <= most)
    return plainLine(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
  return cut(`${plainLine(new StringDecoder('utf8').write(Buffer.from(bytes.subarray(0, most))))}…`);
}

/** Puts plain lines together from the chunks of a stream, in bounded memory whatever comes. */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';
  /** True while the end of a line that is too long already goes by. */
  #overflowing = false;

  /** @returns the lines that this chunk completes */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = [];
    const pieces = this.#decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)).split('\n');
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) lines.push(this.#take());
      this.#add(piece);
    }
    return lines;
  }

  /** @returns what is left, where the stream ended in the middle of a line */
  end(): string[] {
    this.#add(this.#decoder.end());
    return this.#rest === '' ? [] : [this.#take()];
  }

  #take(): string {
    const line = plainLine(this.#rest);
    this.#rest = '';
    this.#overflowing = false;
    return line;
  }

  #add(piece: string): void {
    if (this.#overflowing) {
      const start = piece.lastIndexOf('\r');
      if (start === -1) return;
      this.#rest = '';
      this.#overflowing = false;
      piece = piece.slice(start);
    }
    this.#rest += piece;
    if (this.#rest.length <= 2 * MAX_LINE) return;
    const start = this.#rest.lastIndexOf('\r', endOf(this.#rest) - 1);
    if (start > 0) this.#rest = this.#rest.slice(start);
    if (this.#rest.length <= 2 * MAX_LINE) return;
    this.#rest = this.#rest.slice(0, 2 * MAX_LINE);
    this.#overflowing = true;
  }
}

/** Where a text ends but for the returns behind it. */
function endOf(text: string): number {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === 0x0d) end -= 1;
  return end;
}

function cut(line: string): string {
  if (line.length <= MAX_LINE) return line;
  // Not between the two halves of one character.
  const end = MAX_LINE - 1;
  const half = line.charCodeAt(end - 1);
  return `${line.slice(0, half >= 0xd800 && half <= 0xdbff ? end - 1 : end)}…`;
}
