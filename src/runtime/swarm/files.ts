import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
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
  for (const path of paths) yield* framesAt(path, path, READ_ONLY);
}

/** Reads what is in a folder, as files that the app may change. @param at where they are to be */
export async function* copyOf(folder: string, at: string): AsyncIterable<Buffer> {
  for (const name of await readdir(folder)) yield* framesAt(join(folder, name), join(at, name), ALL);
}

async function* framesAt(path: string, at: string, mask: number): AsyncIterable<Buffer> {
  const facts = await lstat(path).catch(ifMissing);
  if (facts === undefined) return;
  const mode = facts.mode & mask;
  if (facts.isSymbolicLink()) yield entryFrame('l', at, mode, await readlink(path));
  else if (facts.isDirectory()) {
    yield entryFrame('d', at, mode);
    for (const name of (await readdir(path)).sort()) yield* framesAt(join(path, name), join(at, name), mask);
  } else if (facts.isFile()) {
    yield entryFrame('f', at, mode);
    for await (const part of createReadStream(path, { highWaterMark: PART }) as AsyncIterable<Buffer>)
      yield encodeFrame(SAYS.content, part);
  }
}

function ifMissing(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT')) throw error;
}
