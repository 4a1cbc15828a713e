import { APP_FILE, parseAppFile, type AppFile } from '../domain/project/app-file.js';
import { listOf, type Layout } from '../domain/project/layout.js';
import {
  hints,
  keysInCode,
  missingKeys,
  type FileKeys,
  type KnownKeys,
  type MissingKey,
} from '../domain/project/hints.js';
import {
  blobsToRead,
  inspectTree,
  parseBlobs,
  parseTree,
  pythonOf,
  settingsToRead,
  type Inspection,
  type TreeEntry,
} from '../domain/project/tree.js';
import { TREE_LIMITS } from '../domain/project/tree-limits.js';
import { optionsIn, type AppOptions } from '../domain/streamlit/options.js';
import { checkSecrets } from '../domain/config/secrets.js';
import { chooseDependencies, type Dependencies } from '../domain/python/dependencies.js';
import type { PythonWish } from '../domain/python/python-version.js';
import { readRequirements } from '../domain/python/requirements.js';
import { gatherRequirements } from '../environments/requirements.js';
import { Refusal } from '../errors.js';

/** How much code is read: a hint must not delay a deploy. */
const MAX_FILES = 300;
const MAX_FILE_BYTES = 256 * 1024;
const MAX_BYTES = 2 * 1024 * 1024;

/** Folders that are not the app itself: tests, third-party packages, tools. */
const NOT_THE_APP =
  /(^|\/)(\.[^/]*|tests?|venv|env|node_modules|site-packages|__pycache__)\/|(^|\/)(test_[^/]*|[^/]*_test|conftest|setup|noxfile)\.py$/;

/** Where committed secrets are. */
export const COMMITTED = '.streamlit/secrets.toml';

/** Files of a commit, by path and by the id of their content. */
export type CommittedFile = Pick<TreeEntry, 'path' | 'object'>;

/** What the code of a project is looked at for. */
export interface Code {
  python: CommittedFile[];
  secrets: CommittedFile[];
}

/**
 * Everything that parses pushed or uploaded bytes. A `Reader` runs it in a separate thread, so arguments and results are plain
 * data.
 */
export const readings = {
  /**
   * The blobs that `inspection` must see, of what `git ls-tree` printed.
   * @param settings what `git cat-file` printed of those that the first answer names; then it names none
   */
  blobsOf: (tree: Uint8Array, layout: Layout, settings?: Uint8Array): { settings: string[]; all: string[] } => {
    const entries = parseTree(bufferOf(tree));
    if (settings !== undefined)
      return { settings: [], all: blobsToRead(entries, layout, parseBlobs(bufferOf(settings))) };
    const first = settingsToRead(entries, layout);
    return { settings: first, all: first.length > 0 ? [] : blobsToRead(entries, layout) };
  },

  /** What is found in a commit, of what `git ls-tree` and `git cat-file` printed. @throws Refusal as `inspectTree` */
  inspection: (tree: Uint8Array, blobs: Uint8Array, layout: Layout): Inspection =>
    inspectTree(parseTree(bufferOf(tree)), parseBlobs(bufferOf(blobs)), TREE_LIMITS, layout),

  /** What config.toml files choose of Streamlit's options. */
  options: (files: readonly Uint8Array[]): AppOptions => optionsIn(files.map(textOf)),

  /** What a streamlit-host.toml says. @throws Refusal `app-file-invalid` */
  settings: (file: Uint8Array): AppFile => parseAppFile(textOf(file)),

  /**
   * What the files of a folder of the machine say of its packages and its Python.
   * @param folders where they are looked for, one after the other
   * @throws Refusal as `inspectTree`
   */
  dependencies: (
    files: ReadonlyMap<string, Uint8Array>,
    settings: AppFile,
    folders: readonly string[],
  ): { dependencies: Dependencies | undefined; python: PythonWish | undefined } => {
    const texts = new Map([...files].map(([file, content]) => [file, readRequirements(content, file)]));
    const project = { has: (file: string) => texts.has(file), text: (file: string) => texts.get(file) ?? '' };
    const lists = [...texts.keys()].some((file) => !/(^|\/)runtime\.txt$/.test(file) && listOf(file) !== undefined);
    const named = settings.dependencies === undefined ? undefined : { file: settings.dependencies, where: APP_FILE };
    const dependencies = lists || named ? chooseDependencies(project, named, 'allowed', folders) : undefined;
    return { dependencies, python: pythonOf(project, settings, folders) ?? dependencies?.python };
  },

  /** Everything that requirements say, with what they include. @throws Refusal as `gatherRequirements` */
  requirements: gatherRequirements,

  /** Nothing, where Streamlit can read a secrets.toml. @throws Refusal as `checkSecrets` */
  secrets: (text: string): void => checkSecrets(text),

  /** The files that `missing` looks at, of what `git ls-tree` printed. */
  codeOf: (tree: Uint8Array): Code => {
    const entries = parseTree(bufferOf(tree)).filter(({ mode }) => mode.startsWith('100'));
    const plain = ({ path, object }: TreeEntry): CommittedFile => ({ path, object });
    return {
      python: lookedAt(entries.filter(({ path }) => isOfTheApp(path))).map(plain),
      secrets: entries.filter(({ path, size }) => path === COMMITTED && size <= MAX_FILE_BYTES).map(plain),
    };
  },

  /** The keys that a commit's code asks for and that are not known. @param blobs what `git cat-file` printed */
  missing: ({ python, secrets }: Code, blobs: Uint8Array, known: KnownKeys): MissingKey[] => {
    const contents = parseBlobs(bufferOf(blobs));
    const contentOf = (object: string): Buffer => contents.get(object) ?? Buffer.alloc(0);
    const files = new Map(python.map(({ path, object }) => [path, contentOf(object)]));
    return missingKeys(keysOf(files), withCommitted(known, secrets[0] && contentOf(secrets[0].object)));
  },

  /** One sentence for each key that files ask for and that is not known. @param committed the secrets.toml among them */
  hints: (files: ReadonlyMap<string, Uint8Array>, committed: Uint8Array | undefined, known: KnownKeys): string[] =>
    hints(keysOf(files), withCommitted(known, committed)),
};

/** Returns whether a path is a Python file of the app itself. */
export function isOfTheApp(path: string): boolean {
  return path.endsWith('.py') && !NOT_THE_APP.test(path);
}

/** Returns the files that are within the limits. */
export function lookedAt<T extends { path: string; size: number }>(files: readonly T[]): T[] {
  let bytes = 0;
  return [...files]
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .slice(0, MAX_FILES)
    .filter(({ size }) => {
      if (size > MAX_FILE_BYTES || bytes + size > MAX_BYTES) return false;
      bytes += size;
      return true;
    });
}

function keysOf(files: ReadonlyMap<string, Uint8Array>): Map<string, FileKeys> {
  return new Map([...files].map(([path, content]) => [path, keysInCode(textOf(content))]));
}

/** What an app has; secrets that were committed are read by Streamlit where it has none of its own. */
function withCommitted(known: KnownKeys, committed: Uint8Array | undefined): KnownKeys {
  if (known.secretsToml !== '' || committed === undefined) return known;
  return { ...known, secretsToml: readable(textOf(committed)) };
}

/** The text itself, or nothing where Streamlit could not read it either. */
function readable(toml: string): string {
  try {
    checkSecrets(toml);
    return toml;
  } catch (error) {
    if (error instanceof Refusal) return '';
    throw error;
  }
}

/** Turns bytes into a Buffer again: they lose that on the way between threads. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function textOf(bytes: Uint8Array): string {
  return bufferOf(bytes).toString('utf8');
}
