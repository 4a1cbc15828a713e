import { createServer } from 'node:net';
import { Refusal } from '../../errors.js';

/** Where the processes of this machine answer, and nobody else can reach them. */
export const LOOPBACK = '127.0.0.1';

/** Hands out loopback ports, each to one owner until it is given back. */
export class Ports {
  readonly #min: number;
  readonly #max: number;
  readonly #taken = new Set<number>();
  #spared: ReadonlySet<number> = new Set();
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

  /** Ports that apps ask for by number, which nobody else gets while there are others. */
  spare(ports: Iterable<number>): void {
    this.#spared = new Set(ports);
  }

  /**
   * Reserves a port on which nothing listens: the one that is asked for, else another one. It goes round the range, so that a port which was given back rests a while
   * before its next owner gets it.
   * @throws Refusal `ports-used-up`
   */
  async reserve(wanted?: number): Promise<number> {
    if (wanted !== undefined && (await this.#take(wanted))) return wanted;
    return (await this.#any((port) => !this.#spared.has(port))) ?? (await this.#any(() => true)) ?? this.#usedUp();
  }

  async #any(may: (port: number) => boolean): Promise<number | undefined> {
    const size = this.#max - this.#min + 1;
    for (let tries = 0; tries < size; tries += 1) {
      const port = this.#next;
      this.#next = port === this.#max ? this.#min : port + 1;
      if (may(port) && (await this.#take(port))) return port;
    }
    return undefined;
  }

  async #take(port: number): Promise<boolean> {
    if (this.#taken.has(port)) return false;
    // Reserved before the first wait, or two callers would get the same one.
    this.#taken.add(port);
    if (await isFree(port)) return true;
    this.#taken.delete(port);
    return false;
  }

  #usedUp(): never {
    throw new Refusal(
      'unavailable',
      'ports-used-up',
      `All ports from ${this.#min} to ${this.#max} are in use. Stop an app, or widen the range with STREAMLIT_HOST_PORT_MIN and STREAMLIT_HOST_PORT_MAX.`,
    );
  }

  /** The lowest port of the range on which nothing listens and that nobody has; it is not reserved. @param except others that are spoken for */
  async propose(except: ReadonlySet<number>): Promise<number | undefined> {
    for (let port = this.#min; port <= this.#max; port += 1) {
      if (!except.has(port) && !this.#taken.has(port) && (await isFree(port))) return port;
    }
    return undefined;
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
    probe.listen({ port, host: LOOPBACK, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
