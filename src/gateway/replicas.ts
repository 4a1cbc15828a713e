import { createHash } from 'node:crypto';
import { pinText, type Pin } from '../domain/app/pin.js';
import type { Target } from './target.js';

/** How many pages of processes that are gone are remembered for one app. */
const MAX_STRAYS = 1_000;

/** Returns the process for a new page: of those that serve, the one with the fewest open pages. */
export function forNewPage(targets: Iterable<Target>): Target | undefined {
  return best(targets, (one, other) => rank(one) - rank(other) || one.load - other.load || order(one, other));
}

/** The pages whose own process is gone. All that such a page asks for must reach one and the same other process. */
export class Strays {
  /** Where they went, by their pins; those that were not seen for the longest time first. */
  readonly #targets = new Map<string, Target>();

  /** Returns the process for a page whose own is gone. @param live the processes that take new pages */
  pick(pin: Pin, live: ReadonlySet<Target>): Target | undefined {
    const key = pinText(pin);
    const known = this.#targets.get(key);
    const target = known ?? choose(key, live);
    // One that does not serve yet may not be the first one that does.
    if (target === undefined || (known === undefined && target.backend.state !== 'ready')) return target;
    this.#targets.delete(key);
    this.#targets.set(key, target);
    for (const oldest of this.#targets.keys()) {
      if (this.#targets.size <= MAX_STRAYS) break;
      this.#targets.delete(oldest);
    }
    return target;
  }

  /** Sends the pages of a process elsewhere from now on: it has lost them, or is about to end. */
  forget(target: Target): void {
    for (const [key, known] of this.#targets) if (known === target) this.#targets.delete(key);
  }
}

/** The same one for the same page whenever it is asked, also by the next server, as long as the same processes serve. */
function choose(key: string, live: Iterable<Target>): Target | undefined {
  const score = ({ pin }: Target): string =>
    createHash('sha256')
      .update(`${key} ${pinText(pin)}`)
      .digest('hex');
  return best(live, (one, other) => rank(one) - rank(other) || (score(one) < score(other) ? -1 : 1));
}

/** Those that serve come before those that soon will. */
function rank({ backend: { state } }: Target): number {
  return state === 'ready' ? 0 : state === 'starting' ? 1 : 2;
}

function order(one: Target, other: Target): number {
  return one.pin.replica - other.pin.replica;
}

function best(targets: Iterable<Target>, compare: (one: Target, other: Target) => number): Target | undefined {
  return [...targets].sort(compare)[0];
}
