import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { ask } from '../lib/ask.js';
import { findRelease, type App } from '../domain/app/app.js';
import { parsePin, PIN, pinText, type Pin } from '../domain/app/pin.js';
import { parseRoute, withoutBase } from '../domain/app/route.js';
import type { AppStore } from '../store/apps.js';
import type { Paths } from '../store/paths.js';
import { bindPage, type Frontend, type Frontends } from './frontend.js';
import type { Target } from './target.js';
import { parseUrl } from '../lib/parse-url.js';

/** How long Streamlit may take to say whether a path is a page, in ms. */
const ASK_MS = 5_000;

/** Paths below an app that are Streamlit's own and never pages; a page may be called `media`, though, or `auth`. */
const NO_PAGE =
  /^\/((_stcore|app\/static|oauth2callback|~\d+(-\d+)?)(\/|$)|(media|component|static)\/.|auth\/(login|logout)$)/;

export interface AppPagesOptions {
  apps: AppStore;
  paths: Paths;
  frontends: Frontends;
  basePath: string;
  /** The URL of the module that is added to every page. */
  module: string | undefined;
  /** The text of the script that keeps a tab with its release. */
  stay: string;
  /** Returns what the module says, as JSON, in the language that a browser asks for. */
  words: (headers: IncomingHttpHeaders) => Promise<string>;
}

/** Serves the pages of apps: bound to a process, and available before it. */
export class AppPages {
  readonly #options: AppPagesOptions;

  constructor(options: AppPagesOptions) {
    this.#options = options;
  }

  /**
   * Returns the HTML for a navigation.
   * @param target the process that new visitors get, where it serves
   * @param headers of the request: the page is in the visitor's language
   * @returns undefined where the app itself must answer
   */
  async page(
    app: App,
    rest: string,
    target: Target | undefined,
    headers: IncomingHttpHeaders = {},
  ): Promise<string | undefined> {
    const number = numberOf(app, target);
    const frontend = await this.frontend(app, number);
    if (frontend?.pins !== true || number === null) return undefined;
    if (rest !== '/' && !(await this.#isPage(app, rest, target, frontend))) return undefined;
    const { basePath, module, stay } = this.#options;
    const words = await this.#options.words(headers);
    const pin = target?.pin ?? { release: number, replica: 1 };
    return bindPage({ frontend, basePath, app: app.id, name: app.name, pin, module, stay, words });
  }

  /** Returns whether new visitors' pages bind themselves to their release, each tab by itself. */
  async pins(app: App, target: Target | undefined): Promise<boolean> {
    return (await this.frontend(app, numberOf(app, target)))?.pins === true;
  }

  /** Returns a release's frontend. */
  async frontend(app: App, release: number | null): Promise<Frontend | undefined> {
    const found = findRelease(app, release);
    const environment = found === undefined ? undefined : this.#options.paths.environmentOf(found);
    return environment === undefined ? undefined : this.#options.frontends.of(environment);
  }

  /** The frontend that an address of a static file names. @param without folders in which the file is another one */
  async find(key: string, without?: ReadonlySet<string>): Promise<Frontend | undefined> {
    const { apps, paths, frontends } = this.#options;
    const environments = apps
      .list()
      .flatMap((app) => app.releases.flatMap((release) => paths.environmentOf(release) ?? []));
    return frontends.find(key, new Set(environments), without);
  }

  /** Has a frontend read again whose files were exchanged. */
  forget(frontend: Frontend): void {
    this.#options.frontends.forget(frontend);
  }

  /**
   * Returns whether a path below an app is one of its pages. Streamlit answers unknown paths with its page, and an
   * `st.App` may have its own paths, so Streamlit is asked. Until it can answer, a path that looks like a page counts
   * as one.
   */
  async #isPage(app: App, rest: string, target: Target | undefined, frontend: Frontend): Promise<boolean> {
    if (target?.backend.state !== 'ready') return !/\.[a-z0-9]{1,5}$/i.test(rest);
    const done = target.claim();
    try {
      const answer = await ask(target.backend.address, `${this.#options.basePath}/apps/${app.id}${rest}`, ASK_MS);
      return answer.status === 200 && answer.body === frontend.html;
    } catch {
      return false; // It does not answer this, so the forwarded request will say why.
    } finally {
      done();
    }
  }
}

/** Returns the release for new visitors. @param target where it serves */
function numberOf(app: App, target: Target | undefined): number | null {
  return target?.backend.release ?? app.live;
}

/** Returns whether a browser opens a page of an app, rather than a script requesting something. */
export function isNavigation(request: IncomingMessage, rest: string): boolean {
  if (request.method !== 'GET' && request.method !== 'HEAD') return false;
  if (request.headers.accept?.includes('text/html') !== true || NO_PAGE.test(rest)) return false;
  const mode = request.headers['sec-fetch-mode'];
  return mode === undefined || mode === 'navigate';
}

/** Returns whether a browser opens something in a frame of a page. */
export function isFramed(request: IncomingMessage): boolean {
  return /^(?:iframe|frame|embed|object)$/.test(String(request.headers['sec-fetch-dest']));
}

/**
 * Returns the process whose file asks for something, such as the page of a component that builds addresses from that of
 * the app, or a stylesheet.
 */
export function pinFromReferer({ headers }: IncomingMessage, app: string, basePath: string): Pin | undefined {
  const url = parseUrl(headers.referer ?? '');
  if (url === undefined) return undefined;
  const route = parseRoute(withoutBase(url.pathname, basePath));
  return route.kind === 'app' && route.id === app ? route.pin : undefined;
}

/** Returns the process in an older Streamlit's cookie, which binds all tabs of a browser at once. */
export function pinFromCookie(request: IncomingMessage, app: string): Pin | undefined {
  const match = new RegExp(`(?:^|;\\s*)${cookieFor(app)}=(${PIN})(?:;|$)`).exec(request.headers.cookie ?? '');
  return parsePin(match?.[1] ?? '');
}

/** Returns the cookie that binds a browser to a process, for a Streamlit that cannot bind a tab. */
export function pinCookie(app: string, appPath: string, pin: Pin): string {
  return `${cookieFor(app)}=${pinText(pin)}; Path=${appPath}; SameSite=Lax; HttpOnly`;
}

function cookieFor(app: string): string {
  return `streamlit_host_release_${app}`;
}
