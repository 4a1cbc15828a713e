/**
 * How many starts a second the system must refuse, and for how long (ms). An app whose pages are too many for its limit is refused
 * some hundred threads a second at worst; what forks in a loop, many thousands.
 */
const REFUSALS_PER_SECOND = 1_000;
const LIMIT_MS = 5_000;

/**
 * Tells an app that forks in a loop from one that has merely reached its limit of processes and threads. A refused start costs the
 * system nearly as much as one that succeeds, so the limit alone does not give the machine back to the others.
 */
export class StormWatch {
  #last: { refusals: number; at: number } | undefined;
  #since: number | undefined;

  /**
   * To be called about every second.
   * @param refusals how often it was kept from starting another process or thread since its start
   * @param now in ms by a clock that only goes forward
   * @returns whether it is to be ended
   */
  seen(refusals: number, now: number): boolean {
    const last = this.#last;
    this.#last = { refusals, at: now };
    if (last === undefined) return false;
    const perMs = (refusals - last.refusals) / Math.max(1, now - last.at);
    this.#since = perMs * 1_000 < REFUSALS_PER_SECOND ? undefined : (this.#since ?? last.at);
    return this.#since !== undefined && now - this.#since >= LIMIT_MS;
  }
}
