import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { hasCode, messageOf, Refusal } from '../errors.js';
import { git, streamGit } from './git.js';
import { counted } from '../lib/words.js';

/** A folder to upload. */
export interface Archive {
  /** Describes the content for the person who uploads it. */
  what: string;
  /** The tar.gz, created while it is read. */
  content: AsyncIterable<Uint8Array>;
}

/** Folders that belong to a machine or a tool, never to an app. */
const LEFT_OUT = new Set(['.git', 'venv', '.venv', '__pycache__', 'node_modules', '.DS_Store']);

/**
 * Packs a folder as a tar.gz: the last commit of a clean checkout; otherwise the files that git tracks or would add,
 * without ignored ones; without git, every file except environments and caches.
 * @throws Refusal `folder-not-found`, `folder-empty`
 */
export async function archiveOf(folder: string): Promise<Archive> {
  const found = await lstat(folder).catch((error: unknown) => {
    throw new Refusal('not-found', 'folder-not-found', `Cannot read the folder ${folder}: ${messageOf(error)}.`, {
      cause: error,
    });
  });
  if (!found.isDirectory() && !found.isSymbolicLink())
    throw new Refusal('invalid', 'folder-not-found', `${folder} is not a folder.`);

  const known = await filesOfGit(folder);
  if (known !== undefined && known.length > 0) {
    const commit = await cleanCommit(folder);
    if (commit !== undefined) {
      return {
        what: `commit ${commit.slice(0, 7)}`,
        content: streamGit(folder, ['archive', '--format=tar.gz', commit]),
      };
    }
    return {
      what: `${counted(known.length, 'file')}, including uncommitted changes,`,
      content: pack(folder, known),
    };
  }
  const files = await walk(folder);
  if (files.length === 0) throw new Refusal('invalid', 'folder-empty', `There are no files to upload in ${folder}.`);
  return { what: counted(files.length, 'file'), content: pack(folder, files) };
}

/** Returns the files that git tracks or would add, relative to the folder; undefined outside of a checkout. */
async function filesOfGit(folder: string): Promise<string[] | undefined> {
  const listed = await git(folder, ['ls-files', '-z', '--cached', '--others', '--exclude-standard']).catch(
    (error: unknown) => {
      if (error instanceof Refusal && error.code === 'git-missing') return undefined; // Then it is a folder like any other.
      throw error;
    },
  );
  return listed === undefined ? undefined : [...new Set(listed.split('\0').filter((path) => path !== ''))];
}

/** Returns the commit of a folder without changes. */
async function cleanCommit(folder: string): Promise<string | undefined> {
  const head = (await git(folder, ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}']))?.trim();
  if (head === undefined || head === '') return undefined;
  return (await git(folder, ['status', '--porcelain', '-z', '--', '.'])) === '' ? head : undefined;
}

async function walk(folder: string, below = ''): Promise<string[]> {
  const entries = await readdir(join(folder, below), { withFileTypes: true });
  // An environment, whatever its name. (https://docs.python.org/3/library/site.html)
  if (below !== '' && entries.some((entry) => entry.name === 'pyvenv.cfg')) return [];
  const found: string[] = [];
  for (const entry of entries) {
    if (LEFT_OUT.has(entry.name)) continue;
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) found.push(...(await walk(folder, path)));
    else if (entry.isFile() || entry.isSymbolicLink()) found.push(path);
  }
  return found;
}

/** Packs the files as a tar.gz, one after the other. */
async function* pack(folder: string, paths: readonly string[]): AsyncGenerator<Uint8Array> {
  const { default: tar } = await import('tar-stream');
  const out = tar.pack();
  const zip = createGzip();
  const filling = fill().then(
    () => out.finalize(),
    (error: unknown) => out.destroy(error as Error),
  );
  const zipping = pipeline(out as unknown as Readable, zip);
  // What went wrong reaches the reader through zip.
  zipping.catch(() => undefined);
  try {
    yield* zip as AsyncIterable<Uint8Array>;
    await zipping;
  } finally {
    out.destroy();
    zip.destroy();
    await filling;
  }

  async function fill(): Promise<void> {
    for (const path of paths) {
      const file = join(folder, path);
      const info = await lstat(file).catch((error: unknown) => {
        if (hasCode(error, 'ENOENT')) return undefined; // Deleted, and git was not told yet.
        throw error;
      });
      const mode = info !== undefined && (info.mode & 0o111) !== 0 ? 0o755 : 0o644;
      if (info?.isSymbolicLink() === true) {
        out.entry({ name: path, type: 'symlink', linkname: await readlink(file) });
      } else if (info?.isFile() === true) {
        // Read to the size that was announced: a file that grows meanwhile would break the archive.
        const header = { name: path, size: info.size, mode, mtime: info.mtime };
        if (info.size === 0) out.entry(header, Buffer.alloc(0));
        else await pipeline(createReadStream(file, { end: info.size - 1 }), out.entry(header));
      }
    }
  }
}
