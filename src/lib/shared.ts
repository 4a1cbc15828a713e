/**
 * Work that several callers may want at once, and that is done once. It goes on as long as anybody waits for it: who
 * gives up leaves the others alone, and the last one to give up ends it.
 */
export class Shared<T> {
  readonly #controller = new AbortController();
  readonly #done: Promise<T>;
  #waiting = 0;

  constructor(work: (signal: AbortSignal) => Promise<T>) {
    this.#done = work(this.#controller.signal);
    // Those who wait are told; that nobody waits is not a defect.
    this.#done.catch(() => undefined);
  }

  /** True where nobody may join any more, because it ends or has ended. */
  get closed(): boolean {
    return this.#controller.signal.aborted;
  }

  /** Resolves when the work has ended, either way. */
  async settled(): Promise<void> {
    await this.#done.then(
      () => undefined,
      () => undefined,
    );
  }

  /**
   * What the work gives.
   * @param signal gives up; where nobody else waits, the work has ended when this rejects
   * @throws the signal's reason, or what the work throws
   */
  async join(signal: AbortSignal | undefined): Promise<T> {
    this.#waiting += 1;
    let giveUp = (): void => undefined;
    const given = new Promise<never>((_resolve, reject) => {
      giveUp = () => reject(signal?.reason instanceof Error ? signal.reason : new Error('given up'));
    });
    signal?.addEventListener('abort', giveUp);
    if (signal?.aborted === true) giveUp();
    try {
      return await Promise.race([this.#done, given]);
    } finally {
      signal?.removeEventListener('abort', giveUp);
      this.#waiting -= 1;
      if (this.#waiting === 0) {
        this.#controller.abort();
        await this.settled();
      }
    }
  }
}
