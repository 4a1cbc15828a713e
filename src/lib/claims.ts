/** Counts what is in progress, and lets others wait until nothing is. */
export class Claims {
  readonly #claims = new Set<symbol>();
  readonly #waiting = new Set<() => void>();

  get count(): number {
    return this.#claims.size;
  }

  /** Counts one more. @returns a function that ends it; calling it again does nothing */
  take(): () => void {
    const claim = Symbol();
    this.#claims.add(claim);
    return () => {
      this.#claims.delete(claim);
      if (this.#claims.size === 0) for (const wake of [...this.#waiting]) wake();
    };
  }

  /** Waits until nothing is in progress, at most for the limit (ms). @returns false if the limit passed */
  async whenNone(limitMs: number): Promise<boolean> {
    if (this.#claims.size === 0) return true;
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(end);
        resolve(this.#claims.size === 0);
      };
      const timer = setTimeout(end, limitMs);
      this.#waiting.add(end);
    });
  }
}
