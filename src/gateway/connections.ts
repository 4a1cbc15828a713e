import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { parseRoute, parseWhole, withoutBase } from '../domain/app/route.js';
import { networkOf } from '../domain/access/visitor.js';

/** How long (ms) a body may stall, and the window (ms) in which at least `LEAST_BYTES` must arrive. */
export interface Patience {
  idleMs: number;
  windowMs: number;
}

/** How many connections there may be, and how slow they may be. */
export interface ConnectionLimits {
  /** The public URL's path; empty if it has none. */
  basePath: string;
  /** The maximum number of connections. */
  total: number;
  /** The maximum per address, or network of IPv6. */
  perAddress: number;
  /** Returns whether an address stands for many clients, such as a proxy's; only `total` applies to it. */
  manyBehind: (address: string) => boolean;
  /** For forms, API calls and everything already answered. */
  quick: Patience;
  /** For uploads, and for bodies that an app receives. */
  patient: Patience;
  /** How long (ms) a client may read nothing of pending data. */
  stuckMs: number;
  /** The interval (ms) of the checks. */
  everyMs: number;
}

/** The limits of the gateway. */
export const CONNECTION_LIMITS: ConnectionLimits = {
  basePath: '',
  total: 10_000,
  perAddress: 1_000,
  manyBehind: () => false,
  quick: { idleMs: 10_000, windowMs: 30_000 },
  patient: { idleMs: 60_000, windowMs: 120_000 },
  stuckMs: 5 * 60_000,
  everyMs: 1_000,
};

/** Fewer bytes than this in one window do not count as a transfer. */
const LEAST_BYTES = 512;

/** The progress of a transfer, and its time. */
interface Progress {
  bytes: number;
  at: number;
}

interface Held {
  address: string;
  /** The bytes received when it last progressed, and at the start of this window. */
  idle: Progress;
  window: Progress;
  /** The bytes read by the client when it last read some. */
  taken: Progress;
  asked: { request: IncomingMessage; response: ServerResponse; patience: Patience | undefined } | undefined;
}

/**
 * Keeps clients from holding connections open: their number is limited, and bodies and responses must progress.
 * Headers are limited by the HTTP server, and pushes by the git handler.
 */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #held = new Map<Socket, Held>();
  readonly #counts = new Map<string, number>();

  constructor(server: Server, limits: ConnectionLimits) {
    this.#limits = limits;
    server.on('connection', (socket: Socket) => this.#begin(socket));
    // Before anybody changes its address.
    server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
      const held = this.#held.get(request.socket);
      if (held === undefined) return;
      held.asked = { request, response, patience: this.#patienceWith(request) };
      const now = { bytes: request.socket.bytesRead, at: performance.now() };
      [held.idle, held.window] = [now, { ...now }];
    });
    const timer = setInterval(() => this.#look(), limits.everyMs).unref();
    server.once('close', () => clearInterval(timer));
  }

  #begin(socket: Socket): void {
    // What another protocol was declined on is begun again.
    if (this.#held.has(socket)) return;
    const address = socket.remoteAddress ?? '';
    const network = networkOf(address);
    const count = (this.#counts.get(network) ?? 0) + 1;
    const { total, perAddress, manyBehind } = this.#limits;
    if (this.#held.size >= total || (count > perAddress && !manyBehind(address))) {
      socket.on('error', () => undefined);
      socket.end(
        'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
      );
      socket.destroySoon();
      return;
    }
    const now = { bytes: 0, at: performance.now() };
    this.#counts.set(network, count);
    this.#held.set(socket, { address, idle: now, window: { ...now }, taken: { ...now }, asked: undefined });
    socket.once('close', () => {
      this.#held.delete(socket);
      const left = (this.#counts.get(network) ?? 1) - 1;
      if (left === 0) this.#counts.delete(network);
      else this.#counts.set(network, left);
    });
  }

  #look(): void {
    const now = performance.now();
    for (const [socket, held] of this.#held) {
      if (this.#isStuck(socket, held, now) || this.#isHeldUp(socket, held, now)) socket.destroy();
    }
  }

  /** Returns whether the client does not read pending data. */
  #isStuck(socket: Socket, { taken }: Held, now: number): boolean {
    const bytes = socket.bytesWritten - socket.writableLength;
    if (socket.writableLength === 0 || bytes !== taken.bytes) {
      [taken.bytes, taken.at] = [bytes, now];
      return false;
    }
    return now - taken.at > this.#limits.stuckMs;
  }

  /** Returns whether a body has started and does not arrive. */
  #isHeldUp(socket: Socket, held: Held, now: number): boolean {
    const { idle, window, asked } = held;
    if (asked === undefined) return false;
    const { request, response } = asked;
    const patience = response.writableFinished ? this.#limits.quick : asked.patience;
    // While nobody reads it (a full buffer says so) it cannot come.
    if (request.complete || patience === undefined || request.readableLength >= request.readableHighWaterMark) {
      [idle.at, window.at, window.bytes] = [now, now, socket.bytesRead];
      return false;
    }
    if (socket.bytesRead !== idle.bytes) [idle.bytes, idle.at] = [socket.bytesRead, now];
    if (socket.bytesRead - window.bytes >= LEAST_BYTES) [window.bytes, window.at] = [socket.bytesRead, now];
    return now - idle.at > patience.idleMs || now - window.at > patience.windowMs;
  }

  /** @returns undefined for what has a limit of its own */
  #patienceWith({ url = '/', headers }: IncomingMessage): Patience | undefined {
    const { basePath, quick, patient } = this.#limits;
    const path = withoutBase(parseWhole(url)?.url ?? url, basePath).split('?', 1)[0] ?? '';
    const { kind } = parseRoute(path);
    if (kind === 'git') return undefined;
    const small = /^application\/(x-www-form-urlencoded|json)/.test(headers['content-type'] ?? '');
    return kind === 'app' || (kind === 'web' && !small) ? patient : quick;
  }
}
