import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { parseRoute, parseWhole, withoutBase } from '../domain/app/route.js';

/** How long a body may stand still (ms), and in how long (ms) at least `LEAST_BYTES` of it must come. */
export interface Patience {
  idleMs: number;
  windowMs: number;
}

export interface ConnectionLimits {
  /** The public base's own path; empty where it has none. */
  basePath: string;
  /** The most connections at once. */
  total: number;
  /** The most of one address at once. */
  perAddress: number;
  /** True for an address that speaks for many, such as a proxy's: only `total` counts there. */
  manyBehind: (address: string) => boolean;
  /** For forms and calls, and for whatever is answered already. */
  quick: Patience;
  /** For uploads, and for what an app receives. */
  patient: Patience;
  /** How long (ms) a client may take nothing of what is there for it. */
  stuckMs: number;
  /** How often (ms) is looked. */
  everyMs: number;
}

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

/** Fewer bytes than this in one window are not a transfer, only a connection that is held. */
const LEAST_BYTES = 512;

/** How far somebody has got, and since when. */
interface Progress {
  bytes: number;
  at: number;
}

interface Held {
  address: string;
  /** What was received when it last moved, and at the beginning of this window. */
  idle: Progress;
  window: Progress;
  /** What the client has taken when it last took some. */
  taken: Progress;
  asked: { request: IncomingMessage; response: ServerResponse; patience: Patience | undefined } | undefined;
}

/**
 * Keeps clients from holding connections: there are only so many, a body that was begun has to move, and so has what is
 * read. The time for headers is the HTTP server's own; that for pushes is the git handler's.
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
      const now = { bytes: request.socket.bytesRead, at: Date.now() };
      [held.idle, held.window] = [now, { ...now }];
    });
    const timer = setInterval(() => this.#look(), limits.everyMs).unref();
    server.once('close', () => clearInterval(timer));
  }

  #begin(socket: Socket): void {
    // What another protocol was declined on is begun again.
    if (this.#held.has(socket)) return;
    const address = socket.remoteAddress ?? '';
    const count = (this.#counts.get(address) ?? 0) + 1;
    const { total, perAddress, manyBehind } = this.#limits;
    if (this.#held.size >= total || (count > perAddress && !manyBehind(address))) {
      socket.on('error', () => undefined);
      socket.end(
        'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
      );
      socket.destroySoon();
      return;
    }
    const now = { bytes: 0, at: Date.now() };
    this.#counts.set(address, count);
    this.#held.set(socket, { address, idle: now, window: { ...now }, taken: { ...now }, asked: undefined });
    socket.once('close', () => {
      this.#held.delete(socket);
      const left = (this.#counts.get(address) ?? 1) - 1;
      if (left === 0) this.#counts.delete(address);
      else this.#counts.set(address, left);
    });
  }

  #look(): void {
    const now = Date.now();
    for (const [socket, held] of this.#held) {
      if (this.#isStuck(socket, held, now) || this.#isHeldUp(socket, held, now)) socket.destroy();
    }
  }

  /** True where the client takes nothing of what waits for it. */
  #isStuck(socket: Socket, { taken }: Held, now: number): boolean {
    const bytes = socket.bytesWritten - socket.writableLength;
    if (socket.writableLength === 0 || bytes !== taken.bytes) {
      [taken.bytes, taken.at] = [bytes, now];
      return false;
    }
    return now - taken.at > this.#limits.stuckMs;
  }

  /** True where a body was begun and does not come. */
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
