import type { Target } from '../gateway/target.js';
import type { AppProcess } from '../runtime/app-process.js';

/** A process with the route that leads to it. */
export interface Served {
  process: AppProcess;
  target: Target;
}

/**
 * The processes of all apps that are reached: those of each live release, and those that take no new pages and still have
 * open ones.
 */
export class Lineup {
  /** The replicas of each live release, by their numbers. */
  readonly #live = new Map<string, readonly Served[]>();
  readonly #draining = new Map<string, Set<Served>>();
  /** The highest number of a replica of each live release. */
  readonly #highest = new Map<string, { release: number; replica: number }>();

  /** Those of the live release that take new pages, by their numbers. */
  live(app: string): readonly Served[] {
    return this.#live.get(app) ?? [];
  }

  /** Those that take no new pages. */
  draining(app: string): Served[] {
    return [...(this.#draining.get(app) ?? [])];
  }

  of(app: string): Served[] {
    return [...this.live(app), ...this.draining(app)];
  }

  /** The one of a process, while it is reached. */
  find(app: string, process: AppProcess): Served | undefined {
    return this.of(app).find((one) => one.process === process);
  }

  /** Those of all apps. */
  *all(): Iterable<Served> {
    for (const all of this.#live.values()) yield* all;
    for (const set of this.#draining.values()) yield* set;
  }

  /** The apps that have any. */
  apps(): string[] {
    return [...new Set([...this.#live.keys(), ...this.#draining.keys()])];
  }

  /** Has these take new pages, and no others. */
  setLive(app: string, served: readonly Served[]): void {
    if (served.length === 0) this.#live.delete(app);
    else this.#live.set(app, [...served].sort(byReplica));
    for (const { process } of served) this.count(app, process.release, process.replica);
  }

  /** Has one take no new pages any more. */
  drain(app: string, served: Served): void {
    const set = this.#draining.get(app) ?? new Set<Served>();
    this.#draining.set(app, set.add(served));
    this.#unlist(app, served);
  }

  remove(app: string, served: Served): void {
    this.#unlist(app, served);
    const set = this.#draining.get(app);
    set?.delete(served);
    if (set?.size === 0) this.#draining.delete(app);
  }

  /** Notes the number of a replica: none is used twice, or pages of the one could be sent to the other. */
  count(app: string, release: number, replica: number): void {
    this.#highest.set(app, { release, replica: Math.max(this.highest(app, release), replica) });
  }

  /** The highest number that a replica of this release has had. */
  highest(app: string, release: number): number {
    const known = this.#highest.get(app);
    return known?.release === release ? known.replica : 0;
  }

  /** Begins with the first number again: no page has its process any more. */
  startOver(app: string): void {
    if (!this.#live.has(app)) this.#highest.delete(app);
  }

  #unlist(app: string, served: Served): void {
    const live = this.live(app);
    if (!live.includes(served)) return;
    this.setLive(
      app,
      live.filter((one) => one !== served),
    );
  }
}

/** Sorts by the number of the replica. */
export function byReplica(one: { process: AppProcess }, other: { process: AppProcess }): number {
  return one.process.replica - other.process.replica;
}
