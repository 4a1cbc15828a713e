import { constants } from 'node:fs';
import { lstat, open, readdir, readlink, realpath, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../errors.js';
import { encodeFrame, SAYS } from './frames.js';

/** How much of a file is sent at once, in bytes. */
const PART = 256 * 1024;
/** What is kept of the rights of a file. */
const [READ_ONLY, ALL] = [0o555, 0o777];

/** A folder (`d`), a file or a link, as `python/agent.py` makes it. */
export function entryFrame(kind: 'd' | 'f' | 'l', path: string, mode: number, target = ''): Buffer {
  return encodeFrame(SAYS.entry, [kind, mode.toString(8), path, target].join('\0'));
}

/**
 * Reads files and folders with all that is in them, as what is sent to an instance: there they have the same paths, and nobody
 * may write to them. What is missing is left out.
 */
export async function* framesOf(paths: readonly string[]): AsyncIterable<Buffer> {
  for (const path of paths) {
    const real = await realpath(path).catch(ifMissing);
    if (real !== undefined) yield* framesAt(real, path, READ_ONLY);
  }
}

/** Reads what is in a folder, as files that the app may change. @param at where they are to be */
export async function* copyOf(folder: string, at: string): AsyncIterable<Buffer> {
  const real = await realpath(folder);
  for (const name of await readdir(real)) yield* framesAt(join(real, name), join(at, name), ALL);
}

/** @param path without links in it */
async function* framesAt(path: string, at: string, mask: number): AsyncIterable<Buffer> {
  const facts = await lstat(path).catch(ifMissing);
  if (facts === undefined) return;
  const mode = facts.mode & mask;
  if (facts.isSymbolicLink()) yield entryFrame('l', at, mode, await readlink(path));
  else if (facts.isDirectory()) {
    yield entryFrame('d', at, mode);
    for (const name of (await readdir(path)).sort()) yield* framesAt(join(path, name), join(at, name), mask);
  } else if (facts.isFile()) {
    const file = await openItself(path);
    if (file === undefined) return;
    yield entryFrame('f', at, mode);
    for await (const part of file.createReadStream({ highWaterMark: PART }) as AsyncIterable<Buffer>)
      yield encodeFrame(SAYS.content, part);
  }
}

/**
 * Opens a file to read it; undefined where it is another one by now: an app that still runs here may have put a link in the place
 * of its file, or of a folder above it, and the server may read what the app may not.
 */
async function openItself(path: string): Promise<FileHandle | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(ifMissing);
  if (file === undefined) return undefined;
  try {
    if ((await readlink(`/proc/self/fd/${file.fd}`)) === path && (await file.stat()).isFile()) return file;
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return undefined;
}

function ifMissing(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ELOOP')) throw error;
}
