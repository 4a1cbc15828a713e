import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isCode, isForeignFolder } from '../domain/in-place/place.js';
import { hasCode } from '../errors.js';

/** A file of an app's own folder. */
export interface FolderFile {
  /** Below the folder, with "/". */
  path: string;
  /** bytes */
  size: number;
  mtimeMs: number;
}

/** How many files of a folder are looked at: it may hold somebody's data, and no more than code is meant. */
const MAX_FILES = 5_000;
/** Of code larger than this (bytes) the time of its last change stands for what it holds. */
const MAX_READ = 1024 * 1024;

/**
 * The files of an app's own folder, sorted by path, without virtual environments, caches and what git and editors keep;
 * the first few thousand of them. Links are not followed.
 * @throws Error ENOENT where the folder is not there
 */
export async function filesIn(dir: string): Promise<FolderFile[]> {
  const files: FolderFile[] = [];
  const waiting = [''];
  for (let at = waiting.shift(); at !== undefined && files.length < MAX_FILES; at = waiting.shift()) {
    const below = at;
    const entries = await readdir(join(dir, below), { withFileTypes: true }).catch((error: unknown) => {
      // A folder within that cannot be read, or went a moment ago, holds nothing of the app.
      if (below !== '') return [];
      throw error;
    });
    // A virtual environment may have any name.
    if (at !== '' && entries.some((entry) => entry.name === 'pyvenv.cfg')) continue;
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = at === '' ? entry.name : `${at}/${entry.name}`;
      if (entry.isDirectory() && !isForeignFolder(entry.name)) waiting.push(path);
      if (!entry.isFile() || files.length >= MAX_FILES) continue;
      const facts = await stat(join(dir, path)).catch(() => undefined); // It went a moment ago.
      if (facts !== undefined) files.push({ path, size: facts.size, mtimeMs: facts.mtimeMs });
    }
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * A digest of the code in a folder, which changes when and only when a restart would run something else.
 * @param main the main file, where it lies elsewhere
 * @returns 40 hexadecimal digits, as long as a commit's id
 * @throws Error ENOENT where the folder is not there
 */
export async function digestOf(dir: string, main?: string): Promise<string> {
  const digest = createHash('sha256');
  const code = (await filesIn(dir))
    .filter((file) => isCode(file.path))
    .map((file) => ({ ...file, file: join(dir, file.path) }));
  if (main !== undefined && !code.some((one) => one.file === main)) {
    const facts = await stat(main).catch(() => undefined); // That it is missing is told where it is to be run.
    if (facts?.isFile() === true) code.push({ path: main, file: main, size: facts.size, mtimeMs: facts.mtimeMs });
  }
  for (const { path, file, size, mtimeMs } of code) {
    const content = size > MAX_READ ? String(mtimeMs) : await readFile(file).catch(() => ''); // It went a moment ago.
    digest.update(`${path}\0${content.length}\0`).update(content);
  }
  return digest.digest('hex').slice(0, 40);
}

/** A file at the top of a folder; undefined where there is none, or one that is larger than so many bytes. */
export async function readTopFile(dir: string, name: string, most: number): Promise<Buffer | undefined> {
  const path = join(dir, name);
  const facts = await stat(path).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return undefined;
    throw error;
  });
  return facts?.isFile() === true && facts.size <= most ? readFile(path) : undefined;
}

/** True where a path leads to something, of this kind where one is told. */
export async function isThere(path: string, kind?: 'file' | 'folder'): Promise<boolean> {
  try {
    const facts = await stat(path);
    return kind === undefined || (kind === 'file' ? facts.isFile() : facts.isDirectory());
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP'].some((code) => hasCode(error, code))) return false;
    throw error;
  }
}
