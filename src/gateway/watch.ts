import type { Writable } from 'node:stream';

/** How often (ms) it is looked whether those who have a page open may still. */
const EVERY_MS = 400;

/** Ends open WebSockets and answers within a second once their visitors may not have them any more. */
export class OpenConnections {
  readonly #open = new Map<Writable, () => boolean>();
  #timer: NodeJS.Timeout | undefined;

  /** Watches a connection until it closes. @param may whether its visitor may still have it */
  watch(one: Writable, may: () => boolean): void {
    if (one.destroyed) return;
    this.#open.set(one, may);
    this.#timer ??= setInterval(() => this.#look(), EVERY_MS).unref();
    one.once('close', () => {
      this.#open.delete(one);
      if (this.#open.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
  }

  #look(): void {
    for (const [one, may] of this.#open) if (!may()) one.destroy();
  }
}
