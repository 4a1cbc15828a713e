import { Agent } from 'node:http';
import type { Pin } from '../domain/app/pin.js';
import type { ProcessState } from '../domain/app/process.js';
import type { Address } from '../lib/address.js';
import { Deadline } from '../lib/deadline.js';

/** A process, for the gateway; its address and state can change at any time. */
export interface Backend {
  readonly release: number;
  /** Which replica of the release it is; omitted = the first. */
  readonly replica?: number;
  readonly address: Address;
  readonly state: ProcessState;
}

/** What an earlier server still passes on to a process. */
export interface RelayedUse {
  /** Requests in progress, the WebSockets included. */
  claims: number;
  sockets: number;
  /** The last activity, in ms since 1970. */
  lastActivity: number;
  /** The last visit, in ms since 1970; 0 = none. */
  visitedAt: number;
}

/** How long a page that was handed out counts although its WebSocket is not open yet, in ms. */
const EXPECTED_MS = 10_000;

const NO_USE: RelayedUse = { claims: 0, sockets: 0, lastActivity: 0, visitedAt: 0 };

/**
 * A process with its requests in progress. A request is counted in the same tick in which its target is picked, so a
 * target about to be used never looks idle.
 */
export class Target {
  readonly backend: Backend;
  /** Closes idle connections before uvicorn does after 5 s, or a request could meet a closing one. */
  readonly agent = new Agent({ keepAlive: true, maxSockets: 512, maxFreeSockets: 32, timeout: 3_000 });
  readonly #claims = new Set<symbol>();
  readonly #sockets = new Set<() => void>();
  readonly #waiting = new Set<() => void>();
  #lastSocketAt: number;
  #lastActivity = Date.now();
  #visitedAt = 0;
  /** True once a page may be pinned to it. */
  wasUsed: boolean;
  /** When pages were handed out whose WebSockets are not open yet, by the clock that only goes forward, in ms. */
  #expected: number[] = [];
  #relayed = NO_USE;

  /** @param socketsUntil when the WebSockets of an earlier server to it ended; undefined for a process that had none */
  constructor(backend: Backend, socketsUntil?: Date) {
    this.backend = backend;
    this.#lastSocketAt = socketsUntil?.getTime() ?? 0;
    this.wasUsed = socketsUntil !== undefined;
  }

  /** The number of requests and WebSockets in progress. */
  get claims(): number {
    return this.#claims.size + this.#relayed.claims;
  }

  /** The process that its pages are pinned to. */
  get pin(): Pin {
    const { release, replica = 1 } = this.backend;
    return { release, replica };
  }

  /** The number of open WebSockets, and of those that pages will open in a moment. */
  get load(): number {
    const since = performance.now() - EXPECTED_MS;
    return this.sockets + this.#expected.filter((at) => at > since).length;
  }

  /** The number of open WebSockets: one for each open page. */
  get sockets(): number {
    return this.#sockets.size + this.#relayed.sockets;
  }

  /** The time when the last WebSocket closed, in ms since 1970; 0 = none yet. */
  get lastSocketAt(): number {
    return this.#lastSocketAt;
  }

  /** The time of the last request or page activity, in ms since 1970. */
  get lastActivity(): number {
    return Math.max(this.#lastActivity, this.#relayed.lastActivity);
  }

  /** The same, but 0 until the first visit: a process that starts has not been visited. */
  get visitedAt(): number {
    return Math.max(this.#visitedAt, this.#relayed.visitedAt);
  }

  /** Counts a page that is handed out, until its WebSocket opens: of many at once, not all must go to one process. */
  expect(): void {
    const since = performance.now() - EXPECTED_MS;
    this.#expected = [...this.#expected.filter((at) => at > since), performance.now()];
    this.wasUsed = true;
  }

  /** Records activity. */
  touch(): void {
    this.#lastActivity = Date.now();
    this.#visitedAt = this.#lastActivity;
  }

  /** Counts what an earlier server still passes on to this process; undefined once that has ended. */
  relay(use: RelayedUse = NO_USE): void {
    const { sockets } = this.#relayed;
    // What was there once remains known: it says when the process was last used.
    const { lastActivity, visitedAt } = this.#relayed;
    this.#relayed = {
      ...use,
      lastActivity: Math.max(lastActivity, use.lastActivity),
      visitedAt: Math.max(visitedAt, use.visitedAt),
    };
    if (use.sockets < sockets) this.#lastSocketAt = Date.now();
    this.#tell();
  }

  /** Counts a request. @returns what ends the count; to be called once the request has ended, however it did */
  claim(): () => void {
    const claim = Symbol();
    this.#claims.add(claim);
    this.wasUsed = true;
    return () => {
      if (this.#claims.delete(claim)) this.#tell();
    };
  }

  /** Counts an open WebSocket. @param end closes it */
  hold(end: () => void): () => void {
    this.#sockets.add(end);
    this.#expected.shift();
    return () => {
      if (!this.#sockets.delete(end)) return;
      this.#lastSocketAt = Date.now();
      this.#tell();
    };
  }

  /** Resolves when no request is in progress (WebSockets aside), after the limit (ms), or with the signal. */
  async whenIdle(limitMs: number, signal?: AbortSignal): Promise<void> {
    const deadline = new Deadline(limitMs);
    while (this.claims > this.sockets) {
      const { left } = deadline;
      if (left === 0 || signal?.aborted === true) return;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          this.#waiting.delete(done);
          signal?.removeEventListener('abort', done);
          resolve();
        };
        const timer = setTimeout(done, left);
        this.#waiting.add(done);
        signal?.addEventListener('abort', done);
      });
    }
  }

  /** Closes the WebSockets; their pages reconnect to the live release. */
  closeSockets(): void {
    for (const end of [...this.#sockets]) end();
  }

  /** Closes all connections, including pooled ones, so that the address's next owner never gets an old one. */
  close(): void {
    this.closeSockets();
    this.agent.destroy();
  }

  #tell(): void {
    for (const waiter of [...this.#waiting]) waiter();
  }
}
