import { StringDecoder } from 'node:string_decoder';

/** How much of a text without a line's end is kept back, in characters: more than any form of a secret. */
const KEPT_BACK = 256 * 1024;

/** Hides secrets in a text that streams by, in bounded memory: line by line, whatever the pieces it comes in. */
export async function* maskStream(
  pieces: AsyncIterable<Uint8Array>,
  hide: (text: string) => string,
): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const piece of pieces) {
    rest += decoder.write(Buffer.from(piece.buffer, piece.byteOffset, piece.length));
    const end = rest.lastIndexOf('\n') + 1;
    if (end > 0) yield hide(rest.slice(0, end));
    rest = rest.slice(end);
    if (rest.length > 2 * KEPT_BACK) {
      // A line without an end: what may be the beginning of a secret stays for the next piece.
      const hidden = hide(rest);
      yield hidden.slice(0, -KEPT_BACK);
      rest = hidden.slice(-KEPT_BACK);
    }
  }
  rest += decoder.end();
  if (rest !== '') yield hide(rest);
}
