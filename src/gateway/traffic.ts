import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** What the visitors of an app did in a span of time. */
export interface Tally {
  /** Answered requests by the class of their status: 2xx and below, 3xx, 4xx, 5xx. */
  answers: [number, number, number, number];
  /** The time to the first byte of each answer, in ms. */
  latencies: number[];
  bytesIn: number;
  bytesOut: number;
  /** Pages that were opened. */
  opened: number;
  /** Pages that were closed, and for how long they had been open, in ms. */
  closed: number;
  closedMs: number;
  /** The most pages that were open at once. */
  pages: number;
}

interface OpenPage {
  app: string;
  socket: Pick<Socket, 'bytesRead' | 'bytesWritten'>;
  /** How many of its bytes are counted. */
  bytesIn: number;
  bytesOut: number;
  /** When it was opened, by a clock that is never put back. */
  at: number;
}

/** Called with a visitor who opens a page. @param who an account, or an address with a browser: not to be kept */
export type VisitListener = (app: string, who: string) => void;

/** The status that is counted where the visitor left before the answer (as nginx does). */
const LEFT = 499;

/** The most latencies of a span that are kept for one app; the others are left out. */
const MAX_LATENCIES = 10_000;

/** Counts what goes through the gateway, by app. Nobody has to look at it: at rest it does nothing. */
export class Traffic {
  #tallies = new Map<string, Tally>();
  readonly #pages = new Map<string, Set<OpenPage>>();
  readonly #listeners = new Set<VisitListener>();
  readonly #clock: () => number;
  readonly #begun = new WeakMap<IncomingMessage, { at: number; ms: number | undefined }>();

  /** @param clock in ms, never put back */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /** @returns a function that unsubscribes */
  subscribe(listener: VisitListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Counts a request once it has been answered, or its visitor has left. */
  request(app: string, request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const [read, written] = [socket.bytesRead, socket.bytesWritten];
    const begun = { at: performance.now(), ms: undefined as number | undefined };
    this.#begun.set(request, begun);
    response.once('close', () => {
      const tally = this.#tally(app);
      const status = response.headersSent ? response.statusCode : LEFT;
      const place = Math.min(3, Math.max(0, Math.floor(status / 100) - 2));
      tally.answers[place] = (tally.answers[place] ?? 0) + 1;
      tally.bytesIn += Math.max(0, socket.bytesRead - read);
      tally.bytesOut += Math.max(0, socket.bytesWritten - written);
      if (tally.latencies.length < MAX_LATENCIES) tally.latencies.push(begun.ms ?? performance.now() - begun.at);
    });
  }

  /** Notes that the app begins to answer. */
  answering(request: IncomingMessage): void {
    const begun = this.#begun.get(request);
    if (begun !== undefined) begun.ms ??= performance.now() - begun.at;
  }

  /** Counts an open page until its WebSocket closes. @param who an account, or an address with a browser */
  open(app: string, socket: Socket, who: string): void {
    const pages = this.#pages.get(app) ?? new Set<OpenPage>();
    const page = { app, socket, bytesIn: socket.bytesRead, bytesOut: socket.bytesWritten, at: this.#clock() };
    this.#pages.set(app, pages.add(page));
    const tally = this.#tally(app);
    tally.opened += 1;
    tally.pages = Math.max(tally.pages, pages.size);
    socket.once('close', () => {
      this.#count(page);
      const closing = this.#tally(app);
      closing.closed += 1;
      closing.closedMs += this.#clock() - page.at;
      pages.delete(page);
      if (pages.size === 0) this.#pages.delete(app);
    });
    for (const listener of this.#listeners) listener(app, who);
  }

  /** How many pages are open now, by app. */
  pages(app: string): number {
    return this.#pages.get(app)?.size ?? 0;
  }

  /** Takes what was counted since the last time; only apps with traffic or open pages. */
  take(): Map<string, Tally> {
    for (const pages of this.#pages.values()) for (const page of pages) this.#count(page);
    const taken = this.#tallies;
    this.#tallies = new Map();
    return taken;
  }

  #count(page: OpenPage): void {
    const tally = this.#tally(page.app);
    const { bytesRead, bytesWritten } = page.socket;
    tally.bytesIn += Math.max(0, bytesRead - page.bytesIn);
    tally.bytesOut += Math.max(0, bytesWritten - page.bytesOut);
    [page.bytesIn, page.bytesOut] = [bytesRead, bytesWritten];
  }

  #tally(app: string): Tally {
    let tally = this.#tallies.get(app);
    if (tally === undefined) {
      tally = {
        ...{ answers: [0, 0, 0, 0], latencies: [], bytesIn: 0, bytesOut: 0 },
        ...{ opened: 0, closed: 0, closedMs: 0, pages: this.pages(app) },
      };
      this.#tallies.set(app, tally);
    }
    return tally;
  }
}
