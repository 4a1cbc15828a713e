import { Refusal } from '../../errors.js';
import { printable } from '../app/app.js';
import { longLine, MAX_LINE } from '../project/long-lines.js';
import { pipLines } from './pip-lines.js';
import { endsBelow } from './specifier.js';

/** The oldest Streamlit whose health check and sessions are where this place expects them: below _stcore. */
const OLDEST_STREAMLIT = '1.18';

/**
 * The text of a file that names dependencies. As pip does, it heeds a byte order mark (PowerShell's "pip freeze >" writes
 * UTF-16) and a coding named in a comment of the first two lines.
 * @throws Refusal `requirements-unreadable` where it is not text, or has a line that nobody wrote
 */
export function readRequirements(bytes: Uint8Array, file = 'requirements.txt'): string {
  const coding = codingOf(bytes);
  if (coding === 'utf-8' && bytes.includes(0))
    throw unreadable(file, `${file} is not a text file. Save it as UTF-8 text and push again.`);
  let text: string;
  try {
    text = new TextDecoder(coding, { fatal: true }).decode(bytes);
  } catch (error) {
    const name = coding === 'utf-8' ? 'UTF-8' : coding.toUpperCase();
    throw unreadable(file, `${file} is not valid ${name} text. Save it as UTF-8 and push again.`, error);
  }
  if (text.includes('\0')) throw unreadable(file, `${file} is not a text file. Save it as UTF-8 text and push again.`);
  // JSON needs no lines.
  const long = file === 'Pipfile.lock' ? undefined : longLine(text);
  if (long !== undefined) {
    throw unreadable(file, `${file} has more than ${MAX_LINE} characters in line ${long}. Break that line up.`);
  }
  return text;
}

/** How a file is encoded, by its first bytes. */
function codingOf(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  const lines = Buffer.from(bytes.subarray(0, 400)).toString('latin1').split(/\r?\n/).slice(0, 2);
  const named = lines.map((line) => /^#.*?coding[:=]\s*([-\w.]+)/.exec(line)?.[1]).find((one) => one !== undefined);
  try {
    return named === undefined
      ? 'utf-8'
      : new TextDecoder(named.replaceAll('_', '-').replace(/^latin-/i, 'latin')).encoding;
  } catch {
    return 'utf-8'; // No coding that we know.
  }
}

/** One meaningful line of a requirements file. */
export type Requirement =
  | { kind: 'package'; name: string; text: string }
  /** `-r` or `-c` of another file, or of a URL; constraints install nothing by themselves. */
  | { kind: 'include'; target: string; constraint: boolean; text: string }
  /** A folder or a file of the project itself: what it installs depends on the source. */
  | { kind: 'local'; text: string }
  | { kind: 'option'; text: string };

/** The meaningful lines of a requirements file, one for each option that stands alone. */
export function parseRequirements(text: string): Requirement[] {
  return pipLines(text).flatMap((line) => {
    if (line.requirement !== '') return [parseRequirement(line.text)];
    const first = (name: string): string | undefined => line.options.find((one) => one.name === name)?.value;
    const editable = first('--editable');
    if (editable !== undefined) return [parseEditable(editable)];
    // pip reads one file a line, and then nothing else of that line.
    for (const name of ['--requirement', '--constraint']) {
      const target = first(name);
      if (target !== undefined) return [include(target, name === '--constraint')];
    }
    return line.options.map(({ name, value }) => parseOption(name, value));
  });
}

/**
 * Looks whether pip could read a requirements file.
 * @throws Refusal `requirements-unreadable` where a line has an option that pip does not allow there
 */
export function refuseOptions(text: string, file: string): void {
  for (const { number, options } of pipLines(text)) {
    const unknown = options.find(({ known }) => !known);
    if (unknown === undefined) continue;
    throw unreadable(
      file,
      `Line ${number} of ${file} contains "${printable(unknown.name)}", which pip does not accept in requirements files. Remove it, or correct the line.`,
    );
  }
}

/** True where a requirements file names streamlit itself (not one of the packages whose names begin like it). */
export function mentionsStreamlit(text: string): boolean {
  return parseRequirements(text).some((line) => line.kind === 'package' && line.name === 'streamlit');
}

/** The name by which a package is known, however it is written (https://packaging.python.org/en/latest/specifications/name-normalization/). */
export function packageName(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

/**
 * Looks at which streamlit a requirements file asks for.
 * @throws Refusal `streamlit-too-old` where that can only be one that is too old to be served
 */
export function refuseOldStreamlit(text: string, file: string): void {
  for (const line of parseRequirements(text)) {
    if (line.kind !== 'package' || line.name !== 'streamlit') continue;
    const asked = line.text.split(/[;@]| --/, 1)[0] ?? '';
    const specifier = asked.replace(/^[\w.-]+\s*(\[[^\]]*\])?/, '').replace(/[()]/g, '');
    if (!endsBelow(specifier, OLDEST_STREAMLIT)) continue;
    throw new Refusal(
      'invalid',
      'streamlit-too-old',
      `${file} requires ${printable(asked.trim())}, but apps need Streamlit ${OLDEST_STREAMLIT} or newer. Require a newer version.`,
      { field: file },
    );
  }
}

/** True where what a requirements file installs depends on the project's own files. */
export function mentionsSource(text: string): boolean {
  return parseRequirements(text).some((line) => line.kind === 'local');
}

/** Options that may lead to something else than wheels of indexes. */
const OF_SOURCES = /^--(no-binary|global-option|config-settings)\b|^(?!--)/;

/**
 * True for a line that may lead to something else than wheels of indexes: folders, repositories, archives, and lists that
 * nobody has looked at.
 */
export function isSource(line: Requirement): boolean {
  if (line.kind === 'include') return /^[a-z]+:\/\//i.test(line.target);
  if (line.kind === 'option') return OF_SOURCES.test(line.text);
  if (line.kind === 'local') return true;
  return /@|:\/\//.test(withoutWheel(line.text));
}

/** A requirement without the address of the first wheel that it names. Each word is looked at once: it may have a megabyte. */
function withoutWheel(text: string): string {
  const words = text.split(/\s+/);
  for (const [at, word] of words.entries()) {
    const begin = word.search(/https?:\/\//i);
    if (begin === -1 || !/\.whl(?:#|$)/i.test(word.slice(begin))) continue;
    const before = [...words.slice(0, at), word.slice(0, begin)].join(' ').trimEnd();
    return [before.endsWith('@') ? before.slice(0, -1) : before, ...words.slice(at + 1)].join(' ');
  }
  return text;
}

function include(target: string, constraint: boolean): Requirement {
  return { kind: 'include', target, constraint, text: `${constraint ? '-c' : '-r'} ${target}` };
}

function parseEditable(place: string): Requirement {
  const kind = /^[\w+]+:\/\//.test(place) && !place.startsWith('file:') ? 'option' : 'local';
  return { kind, text: `-e ${place}` };
}

function parseOption(name: string, value: string): Requirement {
  const text = value === '' ? name : `${name} ${value}`;
  const local = name === '--find-links' && !/^[a-z]+:\/\//i.test(value);
  return { kind: local ? 'local' : 'option', text };
}

function parseRequirement(text: string): Requirement {
  // https://packaging.python.org/en/latest/specifications/dependency-specifiers/
  const named = /^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(@\s*\S.*|[<>=!~;(].*|--.*)?$/.exec(
    text,
  );
  if (named?.[1] !== undefined && !/\.(whl|zip|tar\.gz|tar\.bz2|tgz)(\[|$)/.test(text.split(/[@; ]/, 1)[0] ?? '')) {
    const address = named[2]?.startsWith('@') === true ? named[2].slice(1).trim() : '';
    if (/^(file:|\.|\/)/.test(address) || (address !== '' && !/^[\w+]+:/.test(address))) return { kind: 'local', text };
    return { kind: 'package', name: packageName(named[1]), text };
  }
  if (/^[\w+]+:\/\//.test(text) && !text.startsWith('file:')) {
    const wheel = /\/([A-Za-z0-9_.]+)-\d[^/]*\.whl/.exec(text)?.[1];
    return wheel === undefined ? { kind: 'option', text } : { kind: 'package', name: packageName(wheel), text };
  }
  return { kind: 'local', text };
}

function unreadable(field: string, sentence: string, cause?: unknown): Refusal {
  return new Refusal('invalid', 'requirements-unreadable', sentence, { field, cause });
}
