import { readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tableOf } from '../domain/python/wanted.js';
import { readRegular } from '../lib/read-regular.js';
import { isWithin } from '../lib/within.js';

/** The largest list of files, and the largest file of a package, that are read, in bytes. */
const MAX_RECORD = 1024 * 1024;
const MAX_FILE = 16 * 1024 * 1024;

/** The most files that a package of the project has here. */
const MAX_FILES = 5_000;

/** Names the folders of the project's own packages to every Python of an environment. */
const PATHS = 'streamlit-host-own.pth';

/** Where the project was when its packages were installed, and what is to be found there. */
export interface OwnProject {
  /** The copy from which they were built. */
  built: string;
  /** The project of the push: what a build adds to the copy is not here. */
  source: string;
  /** Its folders that were to be installed, by their paths in it. */
  folders: readonly string[];
  /** Its path in the folder in which the app runs; empty where it is that one. */
  within: string;
}

/** One package that an environment has of the project. */
interface Own {
  /** Its list of files, and where that is. */
  record: string;
  lines: string[];
  /** The copies of the project's files. */
  files: string[];
  /** The folders of the project in which Python finds them instead. */
  roots: string[];
}

/**
 * Takes the code of the project out of a new environment, so that it serves every release that changes nothing but code: the
 * release's own files are imported instead, as after an editable install. What the packages say of themselves, such as their
 * versions and entry points, stays.
 * @returns the folders in which Python finds it, from the folder in which the app runs; undefined where nothing was taken out,
 *   because the packages have more than copies of files: compiled or generated ones, or scripts
 */
export async function takeOut(environment: string, project: OwnProject): Promise<string[] | undefined> {
  const [python] = await readdir(join(environment, 'lib'));
  const site = join(environment, 'lib', python ?? '', 'site-packages');
  const found: Own[] = [];
  for (const name of await readdir(site)) {
    if (!name.endsWith('.dist-info')) continue;
    const folder = await folderOf(join(site, name), project.built);
    if (folder === undefined) continue;
    const own = project.folders.includes(folder) ? await inspect(site, name, folder, project.source) : undefined;
    if (own === undefined) return undefined;
    found.push(own);
  }
  for (const { record, lines, files } of found) {
    for (const file of files) await rm(join(site, file), { force: true });
    for (const folder of foldersOf(files)) await rmdir(join(site, folder)).catch(() => undefined); // Another package's files are there.
    await rm(record);
    await writeFile(record, lines.map((line) => `${line}\n`).join(''), { flag: 'wx' });
  }
  const roots = [...new Set(found.flatMap((own) => own.roots.map((root) => posix.join(project.within, root))))];
  if (roots.length > 0) await writeFile(join(site, PATHS), pathLine(roots), { flag: 'wx' });
  return roots;
}

/** The folder of the project that a package was installed from; undefined for all other packages. */
async function folderOf(info: string, built: string): Promise<string | undefined> {
  const text = await readRegular(join(info, 'direct_url.json'), MAX_RECORD);
  if (text === undefined) return undefined;
  try {
    const { url, dir_info: isFolder } = tableOf(JSON.parse(text.toString('utf8')));
    if (isFolder === undefined || typeof url !== 'string') return undefined;
    const path = fileURLToPath(url);
    return path === built ? '.' : isWithin(path, built) ? relative(built, path) : undefined;
  } catch {
    return undefined; // Of another machine, or no URL at all.
  }
}

async function inspect(site: string, info: string, folder: string, source: string): Promise<Own | undefined> {
  const record = join(site, info, 'RECORD');
  const text = (await readRegular(record, MAX_RECORD))?.toString('utf8') ?? '';
  const scripts = scriptsIn(
    (await readRegular(join(site, info, 'entry_points.txt'), MAX_RECORD))?.toString('utf8') ?? '',
  );
  const lines: string[] = [];
  const files = new Map<string, string[]>();
  for (const line of text.split(/\r?\n/).filter((one) => one !== '')) {
    const [path = ''] = line.split(',', 1);
    const generated = /^(?:\.\.\/)+bin\/([^/]+)$/.exec(path)?.[1];
    if (path.startsWith(`${info}/`) || (generated !== undefined && scripts.has(generated))) lines.push(line);
    else if (!isPlain(path)) return undefined;
    else files.set(topOf(path), [...(files.get(topOf(path)) ?? []), path]);
  }
  const all = [...files.values()].flat();
  if (lines.length === 0 || all.length > MAX_FILES) return undefined;
  const roots = new Set<string>();
  for (const [top, paths] of files) {
    const root = await rootOf(top, paths, site, join(source, folder));
    if (root === undefined) return undefined;
    roots.add(posix.join(folder, root));
  }
  return { record, lines, files: all, roots: [...roots] };
}

/** The names of the programs that an installer writes for a package (https://packaging.python.org/en/latest/specifications/entry-points/). */
function scriptsIn(text: string): Set<string> {
  const names = new Set<string>();
  let section = '';
  for (const line of text.split(/\r?\n/)) {
    section = /^\[([\w.]+)\]\s*$/.exec(line)?.[1] ?? section;
    const name = /^([^=\s]+)\s*=/.exec(line)?.[1];
    if (name !== undefined && ['console_scripts', 'gui_scripts'].includes(section)) names.add(name);
  }
  return names;
}

/** A path below site-packages that may be taken out. Streamlit looks for the lists of components among a package's files. */
function isPlain(path: string): boolean {
  const parts = path.split('/');
  return (
    !/["\\]/.test(path) &&
    parts.every((part) => part !== '' && part !== '.' && part !== '..') &&
    parts[0] !== 'streamlit' &&
    parts.at(-1) !== 'pyproject.toml'
  );
}

function topOf(path: string): string {
  return path.split('/', 1)[0] ?? path;
}

/** The folder of the project, seen from where it is installed from, below which all of these files are the same. */
async function rootOf(
  top: string,
  paths: readonly string[],
  site: string,
  project: string,
): Promise<string | undefined> {
  for (const root of await placesOf(top, project)) {
    let same = true;
    for (const path of paths) {
      same &&= await isSame(join(site, path), join(project, root, path));
      if (!same) break;
    }
    if (same) return root;
  }
  return undefined;
}

/** Where something of that name is in a project, the outermost first: tools expect it at the top, in `src` or the like. */
async function placesOf(top: string, project: string): Promise<string[]> {
  const found: string[] = [];
  let level = [''];
  for (let depth = 0; depth < 3; depth += 1) {
    const next: string[] = [];
    for (const folder of level) {
      for (const entry of await readdir(join(project, folder), { withFileTypes: true })) {
        if (entry.name === top && !entry.isSymbolicLink()) found.push(folder);
        if (entry.isDirectory() && !/^\.|^(?:build|dist|node_modules)$/.test(entry.name))
          next.push(posix.join(folder, entry.name));
      }
    }
    level = next.slice(0, 500);
  }
  return found;
}

async function isSame(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([readRegular(one, MAX_FILE), readRegular(other, MAX_FILE)]);
  return a !== undefined && b !== undefined && a.equals(b);
}

/** The folders of files, the innermost first. */
function foldersOf(files: readonly string[]): string[] {
  const folders = new Set<string>();
  for (const file of files) {
    for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) folders.add(folder);
  }
  return [...folders].sort((a, b) => b.length - a.length);
}

/** Python runs such a line as it begins (https://docs.python.org/3/library/site.html); the launcher says where the project is. */
function pathLine(roots: readonly string[]): string {
  // Python takes the two halves of a character for two.
  const list = JSON.stringify(roots).replace(
    /[^\x20-\x7e]/gu,
    (character) => `\\U${(character.codePointAt(0) ?? 0).toString(16).padStart(8, '0')}`,
  );
  return `import os, sys; sys.path.extend(os.path.join(os.environ["STREAMLIT_HOST_SOURCE"], one) for one in ${list} if "STREAMLIT_HOST_SOURCE" in os.environ)\n`;
}
