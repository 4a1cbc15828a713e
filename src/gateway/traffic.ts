import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { isAboutRun, RunWatch } from '../domain/streamlit/run-watch.js';
import { FrameReader } from './frame-reader.js';

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
  /** How often a visitor came to a page of the app. */
  views: number;
  /** Runs of the script that ended, how long they took together, and the longest, in ms. */
  runs: number;
  runMs: number;
  runMaxMs: number;
  /** Messages of Streamlit's WebSockets. */
  messagesIn: number;
  messagesOut: number;
  /** By the path of the page below the app, such as `/Sales`. */
  byPage: Map<string, PageTally>;
}

/** What visitors did on a page of an app. */
export type PageTally = Pick<Tally, 'views' | 'runs' | 'runMs'>;

/** Takes the bytes of an open page as they pass. */
export interface PageBytes {
  fromVisitor: (chunk: Buffer) => void;
  fromApp: (chunk: Buffer) => void;
}

/** Stands for the pages of an app that are not told apart. No path is the same: those begin with a "/". */
export const OTHER_PAGES = 'other';

/** The most pages of an app that are told apart in a span. */
const MAX_PAGES = 100;

/** The most messages about runs that are read of an open page in a span: an app may send any number of them. */
const MAX_HEARD = 1_000;

interface OpenPage {
  app: string;
  received: FrameReader;
  sent: FrameReader;
  /** How many messages were read in this span. */
  heard: number;
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

  /**
   * Counts an open page until its WebSocket closes.
   * @param who an account, or an address with a browser
   * @returns what takes its bytes, if it is Streamlit's WebSocket
   */
  open(app: string, socket: Socket, who: string): PageBytes {
    const pages = this.#pages.get(app) ?? new Set<OpenPage>();
    const watch = this.#watch(app);
    const page: OpenPage = {
      ...{ app, socket, bytesIn: socket.bytesRead, bytesOut: socket.bytesWritten, at: this.#clock() },
      ...{ received: new FrameReader(), sent: new FrameReader(isAboutRun, (message) => hear(message)), heard: 0 },
    };
    const hear = (message: Buffer): void => {
      page.heard += 1;
      if (page.heard <= MAX_HEARD) watch.hear(message);
    };
    this.#pages.set(app, pages.add(page));
    const tally = this.#tally(app);
    tally.opened += 1;
    tally.pages = Math.max(tally.pages, pages.size);
    socket.once('close', () => {
      watch.end();
      this.#count(page);
      const closing = this.#tally(app);
      closing.closed += 1;
      closing.closedMs += this.#clock() - page.at;
      pages.delete(page);
      if (pages.size === 0) this.#pages.delete(app);
    });
    for (const listener of this.#listeners) listener(app, who);
    return { fromVisitor: (chunk) => page.received.push(chunk), fromApp: (chunk) => page.sent.push(chunk) };
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
    tally.messagesIn += page.received.take();
    tally.messagesOut += page.sent.take();
    page.heard = 0;
  }

  #watch(app: string): RunWatch {
    const viewed = (path: string): void => {
      const tally = this.#tally(app);
      tally.views += 1;
      pageOf(tally, path).views += 1;
    };
    const ran = (path: string | undefined, ms: number): void => {
      const tally = this.#tally(app);
      tally.runMaxMs = Math.max(tally.runMaxMs, ms);
      for (const one of path === undefined ? [tally] : [tally, pageOf(tally, path)]) {
        one.runs += 1;
        one.runMs += ms;
      }
    };
    return new RunWatch({ viewed, ran }, this.#clock);
  }

  #tally(app: string): Tally {
    let tally = this.#tallies.get(app);
    if (tally === undefined) {
      tally = {
        ...{ answers: [0, 0, 0, 0], latencies: [], bytesIn: 0, bytesOut: 0 },
        ...{ opened: 0, closed: 0, closedMs: 0, pages: this.pages(app) },
        ...{ views: 0, runs: 0, runMs: 0, runMaxMs: 0, messagesIn: 0, messagesOut: 0, byPage: new Map() },
      };
      this.#tallies.set(app, tally);
    }
    return tally;
  }
}

/** What is counted of a page. An app chooses the paths of its pages, and can have any number of them. */
function pageOf({ byPage }: Tally, path: string): PageTally {
  const name = byPage.has(path) || byPage.size < MAX_PAGES ? path : OTHER_PAGES;
  const page = byPage.get(name) ?? { views: 0, runs: 0, runMs: 0 };
  byPage.set(name, page);
  return page;
}
