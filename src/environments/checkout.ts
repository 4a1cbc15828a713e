import { randomBytes } from 'node:crypto';
import { chmod, constants, copyFile, lstat, mkdir, readdir, readFile, readlink, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { ensureFolder } from '../lib/ensure-folder.js';
import { replaceFile } from '../lib/replace-file.js';
import { gitCheckoutIndex, gitEnvironment, gitReadTree } from '../domain/project/commands.js';
import { maybePointer, readPointer, type LfsPointer } from '../domain/project/lfs.js';
import { Links } from '../domain/project/links.js';
import { hasCode, Refusal } from '../errors.js';
import { diskFull, isDiskFull } from './failures.js';
import { runCommand } from './run.js';

/** The longest that git may take for one step, in ms. */
const TIMEOUT_MS = 10 * 60_000;

/** Contents that Git LFS stores apart from a repository. */
export interface Contents {
  hasAny(): Promise<boolean>;
  has(pointer: LfsPointer): Promise<boolean>;
  /** The file of one that is there. */
  path(oid: string): string;
}

/** What to check out, and where. */
export interface CheckoutRequest {
  /** The bare repository. */
  repository: string;
  /** The full commit id. */
  commit: string;
  /** The folder to be made; the one above it is made where it is missing. */
  to: string;
  /** What Git LFS stores for the repository. */
  lfs?: Contents | undefined;
  /** PATH of git. */
  path: string;
  signal?: AbortSignal | undefined;
  onSpawn?: ((pid: number) => void) | undefined;
}

/**
 * Puts the files of a commit into a new folder, read-only: the complete folder or none. No hook, no filter and no other
 * program runs. Where the folder is there already, it is complete, and stays as it is.
 * @returns how many files it has
 * @throws Refusal `link-outside`, `lfs-object-lost`, `disk-full`; CommandFailed where git fails or is aborted;
 *   the signal's reason
 */
export async function checkout(request: CheckoutRequest): Promise<number> {
  const { repository, commit, to, lfs, path, signal, onSpawn } = request;
  if (await isThere(to))
    return (await readdir(to, { recursive: true, withFileTypes: true })).filter((entry) => !entry.isDirectory()).length;
  await ensureFolder(dirname(to));
  await removeDrafts(to);
  const draft = `${to}.draft-${randomBytes(4).toString('hex')}`;
  const index = `${draft}.index`;
  try {
    await mkdir(draft);
    await plainAttributes(repository);
    const env = { ...gitEnvironment(path), GIT_INDEX_FILE: index };
    for (const argv of [gitReadTree(repository, commit), gitCheckoutIndex(repository, draft)]) {
      await runCommand({ argv, cwd: draft, env, timeoutMs: TIMEOUT_MS, signal, onSpawn });
    }
    if (lfs !== undefined && (await lfs.hasAny())) await fetchContents(draft, lfs, signal);
    const files = await makeReadOnly(draft);
    await rename(draft, to);
    return files;
  } catch (error) {
    if (isDiskFull(error)) throw diskFull('the files could not be written', error);
    throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
    await Promise.all([index, `${index}.lock`].map((file) => rm(file, { force: true })));
  }
}

/**
 * Sees to it that the files on disk are those of the commit, to the byte: a repository's own .gitattributes could have
 * git write other ones than were inspected, such as with `working-tree-encoding`. This place goes before it
 * (https://git-scm.com/docs/gitattributes).
 */
async function plainAttributes(repository: string): Promise<void> {
  await ensureFolder(join(repository, 'info'));
  await replaceFile(join(repository, 'info/attributes'), '* -working-tree-encoding -ident -filter -text -eol\n', {
    mode: 0o644,
  });
}

/**
 * Puts the content of what Git LFS stores into the place of its pointers: a copy, since an app may be able to change its files.
 * @throws Refusal `lfs-object-lost` where one is not there; the signal's reason
 */
async function fetchContents(root: string, objects: Contents, signal: AbortSignal | undefined): Promise<void> {
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    signal?.throwIfAborted();
    const file = join(entry.parentPath, entry.name);
    if (!entry.isFile()) continue;
    const { size, mode } = await lstat(file);
    if (!maybePointer(size)) continue;
    const pointer = readPointer(await readFile(file));
    if (pointer === undefined) continue;
    if (!(await objects.has(pointer))) {
      const path = relative(root, file);
      const sentence = `The content of ${path} is not stored any more. Push it with "git lfs push --all" and the name of the remote.`;
      throw new Refusal('invalid', 'lfs-object-lost', sentence, { field: path });
    }
    await copyFile(objects.path(pointer.oid), file, constants.COPYFILE_FICLONE);
    // The copy has the mode of what it was made from, which nobody else may read.
    await chmod(file, mode);
  }
}

/** What an interrupted checkout left behind. */
async function removeDrafts(to: string): Promise<void> {
  const names = (await readdir(dirname(to))).filter((name) => name.startsWith(`${basename(to)}.draft-`));
  await Promise.all(names.map((name) => rm(join(dirname(to), name), { recursive: true, force: true })));
}

/**
 * Takes the right to write from every file, following no link. Folders stay writable: Python keeps its bytecode there.
 * @returns how many files and links there are
 * @throws Refusal `link-outside` where a link leaves the folder
 */
async function makeReadOnly(root: string): Promise<number> {
  let files = 0;
  const links = new Map<string, string>();
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (!entry.isDirectory()) files += 1;
    if (entry.isSymbolicLink()) links.set(relative(root, file).split(sep).join('/'), await readlink(file));
    else if (entry.isFile()) await chmod(file, (await lstat(file)).mode & 0o555);
  }
  const outside = new Links(links).outside();
  if (outside !== undefined) {
    const { path, target } = outside;
    throw new Refusal(
      'invalid',
      'link-outside',
      `${path} is a symbolic link to ${target}, outside of the project. Replace it with the file itself.`,
      {
        field: path,
      },
    );
  }
  return files;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}
