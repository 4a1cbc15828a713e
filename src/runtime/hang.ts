/** How many questions in a row must stay without an answer, and for how long (ms). */
const MISSES = 4;
const QUIET_MS = 60_000;
/** For how long (ms) a process that uses the processor may give no answer: a script may hold Python's lock for minutes. */
const BUSY_MS = 10 * 60_000;
/** The processor time (s) since the first miss that makes a process a busy one. */
const BUSY_SECONDS = 0.5;

/** Tells a process that hangs from one that is busy, by what its health check answered and by the processor time it used. */
export class HangWatch {
  #misses = 0;
  #since = 0;
  #cpuThen: number | undefined;

  /** It answered, or is another process now. */
  reset(): void {
    this.#misses = 0;
  }

  /**
   * It did not answer.
   * @param askedAt when it was asked, in ms by a clock that only goes forward
   * @param now in ms by the same clock
   * @param cpuSeconds what it has used since its start; undefined where that is not known
   * @returns for how long (ms) it has hung, where it does
   */
  missed(askedAt: number, now: number, cpuSeconds: number | undefined): number | undefined {
    if (this.#misses === 0) [this.#since, this.#cpuThen] = [askedAt, cpuSeconds];
    this.#misses += 1;
    const silent = now - this.#since;
    const used = cpuSeconds === undefined || this.#cpuThen === undefined ? Infinity : cpuSeconds - this.#cpuThen;
    const limit = used >= BUSY_SECONDS ? BUSY_MS : QUIET_MS;
    return this.#misses >= MISSES && silent >= limit ? silent : undefined;
  }
}
