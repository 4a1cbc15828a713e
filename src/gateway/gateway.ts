import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { Socket } from 'node:net';
import { appState, isKnown, type App, type AppState } from '../domain/app/app.js';
import { pinText, type Pin } from '../domain/app/pin.js';
import { isAgentApi, isOwnOrigin, isPrivate, plainRest } from '../domain/app/route.js';
import type { AppStore } from '../store/apps.js';
import { plain } from './absent.js';
import { Entrance, framing, withoutShare, type Admission, type EntranceOptions } from './entrance.js';
import { Forwarder } from './forward.js';
import type { Identity } from '../domain/access/identity.js';
import type { Visitor } from '../domain/access/visitor.js';
import { cleanRequest, dropCredentials } from './headers.js';
import { isFramed, isNavigation, pinCookie, pinFromCookie, pinFromReferer, type AppPages } from './pages.js';
import type { RouteTable } from './routes.js';
import type { StaticFiles } from './static-files.js';
import type { Target } from './target.js';
import type { Traffic } from './traffic.js';
import { isSafely, OpenConnections, type OpenedBy } from './watch.js';
import { vouchForUpload } from './xsrf.js';

/** How long an upgrade waits for a process to start, in ms. */
const HOLD_MS = 60_000;
/** How long another request waits for it, in ms. */
const HOLD_REQUEST_MS = 30_000;

export interface GatewayOptions extends EntranceOptions {
  apps: AppStore;
  routes: RouteTable;
  pages: AppPages;
  files: StaticFiles;
  /** Returns the public URL of the apps. */
  publicBase: () => string;
  /** Returns the visitor of a request. */
  visitor: (request: IncomingMessage) => Visitor;
  /** Additional headers that reach apps, in lower case. */
  appHeaders?: readonly string[];
  /** Returns whether an `Authorization` header logs in to this server: no app gets one. */
  logsIn: (authorization: string) => boolean;
  /** Called when a visitor comes to a sleeping app. */
  wake: (app: string) => void;
  /** Returns whether a browser may open an app. */
  admit: (cookie: string | undefined, app: App) => Admission;
  /** Called with who asks for an app, and whether they may open it. */
  asked?: (request: IncomingMessage, app: App, admission: Admission) => void;
  /** Counts requests and open pages. */
  traffic?: Traffic;
  /** Passes on what waited for an app when another server took over. */
  again?: Again;
  log: (message: string, facts: Record<string, unknown>) => void;
}

/** The way back to the entry that answers now. */
export interface Again {
  again(request: IncomingMessage, response: ServerResponse): void;
  upgradeAgain(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** A parsed request for an app. */
export interface AppRequest {
  id: string;
  pin: Pin | undefined;
  rest: string;
  /** Who asks, where they are logged in. */
  identity?: Identity | undefined;
}

/** Answers under `/apps/`: with the app's process, or a page that says why it cannot. */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly #forwarder = new Forwarder();
  readonly #open = new OpenConnections();
  readonly #entrance: Entrance;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#entrance = new Entrance(options);
  }

  /** Answers one request. @param query with its "?", or empty */
  request(request: IncomingMessage, response: ServerResponse, asked: AppRequest, query: string): void {
    const { apps, routes } = this.#options;
    const app = apps.find(asked.id);
    // Before anything that is answered only where there is an app.
    if (app === undefined || !isKnown(app)) {
      const state = app === undefined ? undefined : this.#state(app);
      return this.#options.absent.answer(request, response, app, state);
    }
    this.#options.traffic?.request(app.id, request, response);
    const admission = this.#options.admit(request.headers.cookie, app);
    const navigates = isNavigation(request, asked.rest);
    // Visitors open it by a page, a WebSocket or the agent API.
    if (navigates || isAgentApi(asked.rest) || !admission.may) this.#options.asked?.(request, app, admission);
    if (this.#entrance.byShareLink(request, response, { app, asked, query, admission })) return;
    if (!admission.may) return this.#entrance.turnAway(request, response, { app, asked, query, admission });
    const to = { ...asked, identity: admission.identity };
    if (isPrivate(to.rest)) return plain(response, 404, 'Not found.\n');
    const moved = movedTo(request, to);
    if (moved !== undefined) {
      response.writeHead(307, { location: `${this.#options.basePath}/apps/${to.id}${moved}${query}` }).end();
      return;
    }
    // As the WebSocket, it runs the app's script for who asks: a page of another site must not.
    if (isAgentApi(to.rest) && !this.#isFromHere(request))
      return plain(response, 403, 'The agent API does not accept requests from other sites.\n');
    if (plainRest(to.rest) === '/_stcore/host-config') return this.#hostConfig(response);
    if (to.rest === '/_host/live') return json(response, { live: routes.live(to.id)?.backend.release ?? app.live });
    if (to.rest === '/_host/wake' && request.method === 'POST') {
      this.#options.wake(to.id);
      return json(response, { woken: true });
    }
    if (app.asleep) {
      // A request of a tab that was left open does not count as a visit: it would keep every app awake for ever.
      if (to.rest === '/_stcore/health') return plain(response, 503, `${to.id}: sleeping\n`, { 'retry-after': '10' });
      this.#options.wake(to.id);
    }
    const answer = navigates
      ? this.#navigate(request, response, app, to, query, framing(admission))
      : this.#forwardSoon(request, response, app, { ...to, pin: to.pin ?? this.#boundTo(request, to.id) }, query);
    answer.catch((error: unknown) => {
      this.#options.log('a request failed', { app: to.id, error: String(error) });
      response.destroy();
    });
  }

  /** Answers a request for one of Streamlit's own files. */
  static(request: IncomingMessage, response: ServerResponse, key: string, file: string): void {
    const { pages, files } = this.#options;
    const work = async (): Promise<void> => {
      const tried = new Set<string>();
      for (;;) {
        const frontend = await pages.find(key, tried);
        if (frontend === undefined) return plain(response, 404, 'Not found.\n');
        if (await files.answer(request, response, frontend, file)) return;
        // Its app has exchanged the file since; another app with the same Streamlit may still have it.
        tried.add(frontend.folder);
        pages.forget(frontend);
      }
    };
    work().catch((error: unknown) => {
      this.#options.log('a static file could not be sent', { key, file, error: String(error) });
      response.destroy();
    });
  }

  /**
   * Answers a navigation with the page, bound to the live release, even while the process starts. A Streamlit that cannot be
   * bound answers itself, with a cookie that binds the browser. What a frame shows that is not a page comes from the release
   * of the page around it.
   */
  async #navigate(
    request: IncomingMessage,
    response: ServerResponse,
    app: App,
    to: AppRequest,
    query: string,
    framing: Record<string, string>,
  ): Promise<void> {
    const { routes, pages } = this.#options;
    // A frame belongs to the page around it; what a person opens is the newest.
    const pin = isFramed(request) ? to.pin : undefined;
    const live = routes.pick(to.id, pin);
    const state = this.#state(app);
    if (live?.backend.state !== 'ready' && !WORTH_WAITING.has(state)) return this.#unavailable(request, response, app);
    const html = await pages.page(app, to.rest, live, request.headers);
    if (html !== undefined && pin !== undefined) {
      response.writeHead(307, { location: `${this.#options.basePath}/apps/${to.id}${to.rest}${query}` }).end();
      return;
    }
    if (html === undefined) {
      for (const [name, value] of Object.entries(framing)) response.setHeader(name, value);
      // A browser that is bound to a release would ask that one also for what the pages of the next one need.
      const binds = !(await pages.pins(app, live));
      const target = await this.#ready(response, to.id, pin);
      return this.#forward(request, response, app, to, query, target, {
        waited: true,
        ...(binds && pin === undefined && target !== undefined ? { bind: target.pin } : {}),
      });
    }
    live?.touch();
    if (request.method !== 'HEAD') live?.expect();
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-length': Buffer.byteLength(html),
      'cache-control': 'no-cache',
      vary: 'accept-language, cookie',
      'x-content-type-options': 'nosniff',
      ...framing,
    });
    response.end(request.method === 'HEAD' ? undefined : html);
  }

  /** Forwards a request, after waking the app if necessary. */
  async #forwardSoon(
    request: IncomingMessage,
    response: ServerResponse,
    app: App,
    to: AppRequest,
    query: string,
  ): Promise<void> {
    const picked = this.#options.routes.pick(to.id, to.pin);
    // In the same tick, where it serves: a target that is picked is counted before anything else can happen.
    const waited = picked?.backend.state !== 'ready';
    const target = waited ? await this.#ready(response, to.id, to.pin) : picked;
    this.#forward(request, response, app, to, query, target, { waited });
  }

  /** Returns the process that answers, after waiting if it is about to start. */
  async #ready(response: ServerResponse, id: string, pin: Pin | undefined): Promise<Target | undefined> {
    const { apps, routes } = this.#options;
    return routes.whenReady(id, pin, HOLD_REQUEST_MS, () => {
      const app = apps.find(id);
      return !response.destroyed && app !== undefined && WORTH_WAITING.has(this.#state(app));
    });
  }

  /**
   * @param way.waited whether the right to open the app may have been withdrawn since it was asked for
   * @param way.bind the process that the browser's pages are bound to by a cookie; undefined for none
   */
  #forward(
    request: IncomingMessage,
    response: ServerResponse,
    app: App,
    to: AppRequest,
    query: string,
    target: Target | undefined,
    { waited, bind }: { waited: boolean; bind?: Pin },
  ): void {
    // The visitor left while the app was waited for: of a response that is closed, no end would be heard.
    if (response.destroyed) return;
    if (target === undefined && this.#options.routes.left) return this.#options.again?.again(request, response);
    if (target?.backend.state !== 'ready') return this.#unavailable(request, response, app);
    const may = this.#mayStill(request, to);
    if (waited && !may()) return plain(response, 401, 'Log in to open this app.\n', { 'cache-control': 'no-store' });
    const done = target.claim();
    response.once('close', done);
    this.#open.watch(response, may, { app: to.id, cookie: request.headers.cookie });
    if (to.rest !== '/_stcore/health') target.touch();
    const appPath = this.#prepare(request, to, query);
    const cookie = bind === undefined ? undefined : pinCookie(to.id, appPath, bind);
    const answering = (): void => this.#options.traffic?.answering(request);
    this.#forwarder.web(request, response, target, { appPath, cookie, answering }, (error) => {
      this.#options.log('an app did not respond', {
        app: to.id,
        release: target.backend.release,
        ...(target.pin.replica > 1 && { replica: target.pin.replica }),
        error: error.message,
      });
      if (response.headersSent || response.destroyed) response.destroy();
      else this.#unavailable(request, response, app);
    });
  }

  /**
   * Answers Streamlit's host configuration. By default, Streamlit trusts its makers' cloud to control an app from a
   * frame; here it trusts only this origin (client.allowedOrigins,
   * https://docs.streamlit.io/develop/api-reference/configuration/config.toml).
   */
  #hostConfig(response: ServerResponse): void {
    json(response, {
      allowedOrigins: [new URL(this.#options.publicBase()).origin],
      useExternalAuthToken: false,
      enableCustomParentMessages: false,
      enforceDownloadInNewTab: false,
      metricsUrl: '',
      blockErrorDialogs: false,
      resourceCrossOriginMode: null,
    });
  }

  /** Answers an upgrade; the caller has added an error listener to the socket. */
  async upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    asked: AppRequest,
    query: string,
  ): Promise<void> {
    const { apps, routes, publicBase, admit, asked: tell } = this.#options;
    const known = apps.find(asked.id);
    if (known === undefined || !isKnown(known) || isPrivate(asked.rest)) return refuse(socket, '404 Not Found');
    const admission = admit(request.headers.cookie, known);
    tell?.(request, known, admission);
    if (!admission.may) return refuse(socket, admission.by !== undefined ? '404 Not Found' : '401 Unauthorized');
    const to = { ...asked, identity: admission.identity };
    const may = this.#mayStill(request, to);
    if (!isOwnOrigin(request.headers.origin, request.headers.host, publicBase()))
      return refuse(socket, '403 Forbidden');
    if (request.headers.upgrade?.toLowerCase() !== 'websocket' || !(socket instanceof Socket)) {
      return refuse(socket, '400 Bad Request');
    }
    if (known.asleep) {
      // A tab that was left open comes back by itself, with the name of its session; its page wakes the app once it is touched.
      if (comesBack(request)) return refuse(socket, '503 Service Unavailable', 'Retry-After: 30\r\n');
      this.#options.wake(to.id);
    }
    // The page and its scripts load while the process starts; only this is held.
    const worth = (): boolean => {
      const app = apps.find(to.id);
      return (
        !socket.destroyed &&
        app !== undefined &&
        (this.#state(app) === 'crashed' || WORTH_WAITING.has(this.#state(app)))
      );
    };
    const pin = to.pin ?? this.#boundTo(request, to.id);
    const picked = routes.pick(to.id, pin);
    // While it is held nobody reads from it; only its end shows that the visitor left.
    const leave = (): void => void socket.destroy();
    socket.once('end', leave);
    const target = picked?.backend.state === 'ready' ? picked : await routes.whenReady(to.id, pin, HOLD_MS, worth);
    socket.off('end', leave);
    if (socket.destroyed) return;
    if (target === undefined && routes.left) return this.#options.again?.upgradeAgain(request, socket, head);
    if (target === undefined) return refuse(socket, '503 Service Unavailable', 'Retry-After: 5\r\n');
    // It may have waited long.
    if (!may()) return refuse(socket, '401 Unauthorized');
    this.#open.watch(socket, may, { app: to.id, cookie: request.headers.cookie });
    const done = target.claim();
    socket.once('close', done);
    const opened = this.#options.traffic?.open(to.id, socket, this.#who(request, to));
    // An app may have WebSockets of its own, which say something else.
    const bytes = plainRest(to.rest) === '/_stcore/stream' ? opened : undefined;
    const appPath = this.#prepare(request, to, query);
    this.#forwarder.socket(request, socket, head, target, { appPath, bytes }, (error) => {
      this.#options.log('a WebSocket to an app ended with an error', { app: to.id, error: error.message });
      socket.destroy();
    });
  }

  /** Returns what says whether a visitor may still have what they asked for, as the same person. */
  #mayStill({ headers: { cookie } }: IncomingMessage, { id, identity }: AppRequest): () => boolean {
    const { apps, admit } = this.#options;
    return () => {
      const app = apps.find(id);
      const now = app === undefined ? undefined : admit(cookie, app);
      return now === undefined || (now.may && now.identity?.id === identity?.id);
    };
  }

  /** Tells visitors apart: by account where they are logged in, else by address and browser. */
  #who(request: IncomingMessage, { identity }: AppRequest): string {
    return identity?.id ?? `${this.#options.visitor(request).address} ${request.headers['user-agent'] ?? ''}`;
  }

  /** Lets another server decide from now on who may keep a WebSocket to an app that this one still passes on. */
  handOver(ask: (visitors: OpenedBy[]) => Promise<boolean[]>): void {
    this.#open.handOver(ask);
  }

  /** Returns who of an earlier server's visitors may still have their WebSockets. */
  mayKeep(visitors: readonly OpenedBy[]): boolean[] {
    const { apps, admit } = this.#options;
    return visitors.map(({ app, cookie }) => {
      const found = apps.find(app);
      return found === undefined || isSafely(() => admit(cookie, found).may);
    });
  }

  /** Returns the process of the page that asks, where its address does not say so. */
  #boundTo(request: IncomingMessage, id: string): Pin | undefined {
    return pinFromReferer(request, id, this.#options.basePath) ?? pinFromCookie(request, id);
  }

  /** Returns whether a request does not come from another origin's page. */
  #isFromHere({ headers }: IncomingMessage): boolean {
    const site = headers['sec-fetch-site'];
    return (
      (site === undefined || site === 'same-origin' || site === 'none') &&
      isOwnOrigin(headers.origin, headers.host, this.#options.publicBase())
    );
  }

  /** @returns the app's path as browsers see it */
  #prepare(request: IncomingMessage, to: AppRequest, query: string): string {
    const base = new URL(this.#options.publicBase());
    const usual = request.headers.host === base.host ? base.protocol.slice(0, -1) : 'http';
    const { address, proto = usual } = this.#options.visitor(request);
    const { appHeaders = [], apps, logsIn } = this.#options;
    const own = apps.find(to.id)?.requestHeaders ?? [];
    const isFromApp = request.headers.origin !== undefined && this.#isFromHere(request);
    dropCredentials(request, logsIn);
    cleanRequest(request, { address, proto, also: [...appHeaders, ...own], identity: to.identity });
    if (isFromApp) vouchForUpload(request, to.rest);
    const appPath = `${this.#options.basePath}/apps/${to.id}`;
    request.url = `${appPath}${to.rest}${withoutShare(query)}`;
    return appPath;
  }

  #state(app: App): AppState {
    return appState(app, this.#options.routes.live(app.id)?.backend.state);
  }

  #unavailable(request: IncomingMessage, response: ServerResponse, app: App): void {
    this.#options.absent.answer(request, response, app, this.#state(app));
  }
}

/** Returns the URL to redirect to; undefined if the requested one is right. */
function movedTo(request: IncomingMessage, { pin, rest }: AppRequest): string | undefined {
  // The address of a release is for what its pages ask: Streamlit would take it for a page of the app, and find none.
  // A frame may show what is not a page, such as a file of an `st.App`.
  if (pin !== undefined && isNavigation(request, rest) && (rest === '' || !isFramed(request)))
    return rest === '' ? '/' : rest;
  // Streamlit's page names its files relative to a folder, so the app's own path must be one.
  if (rest !== '' || (request.method !== 'GET' && request.method !== 'HEAD')) return undefined;
  return pin === undefined ? '/' : `/~${pinText(pin)}/`;
}

/** States that will soon be "running". */
const WORTH_WAITING: ReadonlySet<AppState> = new Set<AppState>(['starting', 'running', 'sleeping']);

/** Returns whether a page reconnects: Streamlit's third subprotocol is its previous session. */
function comesBack(request: IncomingMessage): boolean {
  return (request.headers['sec-websocket-protocol'] ?? '').split(',').length >= 3;
}

function json(response: ServerResponse, value: object): void {
  response
    .writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache' })
    .end(JSON.stringify(value));
}

/** Refuses an upgrade with a status line, as HTTP requires. */
export function refuse(socket: Duplex, status: string, headers = ''): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n${headers}Content-Length: 0\r\n\r\n`);
}
