import { setTimeout as sleep } from 'node:timers/promises';
import type { Target } from '../gateway/target.js';

/** For how long an older release is kept for the pages that are open on it. */
export interface DrainLimits {
  /** For how long (ms) Streamlit keeps the state of a page that lost its connection, so that it may come back. */
  ttlMs: number;
  /** The longest time (ms) that an older release is kept at all. */
  limitMs: number;
}

/**
 * Waits until nobody needs an older process any more: no WebSocket for as long as a page may come back, nothing under way,
 * the process has crashed, or the limit is over.
 * @returns false where the wait itself was called off
 */
export async function drained(target: Target, limits: DrainLimits, signal: AbortSignal): Promise<boolean> {
  const deadline = Date.now() + limits.limitMs;
  for (;;) {
    if (signal.aborted) return false;
    const now = Date.now();
    // A process that crashed has taken its pages' state with it.
    if (now >= deadline || target.backend.state === 'crashed') return true;
    const quietSince = target.lastSocketAt;
    const needed = target.claims > 0 || (quietSince !== 0 && now - quietSince < limits.ttlMs);
    if (!needed) return true;
    // The signal is looked at above.
    await sleep(Math.min(250, deadline - now), undefined, { signal, ref: false }).catch(() => undefined);
  }
}
