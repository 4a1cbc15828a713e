import { Refusal, type RefusalCode } from '../../errors.js';
import { printable } from '../app/app.js';
import { APP_FILE, parseAppFile, type AppFile } from './app-file.js';
import { TREE_LIMITS, type TreeLimits } from './tree-limits.js';
import { chooseDependencies, type Dependencies, type ProjectFiles } from '../python/dependencies.js';
import { chooseEntrypoint, withoutLauncher } from './entrypoint.js';
import { APP_SETTINGS, below, DEPENDENCY_FILES, folderOf, type Layout } from './layout.js';
import { maybePointer, readPointer, type LfsPointer } from './lfs.js';
import { Links } from './links.js';
import { offeringLists } from './other-lists.js';
import { PACKAGES_FILE, parsePackages } from './packages-txt.js';
import { parsePythonWish, readPythonVersionFile, type PythonWish } from '../python/python-version.js';
import { readRequirements } from '../python/requirements.js';
import { formatMebibytes } from '../../lib/units.js';

/** One entry of a commit, as `git ls-tree -r -l -z` tells it. */
export interface TreeEntry {
  /** 100644, 100755, 120000 (a symbolic link) or 160000 (a submodule). */
  mode: string;
  object: string;
  /** bytes; 0 for a submodule */
  size: number;
  path: string;
}

/** What is known of a commit that may be deployed. */
export interface Inspection {
  /** The folder of the app where it is not the top of the repository; all paths here start there. */
  root: string | undefined;
  /** The file Streamlit runs. */
  entrypoint: string;
  dependencies: Dependencies;
  /** Which Python it asks for, where it does. */
  python: PythonWish | undefined;
  /** The Debian packages that it needs. */
  packages: string[];
  /** What its streamlit-host.toml says. */
  settings: AppFile;
  files: number;
  /** With the content of what Git LFS stores. */
  bytes: number;
  /** What Git LFS stores of it; all of it must be there. */
  lfs: LfsFile[];
}

/** A file of a commit that Git LFS stores apart. */
export interface LfsFile extends LfsPointer {
  /** In the repository. */
  path: string;
}

const LINK = '120000';
const SUBMODULE = '160000';

/** What bytes that are not UTF-8 become in a text: such a name no longer leads to its file. */
const NOT_UTF8 = '\uFFFD';

/** The most that a file of dependencies may have, in bytes. YAML takes a hundred times as long to read as anything else. */
function mostBytes(file: string): number {
  if (file.endsWith('.lock')) return 16 * 1024 * 1024;
  return /\.ya?ml$/.test(file) ? 64 * 1024 : 1024 * 1024;
}

/** The files of a folder that say how a project is to be made ready, and the most that each may have, in bytes. */
const READ = new Map<string, number>([
  ...DEPENDENCY_FILES.map((file): [string, number] => [file, mostBytes(file)]),
  ...[APP_FILE, PACKAGES_FILE, '.python-version', 'runtime.txt'].map((file): [string, number] => [file, 64 * 1024]),
]);

/** The most that a main file may have for its own list of packages to be read, in bytes. */
const MAX_MAIN = 256 * 1024;

/** Which files of a commit are read, by their paths in the repository, and the most that each may have, in bytes. */
type ToRead = ReadonlyMap<string, number>;

/** Where the parts of an app are, and who said so. */
interface Plan {
  root: string;
  settings: AppFile;
  main: string;
  /** The dependency file, where one was named. */
  list: { file: string; where: string } | undefined;
}

/** The entries that `git ls-tree -r -l -z` printed. @throws Error where it is something else */
export function parseTree(output: Buffer | string): TreeEntry[] {
  return output
    .toString('utf8')
    .split('\0')
    .filter((record) => record !== '')
    .map((record) => {
      const found = /^(\d{6}) \w+ ([0-9a-f]+) +(\d+|-)\t(.*)$/s.exec(record);
      if (found === null) throw new Error(`not a line of git ls-tree -l: ${printable(record)}`);
      const [, mode = '', object = '', size = '', path = ''] = found;
      return { mode, object, size: size === '-' ? 0 : Number(size), path };
    });
}

/** The blobs of the settings that an app brings along: where it is may be told there. */
export function settingsToRead(entries: readonly TreeEntry[], layout: Layout = {}): string[] {
  const paths = settingsPaths(layout);
  return entries
    .filter(({ mode, size, path }) => mode !== LINK && paths.includes(path) && size <= (READ.get(APP_FILE) ?? 0))
    .map(({ object }) => object);
}

/**
 * The blobs that `inspectTree` must see: links, the files it reads, and what has the size of an LFS pointer.
 * @param contents those of `settingsToRead`, by their ids
 */
export function blobsToRead(
  entries: readonly TreeEntry[],
  layout: Layout = {},
  contents: ReadonlyMap<string, Buffer> = new Map(),
): string[] {
  const read = toRead(planOrNone(entries, layout, contents), layout);
  const wanted = entries.filter(
    ({ mode, size, path }) =>
      mode !== SUBMODULE && (mode === LINK ? size <= 4_096 : size <= (read.get(path) ?? 0) || maybePointer(size)),
  );
  return [...new Set(wanted.map(({ object }) => object))];
}

/** The blobs that `git cat-file --batch` printed, by their ids. */
export function parseBlobs(output: Buffer): Map<string, Buffer> {
  const blobs = new Map<string, Buffer>();
  for (let at = 0; at < output.length;) {
    const newline = output.indexOf(0x0a, at);
    const [object = '', type, size = ''] = output.toString('latin1', at, newline).split(' ');
    // With a negative size, it would go back for ever.
    if (newline === -1 || type !== 'blob' || !/^\d+$/.test(size))
      throw new Error(`git cat-file --batch: no blob ${object}`);
    const start = newline + 1;
    blobs.set(object, output.subarray(start, start + Number(size)));
    at = start + Number(size) + 1;
  }
  return blobs;
}

/**
 * Looks at a commit before anything is done with it.
 * @param contents those of `blobsToRead`, by their ids
 * @param layout where in the repository the app is, as far as a person has said so elsewhere
 * @throws Refusal that names the file at fault: `no-entrypoint`, `no-requirements`, `requirements-unreadable`,
 *   `requirements-unsupported`, `streamlit-too-old`, `python-invalid`, `python-too-old`, `packages-invalid`,
 *   `app-file-invalid`, `root-missing`, `path-not-utf8`, `submodule`, `link-outside`, `lfs-pointer`, `file-too-large`,
 *   `project-too-large`, `project-too-many-files`
 */
export function inspectTree(
  entries: readonly TreeEntry[],
  contents: ReadonlyMap<string, Buffer>,
  limits: TreeLimits = TREE_LIMITS,
  layout: Layout = {},
): Inspection {
  if (entries.length > limits.files) {
    throw new Refusal(
      'too-large',
      'project-too-many-files',
      `The project has ${entries.length} files; the limit is ${limits.files}. Leave out files the app does not need.`,
    );
  }
  const links = new Map<string, string>();
  const lfs: LfsFile[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const { mode, path } = entry;
    const text = contents.get(entry.object);
    const pointer = mode === LINK || text === undefined ? undefined : readPointer(text);
    const size = pointer?.size ?? entry.size;
    if (path.includes(NOT_UTF8)) {
      throw refusal('path-not-utf8', path, 'has a name that is not valid UTF-8. Rename it and push again.');
    }
    if (mode === SUBMODULE) {
      throw refusal(
        'submodule',
        path,
        'is a submodule, and git does not push its files. Add them to the project itself.',
      );
    }
    if (mode === LINK) links.set(path, text?.toString('utf8') ?? '/');
    if (pointer !== undefined) lfs.push({ path, ...pointer });
    if (pointer === undefined && size > limits.fileBytes) {
      throw refusal(
        'file-too-large',
        path,
        `is ${formatMebibytes(size)}; the limit for one file is ${formatMebibytes(limits.fileBytes)}. ` +
          `Store it with Git LFS (git lfs track ${JSON.stringify(printable(path))}), or elsewhere.`,
        'too-large',
      );
    }
    bytes += size;
  }
  if (bytes > limits.totalBytes) {
    throw new Refusal(
      'too-large',
      'project-too-large',
      `The project is ${formatMebibytes(bytes)}; the limit is ${formatMebibytes(limits.totalBytes)}. Store large files elsewhere.`,
    );
  }
  const outside = new Links(links).outside();
  if (outside !== undefined) {
    throw refusal(
      'link-outside',
      outside.path,
      `is a symbolic link to ${printable(outside.target)}, outside of the project. Replace it with the file itself.`,
    );
  }
  return { ...appOf(entries, contents, layout), files: entries.length, bytes, lfs };
}

function appOf(
  entries: readonly TreeEntry[],
  contents: ReadonlyMap<string, Buffer>,
  layout: Layout,
): Omit<Inspection, 'files' | 'bytes' | 'lfs'> {
  const { root, settings, main, list } = planOf(entries, contents, layout);
  const files = filesOf(entries, contents, root, toRead({ root, main, list }, layout));
  const folders = [...new Set([folderOf(main), ''])];
  const dependencies = offeringLists(pathsWithin(entries, root), () =>
    chooseDependencies(
      files,
      list,
      'refused',
      folders,
      isReadable(below(root, main), entries, contents) ? main : undefined,
    ),
  );
  const packages = folders.map((folder) => below(folder, PACKAGES_FILE)).find((file) => files.has(file));
  return {
    root: root === '' ? undefined : root,
    entrypoint: main,
    dependencies,
    python: pythonOf(files, settings, folders) ?? dependencies.python,
    packages: packages === undefined ? [] : parsePackages(files.text(packages)),
    settings,
  };
}

/** Returns whether a file is one, and was read: code may be as large as it likes. */
function isReadable(path: string, entries: readonly TreeEntry[], contents: ReadonlyMap<string, Buffer>): boolean {
  const entry = entries.find((one) => one.path === path && one.mode !== LINK);
  const text = contents.get(entry?.object ?? '');
  return text !== undefined && readPointer(text) === undefined;
}

/** The files below a root, by their paths from there, without links. */
function pathsWithin(entries: readonly TreeEntry[], root: string): string[] {
  const start = root === '' ? '' : `${root}/`;
  return entries.flatMap(({ path, mode }) => (mode !== LINK && path.startsWith(start) ? path.slice(start.length) : []));
}

/** Finds the parts of an app: what was said elsewhere goes before what the project says, and that before what is found. */
function planOf(entries: readonly TreeEntry[], contents: ReadonlyMap<string, Buffer>, layout: Layout): Plan {
  const files = filesOf(
    entries,
    contents,
    '',
    new Map(settingsPaths(layout).map((path) => [path, READ.get(APP_FILE) ?? 0])),
  );
  const file = settingsPaths(layout).find((path) => files.has(path));
  const settings = file === undefined ? {} : parseAppFile(files.text(file));
  const root = layout.root ?? settings.root ?? '';
  const paths = entries.map(({ path }) => path);
  const within =
    root === '' ? paths : paths.flatMap((path) => (path.startsWith(`${root}/`) ? path.slice(root.length + 1) : []));
  if (within.length === 0 && root !== '') {
    const where = layout.root === undefined ? APP_FILE : APP_SETTINGS;
    const sentence = `The root folder ${printable(root)}, set in ${where}, is not in the repository. Add it, or change the setting.`;
    throw new Refusal('invalid', 'root-missing', sentence, { field: 'root' });
  }
  const named = namedIn(layout.main, settings.main);
  const chosen = chooseEntrypoint(within, named);
  const main = 'file' in chosen ? below(root, chosen.file) : undefined;
  const code = contents.get(entries.find(({ path }) => path === main)?.object ?? '')?.toString('utf8') ?? '';
  const found = named === undefined ? withoutLauncher(chosen, within, code) : chosen;
  if ('refusal' in found)
    throw new Refusal('invalid', 'no-entrypoint', found.refusal, {
      field: named === undefined ? 'app.py' : named.where === APP_FILE ? APP_FILE : 'main',
      choices: found.candidates,
    });
  return { root, settings, main: found.file, list: namedIn(layout.dependencies, settings.dependencies) };
}

function planOrNone(...given: [readonly TreeEntry[], Layout, ReadonlyMap<string, Buffer>]): Omit<Plan, 'settings'> {
  const [entries, layout, contents] = given;
  try {
    return planOf(entries, contents, layout);
  } catch (error) {
    // It is refused for the same reason when it is inspected, unless there is a reason that comes first.
    if (error instanceof Refusal) return { root: layout.root ?? '', main: '', list: undefined };
    throw error;
  }
}

function toRead({ root, main, list }: Omit<Plan, 'settings'>, layout: Layout): ToRead {
  const read = new Map(settingsPaths(layout).map((path) => [path, READ.get(APP_FILE) ?? 0]));
  for (const folder of [folderOf(main), '', ...(list === undefined ? [] : [folderOf(list.file)])])
    for (const [file, most] of READ) read.set(below(root, below(folder, file)), most);
  if (list !== undefined) read.set(below(root, list.file), mostBytes(list.file));
  if (main !== '') read.set(below(root, main), MAX_MAIN);
  return read;
}

/** Where the settings of an app are looked for. */
function settingsPaths({ root = '' }: Layout): string[] {
  return [...new Set([below(root, APP_FILE), APP_FILE])];
}

function namedIn(elsewhere: string | undefined, here: string | undefined): { file: string; where: string } | undefined {
  if (elsewhere !== undefined) return { file: elsewhere, where: APP_SETTINGS };
  return here === undefined ? undefined : { file: here, where: APP_FILE };
}

/**
 * Which Python a project asks for outside of its list of packages.
 * @param folders where it is looked for, one after the other
 * @throws Refusal `python-invalid`, `python-too-old`
 */
export function pythonOf(
  files: ProjectFiles,
  settings: AppFile,
  folders: readonly string[] = [''],
): PythonWish | undefined {
  if (settings.python !== undefined) return parsePythonWish(APP_FILE, settings.python);
  for (const folder of folders)
    for (const name of ['.python-version', 'runtime.txt']) {
      const file = below(folder, name);
      const found = files.has(file) ? readPythonVersionFile(name, files.text(file)) : undefined;
      if (found !== undefined) return found;
    }
  return undefined;
}

/** The files below a root that may be read, by their paths from there. */
function filesOf(
  entries: readonly TreeEntry[],
  contents: ReadonlyMap<string, Buffer>,
  root: string,
  read: ToRead,
): ProjectFiles {
  const known = new Map(entries.filter(({ path }) => read.has(path)).map((entry) => [entry.path, entry]));
  return {
    has: (file) => known.has(below(root, file)),
    text: (file) => {
      const path = below(root, file);
      const entry = known.get(path);
      if (entry?.mode === LINK) {
        throw refusal('requirements-unreadable', file, 'is a symbolic link. Replace it with the file itself.');
      }
      const bytes = contents.get(entry?.object ?? '');
      if (bytes !== undefined && readPointer(bytes) !== undefined) {
        const how = `Run "git lfs untrack ${printable(file)}", add the file again, and push.`;
        throw refusal('lfs-pointer', file, `is stored in Git LFS, but has to be in git itself. ${how}`);
      }
      if (bytes === undefined) {
        const what = `is larger than ${formatMebibytes(read.get(path) ?? 0)}, the limit for this file.`;
        throw refusal('requirements-unreadable', file, what);
      }
      return readRequirements(bytes, file);
    },
  };
}

function refusal(code: RefusalCode, path: string, what: string, kind: 'invalid' | 'too-large' = 'invalid'): Refusal {
  return new Refusal(kind, code, `${printable(path)} ${what}`, { field: printable(path) });
}
