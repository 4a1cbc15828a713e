import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Deadline } from '../lib/deadline.js';
import type { Target } from '../gateway/target.js';

/** How long an older release is kept for its open pages. */
export interface DrainLimits {
  /** How long (ms) Streamlit keeps the state of a disconnected page, so that it can reconnect. */
  ttlMs: number;
  /** The maximum time (ms) an older release is kept. */
  limitMs: number;
}

/**
 * Waits until an older process is no longer needed: no page can reconnect and no request is in progress, or the process has
 * crashed, or the time limit has passed.
 * @returns false if the wait was cancelled
 */
export async function drained(target: Target, limits: DrainLimits, signal: AbortSignal): Promise<boolean> {
  // One signal ends all drains, of which there may be many: Node warns of the eleventh that listens.
  setMaxListeners(0, signal);
  const deadline = new Deadline(limits.limitMs);
  for (;;) {
    if (signal.aborted) return false;
    // A process that crashed has taken its pages' state with it.
    if (deadline.isOver || target.backend.state === 'crashed') return true;
    const quietSince = target.lastSocketAt;
    const needed = target.claims > 0 || (quietSince !== 0 && Date.now() - quietSince < limits.ttlMs);
    if (!needed) return true;
    // The loop checks the signal.
    await sleep(Math.min(250, deadline.left), undefined, { signal, ref: false }).catch(() => undefined);
  }
}
