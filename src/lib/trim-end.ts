/**
 * Returns a text without a sign that it ends with, however often. A pattern such as `/\/+$/` takes as long as the square of the
 * length: it begins again at each sign of a run that something follows.
 */
export function trimEnd(text: string, sign: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === sign) end -= 1;
  return text.slice(0, end);
}
