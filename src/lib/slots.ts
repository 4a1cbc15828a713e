/** So many pieces of work at once; the others wait, in the order in which they came. */
export class Slots {
  readonly #size: number;
  #taken = 0;
  readonly #waiting: { key: string; begin: () => void }[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  /** Runs the work once there is a free slot. @param key for `hurry` */
  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    if (this.#taken < this.#size) this.#taken += 1;
    else await new Promise<void>((begin) => this.#waiting.push({ key, begin }));
    try {
      return await work();
    } finally {
      // The slot passes to the next one without being free in between.
      const next = this.#waiting.shift();
      if (next === undefined) this.#taken -= 1;
      else next.begin();
    }
  }

  /** Lets what waits under a key be the next; fine where nothing does. */
  hurry(key: string): void {
    const at = this.#waiting.findIndex((one) => one.key === key);
    if (at > 0) this.#waiting.unshift(...this.#waiting.splice(at, 1));
  }
}
