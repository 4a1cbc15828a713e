import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';
import { ensureFolder } from '../../lib/ensure-folder.js';

/** How many connections may wait to be accepted. */
const BACKLOG = 4096;

/**
 * The socket on this machine at which an instance on another one is reached. Each connection to it is carried over one that the
 * instance has made ahead.
 */
export class Door {
  readonly path: string;
  readonly #server: Server;
  readonly #parked: { stream: Duplex; gone: () => void }[] = [];
  readonly #visitors: Socket[] = [];

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
    server.on('connection', (visitor) => {
      visitor.on('error', () => undefined);
      this.#visitors.push(visitor);
      this.#pair();
    });
  }

  static async open(path: string): Promise<Door> {
    await ensureFolder(dirname(path), 0o700);
    // That of a server that was killed.
    await rm(path, { force: true });
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    const door = new Door(path, server);
    server.listen({ path, backlog: BACKLOG });
    await once(server, 'listening');
    server.unref();
    return door;
  }

  /** A connection that waits for a visitor. */
  park(stream: Duplex): void {
    if (!this.#server.listening) {
      stream.destroy();
      return;
    }
    const gone = (): void => {
      const at = this.#parked.findIndex((one) => one.stream === stream);
      if (at >= 0) this.#parked.splice(at, 1);
      stream.destroy();
    };
    this.#parked.push({ stream, gone });
    // Its end is only noticed by who reads it, and it says nothing before a visitor does.
    stream.on('end', gone).on('close', gone);
    stream.resume();
    this.#pair();
  }

  /** Lets nobody in any more, and removes the socket's name. What is carried goes on. */
  close(): void {
    if (!this.#server.listening) return;
    this.#server.close();
    for (const { stream } of [...this.#parked]) stream.destroy();
    for (const visitor of this.#visitors) visitor.destroy();
  }

  #pair(): void {
    while (this.#visitors.length > 0) {
      const [visitor] = this.#visitors;
      if (visitor === undefined || visitor.destroyed) {
        this.#visitors.shift();
        continue;
      }
      const next = this.#parked.shift();
      if (next === undefined) return;
      this.#visitors.shift();
      next.stream.off('end', next.gone).off('close', next.gone);
      carry(visitor, next.stream);
    }
  }
}

/** Each gets what the other one sends, until both have ended or one of them breaks. */
function carry(visitor: Socket, stream: Duplex): void {
  stream.pause();
  visitor.pipe(stream);
  stream.pipe(visitor);
  visitor.once('close', () => stream.destroy());
  stream.once('close', () => visitor.destroy());
}
