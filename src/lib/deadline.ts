/**
 * The end of a wait, by a clock that only goes forward: the time of day jumps where a machine's clock is set, and would cut every
 * wait short, or keep it going for hours.
 */
export class Deadline {
  readonly #at: number;

  /** @param ms how long from now */
  constructor(ms: number) {
    this.#at = performance.now() + ms;
  }

  /** What is left, in ms; 0 once it is over. */
  get left(): number {
    return Math.max(0, this.#at - performance.now());
  }

  get isOver(): boolean {
    return this.left === 0;
  }
}
