import { createServer } from 'node:net';
import { Refusal } from '../errors.js';

/** Hands out loopback ports, each to one owner until it is given back. */
export class Ports {
  readonly #min: number;
  readonly #max: number;
  readonly #taken = new Set<number>();
  #next: number;

  constructor(range: { min: number; max: number }) {
    this.#min = range.min;
    this.#max = range.max;
    this.#next = range.min;
  }

  /** Reserves a port that is known already, such as that of a process which is adopted. */
  hold(port: number): void {
    this.#taken.add(port);
  }

  /**
   * Reserves a port on which nothing listens. It goes round the range, so that a port which was given back rests a while
   * before its next owner gets it.
   * @throws Refusal `ports-used-up`
   */
  async reserve(): Promise<number> {
    const size = this.#max - this.#min + 1;
    for (let tries = 0; tries < size; tries += 1) {
      const port = this.#next;
      this.#next = port === this.#max ? this.#min : port + 1;
      if (this.#taken.has(port)) continue;
      // Reserved before the first wait, or two callers would get the same one.
      this.#taken.add(port);
      if (await isFree(port)) return port;
      this.#taken.delete(port);
    }
    throw new Refusal(
      'unavailable',
      'ports-used-up',
      `No port from ${this.#min} to ${this.#max} is free: stop an app, or widen STREAMLIT_HOST_PORT_MIN and STREAMLIT_HOST_PORT_MAX.`,
    );
  }

  /** Gives a port back. */
  release(port: number): void {
    this.#taken.delete(port);
  }
}

/** True where nothing listens on the loopback port. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
