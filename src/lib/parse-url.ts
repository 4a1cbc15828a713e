/**
 * Reads a URL. `URL.canParse` must not be asked first: once it is compiled, some versions of Node take the bytes of a text for
 * UTF-8 there and accept what `new URL` then refuses, such as "https://ß@".
 * @returns undefined if it is not one
 */
export function parseUrl(text: string, base?: string): URL | undefined {
  try {
    return new URL(text, base);
  } catch {
    return undefined; // That is the only reason.
  }
}
