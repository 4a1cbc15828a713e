/**
 * Work that nobody waits for. It still has an owner: the one who started it waits for it at the end, and its errors are
 * reported.
 */
export class Background {
  readonly #failed: (error: unknown, facts: object) => void;
  readonly #running = new Set<Promise<void>>();

  /** @param failed what to do with the error of a piece of work, such as logging it; must not throw */
  constructor(failed: (error: unknown, facts: object) => void) {
    this.#failed = failed;
  }

  /** Takes over work that has begun. @param facts what it is about, for the log */
  own(work: Promise<unknown>, facts: object = {}): void {
    const tracked = work
      .then(
        () => undefined,
        (error: unknown) => this.#failed(error, facts),
      )
      .finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  /** Begins work that may fail before its first wait, such as what a timer calls: there, nobody else would catch that. */
  run(work: () => unknown, facts: object = {}): void {
    this.own((async () => work())(), facts);
  }

  /** Resolves when no work is left, including what was started meanwhile. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
