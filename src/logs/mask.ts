import { MASK } from '../lib/mask-urls.js';

/** Shorter values would hide ordinary words. */
const SHORTEST = 4;

/** Among how many numbers the beginnings of what is hidden are spread. */
const STARTS = 1 << 16;

/**
 * Hides secrets in text, also URL-encoded, escaped as in JSON and Python, and in base64 (even inside longer base64, such as
 * that of `user:secret`).
 * @param secrets those of at most 3 characters are left alone: hiding them would hide ordinary words
 */
export function createMask(secrets: readonly string[]): (text: string) => string {
  // Most values are the same in every version of a config.
  const texts = new Set(secrets.flatMap((secret) => secret.split(/\r?\n/)));
  const forms = new Set([...texts].flatMap(formsOf));
  if (forms.size === 0) return (text) => text;
  // By their first characters, the longest first. One large pattern would be too large for a value of 32 KiB, and its
  // error would quote it.
  const byStart = new Map<string, string[]>();
  const starts = new Uint8Array(STARTS);
  for (const form of [...forms].sort((a, b) => b.length - a.length)) {
    const start = form.slice(0, SHORTEST);
    const alike = byStart.get(start);
    if (alike === undefined) byStart.set(start, [form]);
    else alike.push(form);
    starts[startAt(form, 0)] = 1;
  }
  return (text) => {
    let hidden = '';
    let from = 0;
    for (let at = 0; at + SHORTEST <= text.length;) {
      const form =
        starts[startAt(text, at)] === 0
          ? undefined
          : byStart.get(text.slice(at, at + SHORTEST))?.find((one) => text.startsWith(one, at));
      if (form === undefined) at += 1;
      else {
        hidden += text.slice(from, at) + MASK;
        at += form.length;
        from = at;
      }
    }
    return hidden + text.slice(from);
  };
}

function formsOf(secret: string): string[] {
  const text = secret.trim();
  if (text.length < SHORTEST) return [];
  const urls = ENCODED_IN_URLS.map((pattern) => text.replace(pattern, encoded));
  const forms = urls.flatMap((url) => [url, url.replace(/%20/g, '+')]);
  const lower = forms.map((url) => url.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()));
  return [text, ...forms, ...lower, ...escapedForms(text), ...base64Forms(text)];
}

/** What is encoded in a URL differs from tool to tool. */
const ENCODED_IN_URLS = [
  // JavaScript's encodeURIComponent.
  /[^\w.!~*'()-]/gu,
  // Its forms.
  /[^\w.*-]/gu,
  // Python's quote, for a path and for a part of one.
  /[^\w.~/-]/gu,
  /[^\w.~-]/gu,
  // No more than must be, such as by Python's requests.
  /[^\w.~!#$%&'()*+,/:;=?@[\]-]/gu,
];

function encoded(character: string): string {
  return [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

/** As it stands between quotes in JSON, in that of Python, which is ASCII, and in what Python's repr prints. */
function escapedForms(text: string): string[] {
  const json = JSON.stringify(text).slice(1, -1);
  const ascii = json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const repr = text.replace(/\\/g, '\\\\').replace(/\t/g, '\\t');
  return [json, ascii, repr, repr.replace(/'/g, "\\'")];
}

/**
 * base64 writes three bytes as four characters, so a secret inside of something longer looks one of three ways,
 * depending on how many bytes stand before it. Only the characters that no neighbour changes are searched for.
 */
function base64Forms(text: string): string[] {
  const bytes = Buffer.from(text);
  return [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    const sure = encoded.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
    if (sure.length < SHORTEST) return [];
    return [sure, sure.replace(/\+/g, '-').replace(/\//g, '_')];
  });
}

/** The four characters at a place as one small number, so that most places are passed over without a look at the forms. */
function startAt(text: string, at: number): number {
  const number = (place: number): number => text.charCodeAt(at + place);
  return (number(0) + 31 * number(1) + 961 * number(2) + 29_791 * number(3)) % STARTS;
}
