import type { Agent, ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { createProxyServer, type ProxyServer, type ProxyTargetDetailed } from 'httpxy';
import { hasCode } from '../errors.js';
import { reach } from '../lib/address.js';
import { cleanResponse, cleanUpgrade } from './headers.js';
import { isHeartbeat } from '../domain/app/sleep.js';
import type { Target } from './target.js';

/** How long an app may be silent before its answer's headers, in ms: a cell that computes for minutes is not an error. */
const ANSWER_LIMIT_MS = 15 * 60_000;
/** For WebSockets, in ms: how long an app may take to answer, and how long one end may stay open after the other has ended. */
const LIMITS = { upgradeMs: 30_000, lingerMs: 15_000 };
/** After how long without a byte (ms) the system asks whether a visitor is still there. */
const KEEP_ALIVE_MS = 60_000;

/** The most bytes of an answer's headers: a login is kept in cookies, of which large ones are split into several. */
const MAX_HEADERS = 64 * 1024;

/** How an app's answer is to be changed on its way. */
export interface Manner {
  /** Where browsers see the app, such as `/apps/hello`. */
  appPath: string;
  /** A cookie of ours that is added. */
  cookie: string | undefined;
}

/** What a failed request knows of its way, kept beside it while it is forwarded. */
interface Passage extends Manner {
  failed: (error: Error) => void;
  /** Somebody is there, at the other end of a WebSocket. */
  touch?: () => void;
  asked?: ClientRequest;
}

/**
 * Sends requests and WebSockets to processes as streams, with the proxy library's own back pressure: no body is ever
 * held whole. The only file that knows the library.
 */
export class Forwarder {
  readonly #proxy: ProxyServer;
  readonly #passages = new WeakMap<object, Passage>();
  readonly #limits: typeof LIMITS;

  constructor(limits = LIMITS) {
    this.#limits = limits;
    this.#proxy = createProxyServer({ xfwd: false, changeOrigin: false });
    this.#proxy.on('proxyRes', (answer, request, response) => {
      // What Node reads but would not write ends the server, since nobody can catch it: a reason says no more than its number,
      // and none is below 100.
      delete answer.statusMessage;
      if ((answer.statusCode ?? 0) < 100) answer.statusCode = 502;
      const passage = this.#passages.get(request);
      if (passage !== undefined) cleanResponse(answer.headers, passage.appPath, passage.cookie);
      answer.headers.connection = response.shouldKeepAlive ? 'keep-alive' : 'close';
    });
    this.#proxy.on('proxyReq', (asked, request) => {
      const passage = this.#passages.get(request);
      if (passage !== undefined) passage.asked = asked;
    });
    this.#proxy.on('proxyReqWs', (asked, request, socket) => {
      const appPath = this.#passages.get(request)?.appPath ?? '';
      // Until the app answers, nobody reads from the visitor's end; only this event shows that they left.
      const leave = (): void => void socket.destroy();
      socket.once('end', leave);
      asked.once('upgrade', (answer, upstream) => {
        socket.off('end', leave);
        // It flows from here on, into the app: the app sees that somebody is there.
        const touch = this.#passages.get(request)?.touch;
        socket.on('data', (chunk: Buffer) => {
          if (!isHeartbeat(chunk)) touch?.();
        });
        cleanUpgrade(answer.headers, appPath);
        closeTogether(socket, upstream, this.#limits.lingerMs);
      });
      asked.once('response', (answer) => {
        socket.off('end', leave);
        cleanResponse(answer.headers, appPath);
      });
    });
    this.#proxy.on('error', (error, request) => {
      if (request !== undefined) this.#passages.get(request)?.failed(error);
    });
    // The visitor went away in the middle: httpxy has closed the other side, and nobody is left to be told.
    this.#proxy.on('econnreset', () => undefined);
  }

  /**
   * Forwards one request whose target was claimed already.
   * @param failed called with an error; whether the answer has begun can be seen on the response
   */
  web(
    request: IncomingMessage,
    response: ServerResponse,
    target: Target,
    manner: Manner,
    failed: (error: Error) => void,
  ): void {
    const passage: Passage = {
      ...manner,
      failed: (error) => {
        if (!isRepeatable(error, request, response, passage.asked)) return failed(error);
        passage.failed = failed;
        this.#send(request, response, target, false, passage);
      },
    };
    this.#passages.set(request, passage);
    this.#send(request, response, target, target.agent, passage);
  }

  #send(
    request: IncomingMessage,
    response: ServerResponse,
    target: Target,
    agent: Agent | false,
    passage: Passage,
  ): void {
    void this.#proxy
      .web(request, response, { ...whereTo(target), agent, proxyTimeout: ANSWER_LIMIT_MS })
      .catch((error: Error) => passage.failed(error));
  }

  /** Forwards one WebSocket whose target was claimed already; both ends close together. */
  socket(
    request: IncomingMessage,
    socket: Socket,
    head: Buffer,
    target: Target,
    appPath: string,
    failed: (error: Error) => void,
  ): void {
    this.#passages.set(request, { appPath, cookie: undefined, failed, touch: () => target.touch() });
    const release = target.hold(() => socket.destroy());
    socket.once('close', release);
    target.touch();
    void this.#proxy
      .ws(request, socket, { ...whereTo(target), agent: false, upgradeTimeout: this.#limits.upgradeMs }, head)
      .catch(failed);
  }
}

/** A process as the library is told of it. What it calls "ssl" is where its options for Node's request begin, and it writes into it. */
function whereTo({ backend }: Target): { target: ProxyTargetDetailed; ssl: { maxHeaderSize: number } } {
  return { target: { protocol: 'http:', ...reach(backend.address) }, ssl: { maxHeaderSize: MAX_HEADERS } };
}

/**
 * True where a kept connection was closed by the app just as the request came, and sending it again changes nothing: it
 * has no body, and its method is a safe one (https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2).
 */
function isRepeatable(
  error: Error,
  request: IncomingMessage,
  response: ServerResponse,
  asked: ClientRequest | undefined,
): boolean {
  const { method = '', headers } = request;
  const bare = headers['transfer-encoding'] === undefined && (headers['content-length'] ?? '0') === '0';
  const waiting = !response.headersSent && !response.destroyed;
  return (
    asked?.reusedSocket === true &&
    hasCode(error, 'ECONNRESET') &&
    ['GET', 'HEAD', 'OPTIONS'].includes(method) &&
    bare &&
    waiting
  );
}

/** Neither end of a WebSocket outlives the other: a pipe passes on an end, but not a connection that broke. */
function closeTogether(socket: Socket, upstream: Socket, lingerMs: number): void {
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  let timer: NodeJS.Timeout | undefined;
  const linger = (): void => {
    timer ??= setTimeout(() => {
      socket.destroy();
      upstream.destroy();
    }, lingerMs).unref();
  };
  socket.once('end', linger);
  upstream.once('end', linger);
  socket.once('close', () => {
    clearTimeout(timer);
    upstream.destroy();
  });
  upstream.once('close', () => {
    // What the app sent last is still on its way; where it did not end in order, there is nothing to wait for.
    if (socket.writableEnded) linger();
    else socket.destroy();
  });
}
