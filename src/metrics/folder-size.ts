import { lstatSync, opendirSync, type Dir, type Stats } from 'node:fs';
import { join } from 'node:path';
import { Deadline } from '../lib/deadline.js';

/** How much of a folder is looked at. */
export interface SizeLimits {
  /** Files and folders. */
  entries: number;
  /** ms */
  ms: number;
}

/** The unit in which the kernel counts what a file takes, in bytes (https://man7.org/linux/man-pages/man3/stat.3type.html). */
const BLOCK = 512;

/**
 * Returns what the files below a folder take on its disk, in bytes; 0 where there is none. Links are not followed, and disks that
 * are mounted in it are left out, as is what cannot be read. It waits for the disk, so it is for a thread of its own.
 * @param limits once one is reached, what was found by then is returned
 */
export function folderSize(folder: string, limits: SizeLimits): number {
  const deadline = new Deadline(limits.ms);
  const device = stat(folder)?.dev;
  const folders = device === undefined ? [] : [folder];
  let [bytes, left] = [0, limits.entries];
  for (let path = folders.pop(); path !== undefined; path = folders.pop()) {
    for (const name of namesIn(path)) {
      left -= 1;
      if (left < 0 || deadline.isOver) return bytes;
      const found = stat(join(path, name));
      if (found?.isDirectory() === true) {
        if (found.dev === device) folders.push(join(path, name));
      } else bytes += bytesOf(found);
    }
  }
  return bytes;
}

/** Returns what some files take together. */
export function filesSize(paths: readonly string[]): number {
  return paths.reduce((sum, path) => sum + bytesOf(stat(path)), 0);
}

function bytesOf(found: Stats | undefined): number {
  return (found?.blocks ?? 0) * BLOCK;
}

/** The names in a folder, not all at once: it may have millions. */
function* namesIn(path: string): Generator<string> {
  let folder: Dir;
  try {
    folder = opendirSync(path, { bufferSize: 256 });
  } catch {
    return; // It was removed meanwhile, or is not ours to look at.
  }
  try {
    for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) yield entry.name;
  } catch {
    // The same; what was found before counts.
  } finally {
    folder.closeSync();
  }
}

/** @returns undefined for what was removed meanwhile */
function stat(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}
