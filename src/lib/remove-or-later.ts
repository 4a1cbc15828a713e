import { rm } from 'node:fs/promises';
import { isUnwritable } from '../errors.js';

/** How often it is tried again, in ms. */
const AGAIN_MS = 5_000;

/**
 * Deletes a file, if there is one. On a read-only disk, it is deleted once the disk can be written, unless the server ends before:
 * no other file ever has its name.
 * @param remove deletes it
 */
export async function removeOrLater(path: string, remove: (path: string) => Promise<void> = removeNow): Promise<void> {
  try {
    await remove(path);
  } catch (error) {
    if (!isUnwritable(error)) throw error;
    const timer = setInterval(() => {
      remove(path).then(
        () => clearInterval(timer),
        () => undefined, // Not yet.
      );
    }, AGAIN_MS).unref();
  }
}

async function removeNow(path: string): Promise<void> {
  await rm(path, { force: true });
}
