import { printable } from '../../domain/app/app.js';
import { Refusal } from '../../errors.js';

const MAX_PATH = 1_024;
const MAX_SEGMENT = 255;

/**
 * A path that came from outside as a path inside an app: relative, with "/", without "." and empty parts, in Unicode's
 * composed form (an archive made on a Mac holds the other one).
 * @param field the input at fault, for the refusal
 * @throws Refusal `path-unsafe` where it would lead out of the app, or means different things on different systems
 */
export function safePath(name: string, field: string): string {
  const refuse = (why: string): never => {
    throw new Refusal('invalid', 'path-unsafe', `"${printable(name)}" is not a valid file path. ${why}`, { field });
  };
  if (/[\p{Cc}\p{Cs}]/u.test(name)) refuse('It contains a control character.');
  if (name.includes('\\')) refuse('Use "/" between folders, not a backslash.');
  const segments = name
    .normalize('NFC')
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.');
  if (name.startsWith('/') || /^[a-z]:/i.test(segments[0] ?? '')) refuse('It must be relative to the app.');
  if (segments.includes('..')) refuse('It must not contain "..".');
  if (segments.length === 0) refuse('It is empty.');
  if (segments.some((segment) => Buffer.byteLength(segment) > MAX_SEGMENT)) refuse('A part of it is too long.');
  const path = segments.join('/');
  if (Buffer.byteLength(path) > MAX_PATH) refuse('It is too long.');
  return path;
}

/** The paths without the one folder that all of them are in, as archives of a project have it; else as they are. */
export function withoutTopFolder(paths: readonly string[]): string[] {
  const [first] = paths;
  const top = first?.slice(0, first.indexOf('/') + 1);
  if (top === undefined || top === '' || !paths.every((path) => path.startsWith(top))) return [...paths];
  return paths.map((path) => path.slice(top.length));
}

/**
 * Sees that the paths can be files of one tree.
 * @throws Refusal `path-twice` where two are the same, or one is a folder of the other
 */
export function checkTree(paths: readonly string[], field: string): void {
  const refuse = (why: string): never => {
    throw new Refusal('invalid', 'path-twice', why, { field });
  };
  const files = new Set<string>();
  for (const path of paths) {
    if (files.has(path)) refuse(`"${printable(path)}" appears twice. Remove one of them.`);
    files.add(path);
  }
  for (const path of paths) {
    for (let cut = path.lastIndexOf('/'); cut > 0; cut = path.lastIndexOf('/', cut - 1)) {
      const folder = path.slice(0, cut);
      if (files.has(folder)) refuse(`"${printable(folder)}" is both a file and a folder.`);
    }
  }
}
