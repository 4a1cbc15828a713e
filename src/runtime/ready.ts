import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from '../lib/address.js';
import { ask } from '../lib/ask.js';
import { Deadline } from '../lib/deadline.js';

/** How often it is asked, in ms. */
const PAUSE_MS = 10;

/**
 * Waits until the process answers its health check, asking often: a start takes well under a second, so a slow poll would be
 * most of a visitor's wait.
 * @param still returns false once there is nothing to wait for
 * @returns true when it is healthy, false if `still` returned false or the time was over
 */
export async function waitForHealth(
  address: Address,
  path: string,
  options: { timeoutMs: number; still: () => boolean; signal?: AbortSignal },
): Promise<boolean> {
  const deadline = new Deadline(options.timeoutMs);
  while (options.still() && options.signal?.aborted !== true && !deadline.isOver) {
    try {
      const answer = await ask(address, path, 2_000, options.signal);
      if (answer.status === 200) return true;
    } catch {
      // Not yet listening, or listening and not yet answering: ask again.
    }
    await sleep(PAUSE_MS);
  }
  return false;
}
