import { posix } from 'node:path';
import { Refusal } from '../../errors.js';
import { printable } from '../app/app.js';
import { parseRequirements, type Requirement } from './requirements.js';
import { tableOf, tablesOf, textOf, textsOf } from './wanted.js';

/** The schemes of places on other machines. */
const REMOTE = /^(?:(?:git|hg|svn|bzr)\+)?(?:https?|ssh|sftp|git|svn|ftp):\/\//i;

/** What pip and uv replace by a variable of the server's, wherever it stands. */
const VARIABLE = /\$\{[A-Za-z0-9_]+\}/;

/** The most "@" and "=" of one word: each begins what may be a place, so that more would take long to look at. */
const MAX_JOINTS = 64;

/** What a path on Windows begins with. */
const DRIVE = /^(?:file:\/*)?[a-z]:[\\/](?!\/)/i;
/** The same in an option, whose backslashes are gone by now, as with pip. */
const CUT_DRIVE = /^(?:-[erc]|--find-links) [a-z]:(?!\/\/)/i;

/** The keys under which uv.lock and `[tool.uv]` name places. */
const KEYS = ['path', 'directory', 'editable', 'virtual', 'registry', 'url', 'git'];

/** True for a place on this machine that is not in the project: an absolute path, `file:///…`, or a path that leaves it. */
export function isOutside(place: string): boolean {
  if (REMOTE.test(place)) return false;
  const [, local] = /^(?:[a-z]+\+)?file:(.*)$/is.exec(place) ?? [];
  // No other scheme leads anywhere that we know.
  if (local === undefined && /^[a-z][a-z0-9+.-]*:\/\//i.test(place)) return true;
  const path = decoded(local ?? place).replace(/[[#].*$/s, '');
  return /^[/~]/.test(path) || VARIABLE.test(path) || leaves(path);
}

/** True for a relative path that leads out of where it begins. `posix.normalize` looks at all before for each "..". */
function leaves(path: string): boolean {
  let depth = 0;
  for (const part of path.split('/')) {
    if (part === '..') depth -= 1;
    else if (part !== '' && part !== '.') depth += 1;
    if (depth < 0) return true;
  }
  return false;
}

/**
 * Looks at every word of a requirements file, since pip and uv read other words as options than we do.
 * @throws Refusal `requirements-outside` where one is a place on this machine that is not in the project;
 *   `requirements-unreadable` where a word joins too much to look at
 */
export function refuseOutside(text: string, file: string): void {
  for (const line of parseRequirements(text)) {
    for (const word of wordsOf(line, file)) {
      if ((word.match(/[@=]/g)?.length ?? 0) > MAX_JOINTS) throw tooJoined(file, line.text);
      if (DRIVE.test(word) || CUT_DRIVE.test(line.text)) throw onWindows(file, line.text);
      const place = placesIn(word).find(isOutside);
      if (place !== undefined && /^file:/i.test(place) && /^[\w.[\],-]+ ?@/.test(line.text))
        throw frozen(file, line.text);
      if (place !== undefined) throw outside(file, `contains "${printable(line.text)}", but ${printable(place)}`);
    }
  }
}

/**
 * Looks at what uv would read for a uv.lock.
 * @throws Refusal `requirements-outside`
 */
export function refuseOutsideUv(lock: Record<string, unknown>, pyproject: Record<string, unknown>): void {
  for (const one of tablesOf(lock.package)) {
    const place = [one.source, one.sdist, ...tablesOf(one.wheels)].flatMap(placesOf).find(isOutside);
    if (place === undefined) continue;
    throw outside('uv.lock', `installs ${printable(textOf(one.name) ?? '')} from ${printable(place)}, which`);
  }
  const uv = tableOf(tableOf(pyproject.tool).uv);
  const sources = Object.values(tableOf(uv.sources)).flatMap((one) =>
    Array.isArray(one) ? (one as unknown[]) : [one],
  );
  const indexes = ['index-url', 'extra-index-url', 'find-links'].flatMap((key) => listOf(uv[key]));
  const members = listOf(tableOf(uv.workspace).members);
  const place = [...[...sources, ...tablesOf(uv.index)].flatMap(placesOf), ...indexes, ...members].find(isOutside);
  if (place !== undefined) throw outside('pyproject.toml', `names ${printable(place)} in [tool.uv], which`);
}

/** The words of a line that may name places; what pip looks for beside the file, seen from the top of the project. */
function wordsOf(line: Requirement, file: string): string[] {
  const links = line.kind === 'local' ? /^--find-links (.*)$/.exec(line.text)?.[1] : undefined;
  const beside = line.kind === 'include' ? line.target : links;
  if (beside === undefined) return line.text.split(' ');
  // What is absolute, or somewhere else altogether, is so wherever it is written.
  return [/^([/~]|\w+:|\$)/.test(beside) ? beside : posix.join(posix.dirname(file), beside)];
}

/** What a word may name, however it is joined to an option or a package: `-r/x`, `--find-links=/x`, `name@/x`. */
function placesIn(written: string): string[] {
  const word = written.replace(/["'\\]/g, '');
  const places = [word.replace(/^-[a-zA-Z](?=.)/, '')];
  // All of an address is one place, whatever stands in it.
  for (let rest = word; !REMOTE.test(rest); places.push(rest)) {
    const at = rest.search(/[@=]/);
    if (at === -1) break;
    rest = rest.slice(at + 1);
  }
  return places;
}

function placesOf(value: unknown): string[] {
  const table = tableOf(value);
  return KEYS.flatMap((key) => textOf(table[key]) ?? []);
}

function listOf(value: unknown): string[] {
  return typeof value === 'string' ? [value] : textsOf(value);
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path; // A "%" that encodes nothing.
  }
}

function tooJoined(file: string, line: string): Refusal {
  const sentence = `${file} contains "${printable(line)}", which has more than ${MAX_JOINTS} "@" and "=" in one word. Remove that line.`;
  return new Refusal('invalid', 'requirements-unreadable', sentence, { field: file });
}

function onWindows(file: string, line: string): Refusal {
  const sentence = `${file} contains "${printable(line)}", a path on a Windows machine. Add those files to the project and name them by their path in it, or use the package's version.`;
  return new Refusal('invalid', 'requirements-outside', sentence, { field: file });
}

/** conda's packages have the place where they were built, which is nowhere else. */
function frozen(file: string, line: string): Refusal {
  const sentence = `${file} contains "${printable(line)}", as "pip freeze" writes it for packages of conda or of the disk. Use "pip list --format=freeze > ${file}" instead, or write the version.`;
  return new Refusal('invalid', 'requirements-outside', sentence, { field: file });
}

function outside(file: string, what: string): Refusal {
  const sentence = `${file} ${what} is outside of the project. Add the files to the project, or use a URL.`;
  return new Refusal('invalid', 'requirements-outside', sentence, { field: file });
}
