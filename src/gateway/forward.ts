import type { Agent, ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { createProxyServer, type ProxyServer, type ProxyTargetDetailed } from 'httpxy';
import { hasCode } from '../errors.js';
import { reach } from '../lib/address.js';
import { cleanResponse, cleanUpgrade } from './headers.js';
import { isHeartbeat } from '../domain/app/sleep.js';
import type { Target } from './target.js';
import type { PageBytes } from './traffic.js';

/** How long an app may take to send headers, in ms: a cell that computes for minutes is not an error. */
const ANSWER_LIMIT_MS = 15 * 60_000;
/** For WebSockets, in ms: how long an app may take to answer, and how long one end may stay open after the other has closed. */
const LIMITS = { upgradeMs: 30_000, lingerMs: 15_000 };
/** The idle time (ms) after which the system probes whether a visitor is still there. */
const KEEP_ALIVE_MS = 60_000;

/** The maximum size of a response's headers, in bytes. A login may set several large cookies. */
const MAX_HEADERS = 64 * 1024;

/** How to change an app's response. */
export interface Manner {
  /** The app's path for browsers, such as `/apps/hello`. */
  appPath: string;
  /** Our own cookie to add. */
  cookie: string | undefined;
  /** Called when the response begins. */
  answering?: () => void;
}

/** The facts of a request in progress, for its error handling. */
interface Passage extends Manner {
  failed: (error: Error) => void;
  /** Called on activity at the visitor's end of a WebSocket. */
  touch?: () => void;
  /** Takes the bytes of a WebSocket as they pass. */
  bytes?: PageBytes | undefined;
  asked?: ClientRequest;
}

/**
 * Streams requests and WebSockets to processes, with the proxy library's back pressure; no body is held in memory.
 * The only file that uses the library.
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
      passage?.answering?.();
      // The app's cookies take the place of those that stand there already.
      const own = [response.getHeader('set-cookie'), passage?.cookie].flat().filter((one) => typeof one === 'string');
      if (passage !== undefined) cleanResponse(answer.headers, passage.appPath, own);
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
        const { touch, bytes } = this.#passages.get(request) ?? {};
        socket.on('data', (chunk: Buffer) => {
          if (!isHeartbeat(chunk)) touch?.();
          bytes?.fromVisitor(chunk);
        });
        if (bytes !== undefined) upstream.on('data', bytes.fromApp);
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
   * Forwards a request whose target is already claimed.
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

  /**
   * Forwards a WebSocket whose target is already claimed; both ends close together.
   * @param manner.bytes takes its bytes as they pass
   */
  socket(
    request: IncomingMessage,
    socket: Socket,
    head: Buffer,
    target: Target,
    { appPath, bytes }: { appPath: string; bytes?: PageBytes | undefined },
    failed: (error: Error) => void,
  ): void {
    this.#passages.set(request, { appPath, cookie: undefined, failed, touch: () => target.touch(), bytes });
    const release = target.hold(() => socket.destroy());
    socket.once('close', release);
    target.touch();
    void this.#proxy
      .ws(request, socket, { ...whereTo(target), agent: false, upgradeTimeout: this.#limits.upgradeMs }, head)
      .catch(failed);
  }
}

/** Returns a process as a target of the library. Its "ssl" option becomes the options of Node's request, and the library modifies it. */
function whereTo({ backend }: Target): { target: ProxyTargetDetailed; ssl: { maxHeaderSize: number } } {
  return { target: { protocol: 'http:', ...reach(backend.address) }, ssl: { maxHeaderSize: MAX_HEADERS } };
}

/**
 * Returns whether the app closed a kept-alive connection just as the request arrived, and the request can be repeated
 * safely: it has no body, and a safe method (https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2).
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

/** Closes both ends of a WebSocket together: a pipe passes on an end, but not a broken connection. */
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
