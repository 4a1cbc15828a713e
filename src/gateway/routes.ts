import { Deadline } from '../lib/deadline.js';
import type { Target } from './target.js';

interface AppRoutes {
  live: Target | undefined;
  /** Older releases that still have open pages. */
  draining: Map<number, Target>;
}

/**
 * Maps apps and releases to processes. The swap of a deploy is one assignment here. A request picks its target and is
 * counted on it in the same tick, so none falls between two releases.
 */
export class RouteTable {
  readonly #entries = new Map<string, AppRoutes>();
  readonly #waiting = new Map<string, Set<() => void>>();
  #left = false;

  /** True once another server has taken over, which knows where apps run from now on. */
  get left(): boolean {
    return this.#left;
  }

  /** Lets go of all waits: another server takes over. */
  leave(): void {
    this.#left = true;
    for (const app of [...this.#waiting.keys()]) this.changed(app);
  }

  /**
   * Makes a target the one for new visitors.
   * @returns the one that was, which now drains
   */
  swap(app: string, target: Target): Target | undefined {
    const entry = this.#entries.get(app) ?? { live: undefined, draining: new Map<number, Target>() };
    const before = entry.live;
    if (before !== undefined && before.backend.release !== target.backend.release) {
      entry.draining.set(before.backend.release, before);
    }
    entry.draining.delete(target.backend.release);
    entry.live = target;
    this.#entries.set(app, entry);
    this.changed(app);
    return before;
  }

  /** Restores an older release's route for its pages, as after a server restart. */
  drainBehind(app: string, target: Target): void {
    const entry = this.#entries.get(app) ?? { live: undefined, draining: new Map<number, Target>() };
    entry.draining.set(target.backend.release, target);
    this.#entries.set(app, entry);
    this.changed(app);
  }

  /** Removes a target, which gets no further requests. */
  drop(app: string, target: Target): void {
    const entry = this.#entries.get(app);
    if (entry === undefined) return;
    if (entry.live === target) entry.live = undefined;
    if (entry.draining.get(target.backend.release) === target) entry.draining.delete(target.backend.release);
    if (entry.live === undefined && entry.draining.size === 0) this.#entries.delete(app);
    this.changed(app);
  }

  /** Returns the target for a page of this release: its own if it exists and has not crashed, otherwise the live one. */
  pick(app: string, release: number | undefined): Target | undefined {
    const entry = this.#entries.get(app);
    if (entry === undefined) return undefined;
    const own = release === undefined ? undefined : entry.draining.get(release);
    // An older release is not started again: with its process, the state of its pages is gone.
    return own?.backend.state === 'ready' || own?.backend.state === 'starting' ? own : entry.live;
  }

  /** Returns the live target of an app. */
  live(app: string): Target | undefined {
    return this.#entries.get(app)?.live;
  }

  /** Older targets that still have open pages. */
  draining(app: string): Target[] {
    return [...(this.#entries.get(app)?.draining.values() ?? [])];
  }

  /** Returns whether somebody waits for an app to serve. */
  hasWaiters(app: string): boolean {
    return (this.#waiting.get(app)?.size ?? 0) > 0;
  }

  /** Wakes those who wait for an app, because its process or route has changed. */
  changed(app: string): void {
    const waiters = this.#waiting.get(app);
    this.#waiting.delete(app);
    for (const wake of waiters ?? []) wake();
  }

  /**
   * Waits until the app has a process that serves.
   * @param go false once nobody waits any more, or there is nothing to wait for
   * @returns its target, or undefined when the time (ms) was over or `go` said no
   */
  async whenReady(
    app: string,
    release: number | undefined,
    limitMs: number,
    go: () => boolean,
  ): Promise<Target | undefined> {
    const deadline = new Deadline(limitMs);
    for (;;) {
      const target = this.pick(app, release);
      if (target?.backend.state === 'ready') return target;
      if (this.#left) return undefined;
      const { left } = deadline;
      if (left === 0 || !go()) return undefined;
      await new Promise<void>((resolve) => {
        const waiters = this.#waiting.get(app) ?? new Set();
        this.#waiting.set(app, waiters);
        const wake = (): void => {
          clearTimeout(timer);
          waiters.delete(wake);
          resolve();
        };
        // Looked at again now and then, so that a wait ends soon after its client has gone.
        const timer = setTimeout(wake, Math.min(left, 1_000));
        waiters.add(wake);
      });
    }
  }
}
