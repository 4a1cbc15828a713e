import stringWidth from 'string-width';

/** Matches text of printable ASCII, where each character takes one column. */
const PLAIN = /^[\x20-\x7e]*$/;

/** Returns the number of terminal columns of a text. */
export function widthOf(text: string): number {
  return PLAIN.test(text) ? text.length : stringWidth(text);
}

/** Cuts a text to a number of columns, with "…" for the rest. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let kept = '';
  let width = 0;
  for (const cluster of clusters(text)) {
    width += stringWidth(cluster);
    if (width > columns - 1) break;
    kept += cluster;
  }
  return `${kept}…`;
}

/** Pads a text with spaces to a number of columns. */
export function pad(text: string, columns: number, side: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, columns - widthOf(text)));
  return side === 'left' ? text + space : space + text;
}

/** Replaces control characters in outside text with "?". */
export function harmless(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '?');
}

/** Removes terminal controls from a log line, except colours and tabs. */
export function harmlessLine(line: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what this is about
  return line.replace(/(\x1b\[[\d;]*m)|\x1b\[[\d;?]*[ -/]*[@-~]|[\x00-\x08\x0a-\x1f\x7f-\x9f]/g, '$1');
}

/** Returns a line of a log without the time that it begins with. */
export function withoutTime(line: string): string {
  return line.replace(/^\[\d{4}-\d\d-\d\dT[\d:.]+Z\] /, '');
}

function clusters(text: string): string[] {
  return Array.from(new Intl.Segmenter('en').segment(text), (part) => part.segment);
}
