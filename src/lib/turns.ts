/** Work on one thing happens one after the other, work on different things at once. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs the work once everything that was asked for the same key before has ended, however it did. */
  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const mine = before === undefined ? work() : before.then(work);
    // Those behind wait for the end; how it ended is told to the caller alone.
    const ended = mine.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(key, ended);
    try {
      return await mine;
    } finally {
      if (this.#last.get(key) === ended) this.#last.delete(key);
    }
  }
}
