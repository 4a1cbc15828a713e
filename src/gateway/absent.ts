import type { IncomingMessage, ServerResponse } from 'node:http';
import { isKnown, type App, type AppState } from '../domain/app/app.js';

/** The pages for an app that cannot answer. */
export type AbsentPage = 'not-found' | 'empty' | 'starting' | 'building' | 'crashed' | 'stopped' | 'failed';

/** The other facts that such a page shows. */
export interface AbsentFacts {
  /** The last log lines of the app's first deploy while it runs; for operators only. */
  lines: string[];
  /** Why it failed; for operators only. */
  reason: string | undefined;
}

export interface AbsentOptions {
  /** Renders a page. */
  page: (page: AbsentPage, app: App | undefined, facts: AbsentFacts, request: IncomingMessage) => Promise<string>;
  /** Returns the last lines of a deploy log, masked. */
  buildLog: (app: string, release: number) => Promise<string[]>;
  /** Returns whether a request comes from a browser that is logged in to the console. */
  isLoggedIn: (request: IncomingMessage) => boolean;
  /** Returns whether it may also see the app's logs. */
  isOperator: (request: IncomingMessage, app: App) => boolean;
  log: (message: string, facts: Record<string, unknown>) => void;
}

/** "running" here means that the process has just gone away. */
const PAGES: Record<AppState, AbsentPage> = {
  created: 'not-found',
  deploying: 'building',
  failed: 'failed',
  starting: 'starting',
  running: 'starting',
  crashed: 'crashed',
  sleeping: 'starting',
  stopped: 'stopped',
};

/** Answers under `/apps/<id>/` if no process can: people get a page, programs a status and a line. */
export class Absent {
  readonly #options: AbsentOptions;

  constructor(options: AbsentOptions) {
    this.#options = options;
  }

  /** @param state of the app; not needed where there is none */
  answer(request: IncomingMessage, response: ServerResponse, app: App | undefined, state: AppState = 'created'): void {
    // A body that nobody will read must not keep the connection waiting.
    request.resume();
    const loggedIn = isOpened(request) && this.#options.isLoggedIn(request);
    const operator = loggedIn && app !== undefined && this.#options.isOperator(request, app);
    // To a stranger, an app that was never live is none: the name alone would say that it exists.
    const told = app !== undefined && (operator || isKnown(app)) ? app : undefined;
    const page = told === undefined ? 'not-found' : state === 'created' && operator ? 'empty' : PAGES[state];
    const status = page === 'not-found' || page === 'empty' ? 404 : 503;
    const soon = page === 'starting' || page === 'building' || page === 'crashed';
    const headers = { 'cache-control': 'no-store', ...(soon ? { 'retry-after': '2' } : {}) };
    if (request.headers.accept?.includes('text/html') !== true) {
      return plain(response, status, `${status === 404 ? 'App not found' : `${told?.id}: ${page}`}.\n`, headers);
    }
    const facts = operator ? this.#facts(page, told) : Promise.resolve(NOTHING);
    facts
      .then(async (facts) => {
        const html = await this.#options.page(page, told, facts, request);
        response.writeHead(status, {
          ...headers,
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': "default-src 'self'; img-src 'self' data:; frame-ancestors 'self'",
          'x-content-type-options': 'nosniff',
          // An app that opens the page in a window must not reach into it. On every page for somebody who is logged in: where it
          // is missing would tell the app which ids exist.
          ...(loggedIn ? { 'cross-origin-opener-policy': 'same-origin' } : {}),
        });
        response.end(html);
      })
      .catch((error: unknown) => {
        this.#options.log('a page could not be rendered', { app: app?.id, error: String(error) });
        response.destroy();
      });
  }

  /** Returns what only operators see. */
  async #facts(page: AbsentPage, app: App | undefined): Promise<AbsentFacts> {
    const last = app?.releases.at(-1);
    if (app === undefined || last === undefined) return NOTHING;
    if (page === 'failed') return { lines: [], reason: last.reason };
    if (page !== 'building') return NOTHING;
    // Each line has the seconds since the deploy began; the time of day means nothing to somebody who waits.
    const lines = await this.#options.buildLog(app.id, last.number);
    return { lines: lines.map((line) => line.replace(/^\[[^\]]+\] {0,4}/, '')), reason: undefined };
  }
}

const NOTHING: AbsentFacts = { lines: [], reason: undefined };

/** Returns whether the browser itself opens the page. An app's script could read a page that it fetches or frames. */
function isOpened({ headers }: IncomingMessage): boolean {
  const { 'sec-fetch-mode': mode = 'navigate', 'sec-fetch-dest': dest = 'document' } = headers;
  return mode === 'navigate' && dest === 'document';
}

/** Answers with a line of text. */
export function plain(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(text);
}
