import { setTimeout as sleep } from 'node:timers/promises';
import type { Instance } from './runtime.js';

/** After how long (ms) an instance is ended again that could not be. */
const AGAIN_MS = 1_000;

/**
 * Ends an instance. What fails for now, such as where no more files can be opened, is tried again, so that nothing keeps running
 * that nobody knows any more.
 * @param graceMs how long it may take to end by itself, in ms
 * @param gaveUp true once it is not to be tried again
 * @throws Error as the last try did
 */
export async function endForSure(
  instance: Pick<Instance, 'end'>,
  graceMs: number,
  gaveUp: () => boolean,
): Promise<void> {
  for (;;) {
    try {
      return await instance.end(graceMs);
    } catch (error) {
      if (gaveUp()) throw error;
      await sleep(AGAIN_MS, undefined, { ref: false });
    }
  }
}
