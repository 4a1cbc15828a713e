import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { Outside } from '../domain/python/dependencies.js';
import { forInstaller, noWishes, type Wishes } from '../domain/python/for-installer.js';
import { keptOf, type Kept } from '../domain/python/lock.js';
import { refuseOutside } from '../domain/python/outside.js';
import {
  isSource,
  mentionsStreamlit,
  parseRequirements,
  readRequirements,
  refuseOldStreamlit,
  refuseOptions,
} from '../domain/python/requirements.js';
import { hasCode, Refusal } from '../errors.js';
import { formatMebibytes } from '../lib/units.js';
import { localParts, type LocalParts } from './local-parts.js';

/** The most files that one requirements file may bring in. */
const MOST_FILES = 50;

/** The most that one included file may have, in bytes, as a list at the top of a project may. */
const MAX_FILE_BYTES = 1024 * 1024;
/** The most that all of them may have, in bytes. */
const MAX_BYTES = 4 * 1024 * 1024;

/** What says that a path leads to no file, or that no file can have it: too long, with a NUL, a circle of links. */
const NO_FILE = ['ENOENT', 'EISDIR', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'ERR_INVALID_ARG_VALUE'];

/** Everything that requirements say, with the files that they include. */
export interface Requirements {
  /** The same for files that mean the same: without comments, blank lines and spaces that mean nothing. */
  normal: string;
  /** True where what they install depends on the project's own files. */
  local: boolean;
  /** Which of those files count; undefined where they do not, or all may. */
  parts: LocalParts | undefined;
  /** True where a line of them names streamlit. */
  namesStreamlit: boolean;
  /** True where what they install may have to be built, whatever the indexes have. */
  sources: boolean;
  /** True where streamlit may have to be added, because they do not name it. */
  lacksStreamlit: boolean;
  /** What an installer reads, by the path of each copy; the first is the file itself. */
  copies: ReadonlyMap<string, string>;
  /** What they ask of an installer beside their packages. */
  wishes: Wishes;
  /** What of them stays where the exact packages of an earlier install are installed again. */
  kept: Kept;
}

/**
 * Reads requirements, and what they include by `-r` and `-c`.
 * @param file its path in the project
 * @param outside whether they may name files of the machine that are not in the project
 * @throws Refusal `requirements-unreadable`, `requirements-missing` where an included file is not in the project,
 *   `requirements-outside`, `streamlit-too-old`
 */
export async function gatherRequirements(
  file: string,
  text: string,
  sourceDir: string,
  outside: Outside = 'refused',
): Promise<Requirements> {
  const texts = new Map<string, string>([[file, text]]);
  let bytes = 0;
  // What is added while this goes on is visited too.
  for (const [path, content] of texts) {
    if (outside === 'refused') refuseOutside(content, path);
    for (const line of parseRequirements(content)) {
      if (line.kind !== 'include' || /^[a-z]+:\/\//i.test(line.target)) continue;
      const target = posix.join(posix.dirname(path), line.target);
      if (texts.has(target)) continue;
      if (posix.isAbsolute(line.target) || target.startsWith('../') || texts.size >= MOST_FILES) {
        throw refusal(`${path} includes ${line.target}, which is outside of the project.`, path);
      }
      const included = await readIncluded(path, target, sourceDir);
      bytes += included.length;
      if (bytes > MAX_BYTES) throw tooLarge(`The files that ${file} includes are`, MAX_BYTES, path);
      texts.set(target, readRequirements(included, target));
    }
  }
  for (const [path, content] of texts) {
    refuseOptions(content, path);
    refuseOldStreamlit(content, path);
  }
  const lines = [...texts.values()].flatMap(parseRequirements);
  const hashed = lines.some(({ text: words }) => /--require-hashes|--hash[= ]/.test(words));
  const found = copiesOf(texts, sourceDir);
  const own = lines.filter(({ kind }) => kind === 'local').map((line) => line.text);
  const named = own.filter((line) => !line.startsWith('--'));
  const isOwn = own.length > 0 && outside === 'refused' && found.wishes.pip === undefined;
  return {
    // The same list in another folder is the same environment.
    normal: [...texts]
      .map(([path, content]) =>
        [`# ${posix.relative(posix.dirname(file), path)}`, ...parseRequirements(content).map((line) => line.text)].join(
          '\n',
        ),
      )
      .join('\n'),
    local: own.length > 0,
    parts: isOwn ? await localParts(named, found.wishes.folders, sourceDir) : undefined,
    sources: lines.some(isSource),
    // A file with hashes names everything; a package without one would be refused.
    namesStreamlit: lines.some((line) => line.kind === 'package' && line.name === 'streamlit'),
    lacksStreamlit: !hashed && !installed(file, texts).some(mentionsStreamlit),
    ...found,
    kept: keptOf(found.copies.values()),
  };
}

/** What an installer gets to read. Included files whose names would have to be quoted get other ones. */
function copiesOf(texts: ReadonlyMap<string, string>, sourceDir: string): Pick<Requirements, 'copies' | 'wishes'> {
  const names = new Map(
    [...texts.keys()].map((path, index) => [path, /^[\w./-]+$/.test(path) ? path : `included-${index}.txt`]),
  );
  const wishes = noWishes();
  const copies = new Map<string, string>();
  for (const [path, text] of texts) {
    const name = names.get(path) ?? path;
    const nameOf = (target: string): string => {
      const copy = names.get(posix.join(posix.dirname(path), target));
      return copy === undefined ? target : posix.relative(posix.dirname(name), copy);
    };
    const hasFolder = (folder: string): boolean => existsSync(join(sourceDir, folder));
    copies.set(name, forInstaller(text, { path, nameOf, hasFolder }, wishes));
  }
  return { copies, wishes };
}

/** The texts of the files that say what is installed: those that are included by `-c` only say in which version. */
function installed(file: string, texts: ReadonlyMap<string, string>): string[] {
  const found = new Set([file]);
  for (const path of found) {
    for (const line of parseRequirements(texts.get(path) ?? '')) {
      if (line.kind === 'include' && !line.constraint) found.add(posix.join(posix.dirname(path), line.target));
    }
  }
  return [...found].flatMap((path) => texts.get(path) ?? []);
}

async function readIncluded(from: string, target: string, sourceDir: string): Promise<Buffer> {
  try {
    const path = join(sourceDir, target);
    const facts = await stat(path);
    if (facts.size > MAX_FILE_BYTES) throw tooLarge(`${target} is`, MAX_FILE_BYTES, target);
    return await readFile(path);
  } catch (error) {
    if (!NO_FILE.some((code) => hasCode(error, code))) throw error;
    throw refusal(`${from} includes ${target}, which is not in the project. Add it, or remove that line.`, from);
  }
}

function tooLarge(what: string, limit: number, field: string): Refusal {
  const sentence = `${what} larger than ${formatMebibytes(limit)}, the limit for included files.`;
  return new Refusal('invalid', 'requirements-unreadable', sentence, { field });
}

function refusal(sentence: string, field: string): Refusal {
  return new Refusal('invalid', 'requirements-missing', sentence, { field });
}
