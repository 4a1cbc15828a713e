import { Refusal } from '../../errors.js';
import { printable } from '../app/app.js';
import { longLine, MAX_LINE } from '../project/long-lines.js';
import { endsBelow } from './specifier.js';

/** The oldest Streamlit whose health check and sessions are where this place expects them: below _stcore. */
const OLDEST_STREAMLIT = '1.18';

/**
 * The text of a file that names dependencies.
 * @throws Refusal `requirements-unreadable` where it is not UTF-8 text, or has a line that nobody wrote
 */
export function readRequirements(bytes: Uint8Array, file = 'requirements.txt'): string {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw unreadable(
      file,
      `${file} is encoded as UTF-16, as PowerShell does with "pip freeze > ${file}". Save it as UTF-8, ` +
        `for example with "pip freeze | Out-File -Encoding ascii ${file}".`,
    );
  }
  if (bytes.includes(0)) throw unreadable(file, `${file} is not a text file. Save it as UTF-8 text and push again.`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw unreadable(file, `${file} is not valid UTF-8 text. Save it as UTF-8 and push again.`, error);
  }
  // JSON needs no lines.
  const long = file === 'Pipfile.lock' ? undefined : longLine(text);
  if (long !== undefined) {
    throw unreadable(file, `${file} has more than ${MAX_LINE} characters in line ${long}. Break that line up.`);
  }
  return text;
}

/** One meaningful line of a requirements file. */
export type Requirement =
  | { kind: 'package'; name: string; text: string }
  /** `-r` or `-c` of another file, or of a URL; constraints install nothing by themselves. */
  | { kind: 'include'; target: string; constraint: boolean; text: string }
  /** A folder or a file of the project itself: what it installs depends on the source. */
  | { kind: 'local'; text: string }
  | { kind: 'option'; text: string };

/**
 * The meaningful lines of a requirements file: without comments and blank lines, continued lines put together
 * (https://pip.pypa.io/en/stable/reference/requirements-file-format/).
 */
export function parseRequirements(text: string): Requirement[] {
  return text
    .replace(/^\uFEFF/, '')
    .replace(/\r\n?/g, '\n')
    .split('\n')
    .reduce<string[][]>((lines, line) => {
      // pip takes comments away after it has joined the lines, but a comment line ends a continuation.
      const previous = lines.at(-1);
      const last = previous?.at(-1);
      if (previous === undefined || last?.endsWith('\\') !== true || line.trimStart().startsWith('#'))
        lines.push([line]);
      else {
        previous[previous.length - 1] = last.slice(0, -1);
        previous.push(line.trim());
      }
      return lines;
    }, [])
    .map((parts) => withoutComment(parts.join(' ')).replace(/\\$/, '').replace(/\s+/g, ' ').trim())
    .filter((line) => line !== '')
    .map(parseLine);
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

/** Options that only say where wheels of indexes are found, and which. */
const OF_WHEELS =
  /^--?(i|f|index-url|extra-index-url|find-links|no-index|trusted-host|pre|prefer-binary|only-binary|require-hashes)\b/;

/**
 * True for a line that may lead to something else than wheels of indexes: folders, repositories, archives, and lists that
 * nobody has looked at.
 */
export function isSource(line: Requirement): boolean {
  if (line.kind === 'include') return /^[a-z]+:\/\//i.test(line.target);
  if (line.kind === 'option') return !OF_WHEELS.test(line.text);
  if (line.kind === 'local') return true;
  const wheel = /@?\s*https?:\/\/\S+\.whl(?:#\S*)?(?=\s|$)/i;
  return /@|:\/\//.test(line.text.replace(wheel, ''));
}

/** A line up to its comment, which a "#" begins at its start or behind white space. */
function withoutComment(line: string): string {
  const at = line.search(/(?<!\S)#/);
  return at === -1 ? line : line.slice(0, at);
}

function parseLine(text: string): Requirement {
  const include = /^(?:-r|-c|--requirements?|--constraints?)(?:\s*=\s*|\s*)(\S.*)$/.exec(text);
  if (include?.[1] !== undefined) return { kind: 'include', target: include[1], constraint: /^--?c/.test(text), text };
  const editable = /^(?:-e|--editable)(?:\s*=\s*|\s*)(\S.*)$/.exec(text);
  if (editable?.[1] !== undefined)
    return /^[\w+]+:\/\//.test(editable[1]) && !editable[1].startsWith('file:')
      ? { kind: 'option', text }
      : { kind: 'local', text };
  const links = /^(?:-f|--find-links)(?:\s*=\s*|\s*)(\S+)$/.exec(text);
  if (links?.[1] !== undefined)
    return /^[a-z]+:\/\//i.test(links[1]) ? { kind: 'option', text } : { kind: 'local', text };
  if (text.startsWith('-')) return { kind: 'option', text };

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
