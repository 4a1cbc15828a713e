import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { parseRoute, parseWhole, withoutBase } from '../domain/app/route.js';
import type { Claims } from '../lib/claims.js';
import type { Entry } from './entry.js';

/** How many may listen for one event of a WebSocket before Node warns. */
const MAX_LISTENERS = 25;

/** A port's place on the switchboard: the main port, or the apps' own one. */
export type Door = 'platform' | 'apps';

/** Who answers at each door. */
export type Entries = Partial<Record<Door, Entry>>;

/** A request or an upgrade, and where it came in. */
interface Arrival {
  door: Door;
  /** The URL as it arrived; handlers shorten the request's own. */
  url: string | undefined;
  host: string | undefined;
}

/**
 * Stands between the ports and the entries, so that the entries can be exchanged while connections stay open: by those of
 * this server, or by the way to the next one. While nobody may answer, requests wait here, unread.
 */
export class Switchboard {
  readonly #basePath: string;
  readonly #changes: Claims;
  readonly #logsIn: (request: IncomingMessage) => boolean;
  readonly #arrivals = new WeakMap<IncomingMessage, Arrival>();
  #entries: Entries = {};
  #held: 'none' | 'changes' | 'all' = 'none';
  #waiting: (() => void)[] = [];
  readonly #sockets = new Set<Duplex>();

  /**
   * @param changes counts the API's and the console's changes in progress
   * @param logsIn whether a request may begin a session, wherever it leads
   */
  constructor(basePath: string, changes: Claims, logsIn: (request: IncomingMessage) => boolean = () => false) {
    this.#basePath = basePath;
    this.#changes = changes;
    this.#logsIn = logsIn;
  }

  /** The entry for a port. */
  door(door: Door): Entry {
    return {
      request: (request, response) => {
        this.#arrivals.set(request, { door, url: request.url, host: request.headers.host });
        this.again(request, response);
      },
      upgrade: (request, socket, head) => {
        this.#arrivals.set(request, { door, url: request.url, host: request.headers.host });
        this.#sockets.add(socket);
        // Each thing that ends with a WebSocket listens for its end: more of them than the ten that Node takes for a leak.
        socket.setMaxListeners(MAX_LISTENERS);
        socket.once('close', () => this.#sockets.delete(socket));
        this.upgradeAgain(request, socket, head);
      },
      closeSockets: () => this.closeSockets(),
    };
  }

  /** Closes all WebSockets, whichever entry has answered them, and accepts no new ones. */
  closeSockets(): void {
    for (const entry of Object.values(this.#entries)) entry.closeSockets();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Lets requests wait from now on: all, or those that change something. */
  hold(what: 'changes' | 'all'): void {
    this.#held = what;
  }

  /** Exchanges who answers; what was waiting goes there. */
  lead(entries: Entries): void {
    this.#entries = entries;
    this.#held = 'none';
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  /** Passes a request to the entry that answers now: also one that had waited for an app when the server was replaced. */
  again(request: IncomingMessage, response: ServerResponse): void {
    const arrival = this.#restore(request);
    if (response.destroyed) return;
    const change = this.#logsIn(request) ? 'web' : isChange(request, this.#basePath);
    if (this.#held === 'all' || (this.#held === 'changes' && change !== undefined)) {
      request.on('error', () => undefined);
      response.on('error', () => undefined);
      this.#waiting.push(() => this.again(request, response));
      return;
    }
    if (change === 'web') response.once('close', this.#changes.take());
    const entry = this.#entries[arrival.door];
    if (entry === undefined) response.destroy();
    else entry.request(request, response);
  }

  /** The same for an upgrade. */
  upgradeAgain(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const arrival = this.#restore(request);
    if (socket.destroyed) return;
    if (this.#held === 'all') {
      socket.on('error', () => socket.destroy());
      this.#waiting.push(() => this.upgradeAgain(request, socket, head));
      return;
    }
    const entry = this.#entries[arrival.door];
    if (entry === undefined) socket.destroy();
    else entry.upgrade(request, socket, head);
  }

  #restore(request: IncomingMessage): Arrival {
    const arrival = this.#arrivals.get(request) ?? { door: 'platform', url: request.url, host: request.headers.host };
    if (arrival.url !== undefined) request.url = arrival.url;
    if (arrival.host !== undefined) request.headers.host = arrival.host;
    return arrival;
  }
}

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Returns what a request may change: records, by the API or the console, or a repository; undefined if nothing. */
function isChange({ method = '', url = '/' }: IncomingMessage, basePath: string): 'web' | 'push' | undefined {
  const path = withoutBase(parseWhole(url)?.url ?? url, basePath).split('?', 1)[0] ?? '';
  const { kind } = parseRoute(path);
  if (kind === 'git') return method === 'POST' && path.endsWith('/git-receive-pack') ? 'push' : undefined;
  if (kind !== 'web' || /^\/api\/server\/reload$/i.test(path)) return undefined;
  // A login link begins a session.
  return SAFE.has(method) && !/^\/console\/login/i.test(path) ? undefined : 'web';
}
