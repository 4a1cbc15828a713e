import type { IncomingMessage, ServerResponse } from 'node:http';
import { TooManyAttempts } from '../domain/access/attempts.js';
import type { Identity } from '../domain/access/identity.js';
import type { Pass } from '../domain/access/pass.js';
import type { Principal } from '../domain/access/principal.js';
import type { App } from '../domain/app/app.js';
import { plain, type Absent } from './absent.js';
import { isNavigation } from './pages.js';

/** The code of a share link in a query. */
const SHARE_CODE = /(?<=^\?|&)_share=([\w-]{32})(?:&|$)/;

/** Whether a browser may open an app. */
export interface Admission {
  may: boolean;
  /** Who it is logged in as, also with the admin token, which is nobody in particular. */
  by: Principal | undefined;
  /** Who apps are told that this is. */
  identity: Identity | undefined;
  /** True where the password of the app would open it. */
  asksPassword?: boolean;
  /** Why it may without a role. */
  pass?: Pass | undefined;
  /** The origins whose pages may frame it; undefined where all may. */
  frames?: readonly string[] | undefined;
}

export interface EntranceOptions {
  /** The public URL's path; empty if it has none. */
  basePath: string;
  /** Returns the URL of the page that asks for a login or the app's password; undefined where that is not seen here. */
  loginUrl: (next: string, app: App) => string | undefined;
  /** Returns the cookie for a browser that comes by a share link; undefined where the link does not work. @throws TooManyAttempts */
  share?: (code: string, app: App, request: IncomingMessage) => string | undefined;
  /** Returns the URL of the page that says so. */
  endedUrl?: (app: App) => string | undefined;
  /** Answers if no app can. */
  absent: Absent;
}

/** A request for an app, and whether its browser may open that. */
interface Arrival {
  app: App;
  asked: { id: string; rest: string };
  /** With its "?", or empty. */
  query: string;
  admission: Admission;
}

/** What becomes of a request for an app that its browser may not open, or not yet. */
export class Entrance {
  readonly #options: EntranceOptions;

  constructor(options: EntranceOptions) {
    this.#options = options;
  }

  /** Sends a browser to the login page and back; to somebody who is logged in and may not open it, there is no such app. */
  turnAway(
    request: IncomingMessage,
    response: ServerResponse,
    { app, asked: { id, rest }, query, admission: { by, asksPassword } }: Arrival,
  ): void {
    if (by !== undefined && asksPassword !== true) return this.#options.absent.answer(request, response, undefined);
    request.resume();
    const headers = { 'cache-control': 'no-store' };
    const login = isNavigation(request, rest) ? this.#options.loginUrl(`/apps/${id}${rest}${query}`, app) : undefined;
    if (login === undefined) return plain(response, 401, 'Log in to open this app.\n', headers);
    response.writeHead(302, { ...headers, location: login }).end();
  }

  /** Gives a browser that comes by a share link what opens the app, and takes the code out of its address. @returns whether it did */
  byShareLink(
    request: IncomingMessage,
    response: ServerResponse,
    { app, asked: { id, rest }, query, admission: { may } }: Arrival,
  ): boolean {
    const [, code] = SHARE_CODE.exec(query) ?? [];
    if (code === undefined || !isNavigation(request, rest)) return false;
    let cookie: string | undefined;
    try {
      cookie = this.#options.share?.(code, app, request);
    } catch (error) {
      if (!(error instanceof TooManyAttempts)) throw error;
      request.resume();
      plain(response, 429, `${error.message}\n`, { 'cache-control': 'no-store', 'retry-after': `${error.retryAfter}` });
      return true;
    }
    if (cookie === undefined && may) return false;
    const left = withoutShare(query);
    const location =
      cookie === undefined
        ? this.#options.endedUrl?.(app)
        : `${this.#options.basePath}/apps/${id}${rest || '/'}${left}`;
    if (location === undefined) return false;
    request.resume();
    const headers = { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer', location };
    response.writeHead(303, cookie === undefined ? headers : { ...headers, 'set-cookie': cookie }).end();
    return true;
  }
}

/** A query without the code of a share link: an app must not see it. */
export function withoutShare(query: string): string {
  return SHARE_CODE.test(query) ? query.replace(SHARE_CODE, '').replace(/[?&]$/, '') : query;
}

/** Who may frame a page: its own origin and those that are named, or everybody where none need be. */
export function framing({ frames }: Admission): Record<string, string> {
  return frames === undefined
    ? {}
    : { 'content-security-policy': `frame-ancestors ${["'self'", ...frames].join(' ')}` };
}
