import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { isServiceWorker } from '../domain/access/browser.js';
import { parseRoute, parseWhole, withoutBase, type Route } from '../domain/app/route.js';
import { plain } from './absent.js';
import { refuse, type Gateway } from './gateway.js';
import { isNavigation } from './pages.js';

/** One of two origins: the apps' one, or the one for everything else, which redirects to the apps. */
export type Part = { of: 'apps' } | { of: 'platform'; appsBase: (host: string | undefined) => string };

export interface EntryOptions {
  basePath: string;
  /** Returns whether a host is ours; requests for others are refused. */
  isOurHost: (host: string | undefined) => boolean;
  gateway: Gateway;
  /** Takes out of each request what only a trusted proxy may send, before anything reads it. */
  screen?: (request: IncomingMessage) => void;
  /** Logs in who opens a page, where a trusted proxy names them. @returns undefined where there is nothing to wait for */
  welcome?: (request: IncomingMessage, response: ServerResponse) => Promise<void> | undefined;
  /** The part to serve if apps have their own origin; undefined with one port. */
  part?: Part;
  /** Answers below /git/. @param path without the query */
  git: (request: IncomingMessage, response: ServerResponse, path: string, query: string) => void;
  /** Returns the target of an app's extra path; undefined if the path is not one. */
  redirect?: (path: string) => string | undefined;
  /** Called with every request for a page of ours or of an app before it is answered. @param path without the query */
  seen?: (request: IncomingMessage, response: ServerResponse, path: string) => void;
  /** Answers everything else. */
  web: (request: IncomingMessage, response: ServerResponse) => void;
  /** Called with what a handler throws, which is a defect. It ends one request, and not the server. */
  failed: (error: unknown, path: string) => void;
}

/** The handlers for an HTTP server's requests and upgrades. */
export interface Entry {
  request: (request: IncomingMessage, response: ServerResponse) => void;
  upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Closes all WebSockets and accepts no new ones. The HTTP server no longer tracks them, and would wait for them forever. */
  closeSockets: () => void;
}

/** The methods that anything but an app may support. */
const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
/** The server's paths on the apps' origin: the script and styles of their pages, and the health check. */
const FOR_APPS = /^\/(_host\/.*|healthz)$/;

/** Creates the entry for every request and upgrade, and passes each to its handler. */
export function createEntry(options: EntryOptions): Entry {
  const sockets = new Set<Duplex>();
  let closing = false;
  const locate = (request: IncomingMessage): { path: string; query: string } => {
    const whole = parseWhole(request.url ?? '/');
    if (whole !== undefined) [request.headers.host, request.url] = [whole.host, whole.url];
    request.url = withoutBase(request.url ?? '/', options.basePath);
    const mark = request.url.indexOf('?');
    return mark === -1
      ? { path: request.url, query: '' }
      : { path: request.url.slice(0, mark), query: request.url.slice(mark) };
  };
  /** Returns why a request is refused, whatever its path; undefined if it is accepted. */
  const refusal = (request: IncomingMessage): { status: number; title: string; sentence: string } | undefined => {
    if (countOf(request.rawHeaders, 'host') > 1)
      return { status: 400, title: 'Bad Request', sentence: 'The request has more than one Host header.' };
    if (!options.isOurHost(request.headers.host)) {
      const sentence =
        'This server does not accept requests for this host name. To allow the name, add it to STREAMLIT_HOST_HOSTS or use it in STREAMLIT_HOST_PUBLIC_BASE.';
      return { status: 421, title: 'Misdirected Request', sentence };
    }
    if (isServiceWorker(request.headers)) {
      const sentence = 'Service workers are not allowed, because apps share this origin.';
      return { status: 403, title: 'Forbidden', sentence };
    }
    return undefined;
  };
  /** Routes a path at this origin. */
  const here = (
    route: Route,
    path: string,
  ): Route | { kind: 'elsewhere'; base: (host: string | undefined) => string } => {
    const { part } = options;
    const ofApps = route.kind === 'app' || route.kind === 'static';
    if (part?.of === 'platform' && ofApps) return { kind: 'elsewhere', base: part.appsBase };
    if (part?.of === 'apps' && !ofApps && !(route.kind === 'web' && FOR_APPS.test(path))) return { kind: 'nowhere' };
    return route;
  };
  const answer: Entry['request'] = (request, response) => {
    // A client that goes away is an everyday event; readers and writers of the streams see it by their end.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const { path, query } = locate(request);
    const refused = refusal(request);
    options.screen?.(request);
    if (refused !== undefined) {
      request.resume();
      return plain(response, refused.status, `${refused.sentence}\n`, { 'cache-control': 'no-store' });
    }
    const route = here(parseRoute(path), path);
    const { method = '' } = request;
    // An app may have routes for any method; TRACE would only give a visitor's cookies back.
    if (route.kind === 'app' ? method === 'TRACE' : !METHODS.includes(method)) {
      request.resume();
      return plain(response, 405, 'This method is not supported.\n', { allow: METHODS.join(', ') });
    }
    if (route.kind === 'elsewhere') {
      request.resume();
      const location = `${route.base(request.headers.host)}${path}${query}`;
      response.writeHead(307, { location, 'cache-control': 'no-store' }).end();
      return;
    }
    if (route.kind === 'web' || (route.kind === 'app' && isNavigation(request, route.rest)))
      options.seen?.(request, response, path);
    const welcome = route.kind === 'web' || route.kind === 'app' ? options.welcome?.(request, response) : undefined;
    if (welcome === undefined) return pass(request, response, { route, path, query });
    welcome
      .then(() => response.destroyed || pass(request, response, { route, path, query }))
      .catch((error: unknown) => {
        options.failed(error, path);
        response.destroy();
      });
  };
  /** Passes a request to its handler. */
  const pass = (
    request: IncomingMessage,
    response: ServerResponse,
    { route, path, query }: { route: Route; path: string; query: string },
  ): void => {
    switch (route.kind) {
      case 'git':
        return options.git(request, response, route.path, query);
      case 'app':
        return options.gateway.request(request, response, route, query);
      case 'static':
        return options.gateway.static(request, response, route.key, route.file);
      case 'nowhere':
        request.resume();
        response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('Not found.\n');
        return;
      case 'web': {
        const to = request.method === 'GET' || request.method === 'HEAD' ? options.redirect?.(path) : undefined;
        if (to !== undefined) {
          const base = options.part?.of === 'platform' ? options.part.appsBase(request.headers.host) : options.basePath;
          response.writeHead(302, { location: `${base}${to}${query}`, 'cache-control': 'no-store' }).end();
          return;
        }
        return options.web(request, response);
      }
    }
  };
  const upgrade: Entry['upgrade'] = (request, socket, head) => {
    // Before anybody else sees the socket: an error without a listener ends the server.
    socket.on('error', () => socket.destroy());
    if (closing) return refuse(socket, '503 Service Unavailable', 'Retry-After: 5\r\n');
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const { path, query } = locate(request);
    const refused = refusal(request);
    options.screen?.(request);
    if (refused !== undefined) return refuse(socket, `${refused.status} ${refused.title}`);
    const route = here(parseRoute(path), path);
    if (route.kind === 'elsewhere')
      return refuse(
        socket,
        '307 Temporary Redirect',
        `Location: ${route.base(request.headers.host)}${path}${query}\r\n`,
      );
    if (route.kind !== 'app') return refuse(socket, '404 Not Found');
    options.gateway.upgrade(request, socket, head, route, query).catch(() => socket.destroy());
  };
  return {
    request(request, response) {
      try {
        answer(request, response);
      } catch (error) {
        options.failed(error, request.url ?? '');
        response.destroy();
      }
    },
    upgrade(request, socket, head) {
      try {
        upgrade(request, socket, head);
      } catch (error) {
        options.failed(error, request.url ?? '');
        socket.destroy();
      }
    },
    closeSockets() {
      closing = true;
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Counts a header in a message. Of some headers, Node keeps only the first. @param raw names and values in turn */
function countOf(raw: readonly string[], name: string): number {
  return raw.filter((text, place) => place % 2 === 0 && text.toLowerCase() === name).length;
}
