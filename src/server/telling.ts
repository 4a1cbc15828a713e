import { isDeepStrictEqual } from 'node:util';
import type { RelayedUse } from '../gateway/target.js';

/** What goes to processes, by their marks. */
export type Uses = Record<string, RelayedUse>;

/** How often what has changed is told, in ms. */
const TELL_MS = 500;

/**
 * Tells an heir what still goes through a life that has given its apps away: at once, since an app with open pages must not
 * seem unused, and whenever it changes. Once nothing goes through it any more, nothing ever will.
 * @returns what ends that before
 */
export function tellUses(uses: () => Uses, tell: (uses: Uses) => void): () => void {
  let told = uses();
  tell(told);
  const timer = setInterval(() => {
    const now = uses();
    if (!isDeepStrictEqual(now, told)) tell((told = now));
    if (Object.keys(now).length === 0) clearInterval(timer);
  }, TELL_MS).unref();
  return () => clearInterval(timer);
}
