import type { Pin } from '../domain/app/pin.js';
import type { Use } from '../domain/app/sleep.js';
import { Deadline } from '../lib/deadline.js';
import { forNewPage, Strays } from './replicas.js';
import type { Target } from './target.js';

interface AppRoutes {
  /** The processes of the live release that take new pages. */
  live: Set<Target>;
  /** Those of older releases, and replicas that are not wanted any more, while they still have open pages. */
  draining: Set<Target>;
  /** The pages whose own process is gone. */
  strays: Strays;
}

/**
 * Maps apps and pins to processes. The swap of a deploy is one assignment here. A request picks its target and is counted
 * on it in the same tick, so none falls between two releases.
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
   * Makes these targets the ones for new visitors.
   * @returns those that were, which now drain
   */
  swap(app: string, targets: readonly Target[]): Target[] {
    const entry = this.#entry(app);
    const before = [...entry.live];
    const releases = new Set(targets.map(({ backend }) => backend.release));
    entry.live = new Set(targets);
    for (const one of before) entry.draining.add(one);
    for (const one of entry.draining) if (releases.has(one.backend.release)) this.#remove(entry, one);
    this.changed(app);
    return before;
  }

  /** Lets another replica of the live release take new pages. */
  join(app: string, target: Target): void {
    this.#entry(app).live.add(target);
    this.changed(app);
  }

  /** Gives a target no new pages, and keeps its route for those that it has. */
  drainBehind(app: string, target: Target): void {
    const entry = this.#entry(app);
    entry.live.delete(target);
    entry.draining.add(target);
    this.changed(app);
  }

  /** Removes a target, which gets no further requests. */
  drop(app: string, target: Target): void {
    const entry = this.#entries.get(app);
    if (entry === undefined) return;
    entry.live.delete(target);
    this.#remove(entry, target);
    if (entry.live.size === 0 && entry.draining.size === 0) this.#entries.delete(app);
    this.changed(app);
  }

  /** Sends the pages elsewhere that a target has taken over from others: it has lost them. */
  lost(app: string, target: Target): void {
    this.#entries.get(app)?.strays.forget(target);
  }

  /** Returns the target for a page: its own if it exists and has not lost the page, otherwise a live one, always the same. */
  pick(app: string, pin: Pin | undefined): Target | undefined {
    const entry = this.#entries.get(app);
    if (entry === undefined) return undefined;
    if (pin === undefined) return forNewPage(entry.live);
    const isOwn = ({ pin: own }: Target): boolean => own.release === pin.release && own.replica === pin.replica;
    const live = [...entry.live].find(isOwn);
    if (live !== undefined) return live;
    const own = [...entry.draining].find(isOwn);
    // What drains is not started again: with its process, the state of its pages is gone.
    if (own?.backend.state === 'ready' || own?.backend.state === 'starting') return own;
    return entry.strays.pick(pin, entry.live);
  }

  /** Returns the target for a new page of an app. */
  live(app: string): Target | undefined {
    return this.pick(app, undefined);
  }

  /** Returns all targets that take new pages. */
  replicas(app: string): Target[] {
    return [...(this.#entries.get(app)?.live ?? [])];
  }

  /** Targets that take no new pages and still have open ones. */
  draining(app: string): Target[] {
    return [...(this.#entries.get(app)?.draining ?? [])];
  }

  /** Returns how an app is used, over all targets that take new pages; undefined where there are none. */
  use(app: string): (Use & { visitedAt: number }) | undefined {
    const all = this.replicas(app);
    if (all.length === 0) return undefined;
    const sum = (of: (target: Target) => number): number => all.reduce((before, one) => before + of(one), 0);
    return {
      lastActivity: Math.max(...all.map(({ lastActivity }) => lastActivity)),
      visitedAt: Math.max(...all.map(({ visitedAt }) => visitedAt)),
      sockets: sum(({ sockets }) => sockets),
      claims: sum(({ claims }) => claims),
    };
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
  async whenReady(app: string, pin: Pin | undefined, limitMs: number, go: () => boolean): Promise<Target | undefined> {
    const deadline = new Deadline(limitMs);
    for (;;) {
      const target = this.pick(app, pin);
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

  #entry(app: string): AppRoutes {
    const entry = this.#entries.get(app) ?? { live: new Set(), draining: new Set(), strays: new Strays() };
    this.#entries.set(app, entry);
    return entry;
  }

  #remove(entry: AppRoutes, target: Target): void {
    entry.draining.delete(target);
    entry.strays.forget(target);
  }
}
