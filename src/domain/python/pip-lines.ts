/** An option of a requirements file, by the name that pip has for it: `--index-url` for `-i`. */
export interface PipOption {
  name: string;
  /** Empty for an option that has none. */
  value: string;
  /** False where pip has no such option in requirements files, or cannot read it. */
  known: boolean;
}

/** A line of a requirements file as pip reads it: a requirement with its options, or options alone. */
export interface PipLine {
  /** The number of its first line in the file, from 1. */
  number: number;
  /** The part before its options; empty where there is none. */
  requirement: string;
  options: readonly PipOption[];
  /** All of it, without its comment and with single spaces. */
  text: string;
}

const WITH_VALUE = [
  '--config-settings',
  '--constraint',
  '--editable',
  '--extra-index-url',
  '--find-links',
  '--global-option',
  '--hash',
  '--index-url',
  '--no-binary',
  '--only-binary',
  '--requirement',
  '--trusted-host',
  '--use-feature',
];
const WITHOUT_VALUE = ['--no-index', '--pre', '--prefer-binary', '--require-hashes'];
const OTHER_NAMES: Readonly<Record<string, string>> = {
  '--pypi-url': '--index-url',
  '--config-setting': '--config-settings',
  '-i': '--index-url',
  '-f': '--find-links',
  '-r': '--requirement',
  '-c': '--constraint',
  '-e': '--editable',
  '-C': '--config-settings',
};

/** Where Python's `str.splitlines` ends a line. */
const LINE_END = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/; // eslint-disable-line no-control-regex

/**
 * The lines of a requirements file that say something, read as pip reads them: continued lines are joined without a space,
 * comments are taken away after that, and options are split as a shell would
 * (https://pip.pypa.io/en/stable/reference/requirements-file-format/).
 */
export function pipLines(text: string): PipLine[] {
  return joined(text.replace(/^\uFEFF/, '').split(LINE_END)).flatMap(({ number, line }) => {
    const said = withoutComment(line).trim();
    if (said === '') return [];
    const at = said.search(/(?<!\S)-/);
    const requirement = at === -1 ? said : said.slice(0, at);
    return {
      number,
      requirement: plain(requirement),
      options: at === -1 ? [] : optionsIn(said.slice(at)),
      text: plain(said),
    };
  });
}

/**
 * The words of a text, as a POSIX shell splits it.
 * @returns undefined where a quotation has no end
 */
export function shellWords(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '\\' && quote !== "'") {
      const next = text.charAt(at + 1);
      if (next === '') return undefined;
      // Within double quotes it escapes only itself and the quotation mark.
      word = (word ?? '') + (quote === '"' && next !== '"' && next !== '\\' ? `\\${next}` : next);
      at += 1;
    } else if (quote !== '') {
      if (character === quote) quote = '';
      else word = (word ?? '') + character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + character;
  }
  if (quote !== '') return undefined;
  return word === undefined ? words : [...words, word];
}

function joined(lines: readonly string[]): { number: number; line: string }[] {
  const whole: { number: number; line: string }[] = [];
  let open: string[] = [];
  let first = 0;
  lines.forEach((line, index) => {
    if (open.length === 0) first = index + 1;
    const comment = /^\s*#/.test(line);
    if (line.endsWith('\\') && !comment) {
      open.push(line.replace(/^\\+|\\+$/g, ''));
      return;
    }
    // A line with nothing but a comment ends what is continued.
    whole.push({ number: first, line: [...open, comment ? ` ${line}` : line].join('') });
    open = [];
  });
  if (open.length > 0) whole.push({ number: first, line: open.join('') });
  return whole;
}

/** A line up to its comment, which a "#" begins at its start or behind white space. */
function withoutComment(line: string): string {
  const at = line.search(/(?<!\S)#/);
  return at === -1 ? line : line.slice(0, at);
}

function plain(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

function optionsIn(text: string): PipOption[] {
  const words = shellWords(text);
  if (words === undefined) return [{ name: plain(text), value: '', known: false }];
  const options: PipOption[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    // What is neither an option nor the value of one means nothing to pip.
    if (!/^-./.test(word) || word === '--') continue;
    const [, written = word, glued] =
      (word.startsWith('--') ? /^([^=]*)=(.*)$/s.exec(word) : /^(-.)(.+)$/s.exec(word)) ?? [];
    const name = nameOf(written);
    if (name === undefined) options.push({ name: written, value: '', known: false });
    else if (WITHOUT_VALUE.includes(name)) options.push({ name, value: '', known: glued === undefined });
    else if (glued !== undefined) options.push({ name, value: glued, known: true });
    else {
      at += 1;
      options.push({ name, value: words[at] ?? '', known: at < words.length });
    }
  }
  return options;
}

/** The full name of an option: long ones can be cut as long as it is clear which is meant. */
function nameOf(written: string): string | undefined {
  const names = [...WITH_VALUE, ...WITHOUT_VALUE, ...Object.keys(OTHER_NAMES)];
  if (names.includes(written)) return OTHER_NAMES[written] ?? written;
  if (!written.startsWith('--') || written.length < 3) return undefined;
  const meant = new Set(names.filter((name) => name.startsWith(written)).map((name) => OTHER_NAMES[name] ?? name));
  return meant.size === 1 ? [...meant][0] : undefined;
}
