import type { Writable } from 'node:stream';

/** How often (ms) it is looked whether those who have a page open may still. */
const EVERY_MS = 400;

/** Whose connection it is, as far as another server needs to know. */
export interface OpenedBy {
  app: string;
  /** The cookies of the request. */
  cookie: string | undefined;
}

interface Opened {
  may: () => boolean;
  by: OpenedBy;
}

/** Ends open WebSockets and answers within a second once their visitors may not have them any more. */
export class OpenConnections {
  readonly #open = new Map<Writable, Opened>();
  #timer: NodeJS.Timeout | undefined;
  #ask: ((visitors: OpenedBy[]) => Promise<boolean[]>) | undefined;
  #asking = false;

  /** Watches a connection until it closes. @param may whether its visitor may still have it */
  watch(one: Writable, may: () => boolean, by: OpenedBy): void {
    if (one.destroyed) return;
    this.#open.set(one, { may, by });
    this.#timer ??= setInterval(() => {
      // A connection that could not be asked about is asked about again.
      this.#look().catch(() => undefined);
    }, EVERY_MS).unref();
    one.once('close', () => {
      this.#open.delete(one);
      if (this.#open.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
  }

  /** Asks somebody else from now on: the records are not ours any more. @param ask must not reject */
  handOver(ask: (visitors: OpenedBy[]) => Promise<boolean[]>): void {
    this.#ask = ask;
  }

  async #look(): Promise<void> {
    if (this.#ask === undefined) {
      for (const [one, { may }] of this.#open) if (!isSafely(may)) one.destroy();
      return;
    }
    if (this.#asking) return;
    this.#asking = true;
    const all = [...this.#open];
    const answers = await this.#ask(all.map(([, { by }]) => by)).finally(() => (this.#asking = false));
    for (const [place, [one]] of all.entries()) if (answers[place] === false) one.destroy();
  }
}

/** What cannot be answered is a no: one that cannot be judged must not keep the others from it. */
export function isSafely(may: () => boolean): boolean {
  try {
    return may();
  } catch {
    return false;
  }
}
