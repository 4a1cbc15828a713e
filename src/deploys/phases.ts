import type { Phase, PhaseName } from '../domain/app/release.js';

/** What a deploy has spent its time on, phase by phase. */
export class Phases {
  readonly #clock: () => number;
  #ended: Phase[] = [];
  #current: { name: PhaseName; since: number } | undefined;

  /** @param clock in ms; one that never jumps */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /** Begins a phase, which ends the one before. A deploy that starts over begins with its first phase again. */
  begin(name: PhaseName): void {
    const before = this.list();
    const again = before.findIndex((phase) => phase.name === name);
    this.#ended = again === -1 ? before : before.slice(0, again);
    this.#current = { name, since: this.#clock() };
  }

  /** Goes on with a phase that has ended before: it is the last one again, with the time that it took already. */
  resume(name: PhaseName): void {
    const before = this.list();
    const ms = before.find((phase) => phase.name === name)?.ms ?? 0;
    this.#ended = before.filter((phase) => phase.name !== name);
    this.#current = { name, since: this.#clock() - ms };
  }

  /** The phases so far; the last one until now. */
  list(): Phase[] {
    if (this.#current === undefined) return [];
    const { name, since } = this.#current;
    return [...this.#ended, { name, ms: Math.max(0, Math.round(this.#clock() - since)) }];
  }
}
