import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { hasCode } from '../../errors.js';
import type { HostAddress } from '../../lib/address.js';

/** How long an instance may take to say what it wants, in ms. */
const HEAD_MS = 10_000;
/** How long a ticket is good for, in ms. */
const TICKET_MS = 5 * 60_000;
/** After how long without a word the other end is asked whether it is still there, in ms. */
const KEEP_ALIVE_MS = 10_000;
const PATH = /^\/instances\/([\w-]{1,64})\/(control|data)$/;

/** Who is told of the connections of an instance. */
export interface Seat {
  /** The one over which the two talk. @param key with which the instance comes back; undefined where it has that already */
  control(stream: Duplex, key: string | undefined): void;
  /** One that waits for a visitor. */
  data(stream: Duplex): void;
}

/**
 * Where instances on other machines connect to, over HTTP: so no port of theirs is open, and visitors reach them through the server alone. An instance shows a ticket the first time, which is good once, and a key afterwards. The key follows
 * from the server's secret, so the next server knows it too.
 */
export class Tunnel {
  /** Where it listens. */
  readonly port: number;
  readonly #server: Server;
  readonly #secret: Buffer;
  readonly #seats = new Map<string, Seat>();
  readonly #tickets = new Map<string, { ticket: Buffer; timer: NodeJS.Timeout }>();

  private constructor(server: Server, secret: Buffer) {
    this.#server = server;
    this.#secret = secret;
    this.port = (server.address() as { port: number }).port;
    server.on('upgrade', (request, socket, head) => this.#take(request, socket, head));
  }

  /**
   * Opens it where it is to be reached; on all addresses where that one is not the machine's own.
   * @param at port 0 = any
   */
  static async open(at: HostAddress, secret: Buffer): Promise<Tunnel> {
    const server = createServer({ headersTimeout: HEAD_MS, requestTimeout: HEAD_MS }, (_, response) =>
      response.writeHead(404).end(),
    );
    const listen = async (host?: string): Promise<void> => {
      server.listen(at.port, host);
      await once(server, 'listening');
    };
    await listen(at.host).catch((error: unknown) => {
      if (!hasCode(error, 'EADDRNOTAVAIL') && !hasCode(error, 'ENOTFOUND')) throw error;
      return listen();
    });
    return new Tunnel(server, secret);
  }

  /** A word with which an instance may connect once. */
  ticket(name: string): string {
    this.forget(name);
    const word = randomBytes(24).toString('base64url');
    const timer = setTimeout(() => this.#tickets.delete(name), TICKET_MS).unref();
    this.#tickets.set(name, { ticket: Buffer.from(word), timer });
    return word;
  }

  /** From now on, who asks for the instance gets there. @returns what undoes that */
  seat(name: string, seat: Seat): () => void {
    this.#seats.set(name, seat);
    return () => {
      // The next server may sit there.
      if (this.#seats.get(name) === seat) this.#seats.delete(name);
    };
  }

  /** The ticket of an instance is good no more. */
  forget(name: string): void {
    clearTimeout(this.#tickets.get(name)?.timer);
    this.#tickets.delete(name);
  }

  /** Nobody can connect any more. What is connected stays so. */
  close(): void {
    this.#server.close();
    for (const name of [...this.#tickets.keys()]) this.forget(name);
  }

  #take({ url = '', headers }: IncomingMessage, socket: Duplex, head: Buffer): void {
    // It is told by its end.
    socket.on('error', () => undefined);
    (socket as Socket).setKeepAlive(true, KEEP_ALIVE_MS);
    const [, name = '', what] = PATH.exec(url) ?? [];
    const seat = this.#seats.get(name);
    const word = Buffer.from(/^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1] ?? '');
    const key = this.#keyOf(name);
    const ticket = this.#tickets.get(name)?.ticket;
    const first = what === 'control' && ticket !== undefined && isSame(word, ticket);
    if (!first && !isSame(word, Buffer.from(key))) return refuse(socket, '401 Unauthorized');
    // Where it is not known yet, it comes again.
    if (seat === undefined) return refuse(socket, '404 Not Found');
    if (first) this.forget(name);
    if (head.length > 0) socket.unshift(head);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: streamlit-host\r\n\r\n');
    if (what === 'control') seat.control(socket, first ? key : undefined);
    else seat.data(socket);
  }

  #keyOf(name: string): string {
    return createHmac('sha256', this.#secret).update(name).digest('base64url');
  }
}

function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
