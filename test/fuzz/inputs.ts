import fc from 'fast-check';

/** What a parser's inputs are made of. */
export interface Grammar {
  /** Words, signs and lines that mean something to the parser. */
  tokens: readonly string[];
  /** Inputs that it takes, to be altered. */
  samples: readonly string[];
  /** The most bytes that ever reach it. */
  limit: number;
  /** How many of a thousand inputs are large; 4 unless told. */
  large?: number;
}

/** What no parser expects: controls, line ends of all kinds, half a surrogate pair, signs that are wide, joined or reordered. */
const ODD = [
  ...[
    '\0',
    '\t',
    '\n',
    '\r',
    '\r\n',
    '\x1b',
    '\x7f',
    '\x85',
    '\u2028',
    '\ufeff',
    '\ud800',
    '\udc00',
    '\ufffd',
    'é',
    'e\u0301',
  ],
  ...[
    'ß',
    'İ',
    '漢',
    '🐍',
    '\u202e',
    ' ',
    '\u00a0',
    '"',
    "'",
    '`',
    '\\',
    '/',
    '..',
    '%',
    '%2e',
    '%00',
    '=',
    ';',
    ',',
    ':',
    '#',
  ],
  ...[
    '[',
    ']',
    '{',
    '}',
    '(',
    ')',
    '<',
    '>',
    '&',
    '*',
    '-',
    '_',
    '~',
    '@',
    '?',
    '!',
    '|',
    '+',
    '0',
    '1',
    '9'.repeat(20),
    '-1',
  ],
  ...['1e999', 'NaN', '__proto__', 'constructor', 'toString', 'a', 'A', 'z'.repeat(70)],
];

/**
 * The inputs of a grammar: words of it in any order, inputs that it takes with some places altered, and now and then one
 * that says the same again and again, up to the limit. What fast-check makes and shrinks is the recipe of an input, some
 * bytes, which is a hundred times as fast as to have it make the text.
 */
export function inputsOf(grammar: Grammar): fc.Arbitrary<string> {
  const recipe = fc.noBias(fc.uint8Array({ minLength: 2, maxLength: 80, size: 'max' }));
  const kind = fc.noBias(fc.integer({ min: 0, max: 999 }));
  return fc.tuple(kind, recipe).map(([number, bytes]) => bake(grammar, number, bytes));
}

function bake({ tokens, samples, limit, large = 4 }: Grammar, kind: number, recipe: Uint8Array): string {
  const piece = (byte = 0): string => (byte % 3 === 0 ? ODD[byte % ODD.length] : tokens[byte % tokens.length]) ?? '';
  const [first = 0, second = 0, ...rest] = recipe;
  if (kind < large) {
    const unit =
      rest
        .slice(0, 1 + (first % 4))
        .map(piece)
        .join('') || ' ';
    const behind = rest
      .slice(4, 4 + (second % 5))
      .map(piece)
      .join('');
    // As many of a thousand bytes as of a million.
    const size = Math.floor(limit ** (0.5 + (0.5 * second) / 255));
    return piece(first) + unit.repeat(Math.max(1, Math.floor(size / unit.length) - 1)) + behind;
  }
  const sample = samples[first % Math.max(1, samples.length)];
  if (kind % 2 === 0 || sample === undefined) return recipe.reduce((text, byte) => text + piece(byte), '');
  let text = sample;
  for (let at = 0; at + 3 < rest.length && at < (second % 24) + 4; at += 4) {
    const [where = 0, fine = 0, cut = 0, put = 0] = rest.slice(at, at + 4);
    const place = (where * 256 + fine) % (text.length + 1);
    text = text.slice(0, place) + piece(put) + text.slice(place + (cut % 7 === 0 ? cut : cut % 4));
  }
  return text;
}
