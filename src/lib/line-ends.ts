interface Line {
  text: string;
  /** "\n", "\r\n" or "\r"; empty for a last line without one. */
  end: string;
}

/**
 * Gives the lines of an edited text the ends that they had before; new ones get the end that most of the others have.
 * @param edited with whatever ends
 */
export function withLineEnds(before: string, edited: string): string {
  const [old, lines] = [linesOf(before), linesOf(edited)];
  const usual = mostOf(old);
  let first = 0;
  while (first < Math.min(old.length, lines.length) && old[first]?.text === lines[first]?.text) first += 1;
  let last = 0;
  while (last < Math.min(old.length, lines.length) - first && old.at(-1 - last)?.text === lines.at(-1 - last)?.text)
    last += 1;
  // Between what is the same at both ends, a line that was there is one with the same text, in the same order.
  const middle = old.slice(first, old.length - last);
  let from = 0;
  return lines
    .map(({ text, end }, place) => {
      if (end === '') return text;
      const at = place < first ? place : place >= lines.length - last ? old.length - (lines.length - place) : -1;
      if (at >= 0) return text + (old[at]?.end || usual);
      const found = middle.findIndex((line, where) => where >= from && line.text === text);
      if (found >= 0) from = found + 1;
      return text + (middle[found]?.end || usual);
    })
    .join('');
}

function linesOf(text: string): Line[] {
  return [...text.matchAll(/([^\r\n]*)(\r\n|\n|\r|$)/g)]
    .map(([, line = '', end = '']) => ({ text: line, end }))
    .filter(({ text: line, end }) => line !== '' || end !== '');
}

function mostOf(lines: readonly Line[]): string {
  const counts = new Map<string, number>();
  for (const { end } of lines) if (end !== '') counts.set(end, (counts.get(end) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? '\n';
}
