import { messageOf } from '../errors.js';

/** What is wrong with work that is tried again and again: it is told once, not with each try, until it has passed. */
export class Trouble {
  #known: string | undefined;

  /** Notes that a try has failed. @returns whether that is to be told: the try before has not failed in the same way */
  met(error: unknown): boolean {
    // The message may name a file that has another name with each try.
    const what = error instanceof Error && 'code' in error ? String(error.code) : messageOf(error);
    const isNew = what !== this.#known;
    this.#known = what;
    return isNew;
  }

  /** Notes that a try has succeeded. */
  passed(): void {
    this.#known = undefined;
  }
}
