/** The longest line of a file that people or their tools write, in characters. */
export const MAX_LINE = 8_192;

/** The number of the first line that has more characters than that; undefined where none has. */
export function longLine(text: string, most = MAX_LINE): number | undefined {
  for (let start = 0, number = 1; start < text.length; number += 1) {
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    if (end - start > most) return number;
    start = end + 1;
  }
  return undefined;
}
