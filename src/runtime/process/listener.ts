import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { rename, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { ensureFolder } from '../../lib/ensure-folder.js';

/** How many connections may wait to be accepted; more are refused, where a port would let them try again. */
const BACKLOG = 4096;
/** The characters of a socket's name: 60 bits, which no two of a few thousand share. */
const NAME_LENGTH = 10;

/**
 * Where the process with a mark is reached. The name is short, since the whole path may have 107 bytes only, and one for
 * any mark that a record may name.
 * @param folder for all of them
 */
export function socketPath(folder: string, mark: string): string {
  return join(folder, createHash('sha256').update(mark).digest('base64url').slice(0, NAME_LENGTH));
}

/**
 * A listening socket that a process is handed as it begins: nobody else can have its address, before the process serves or
 * after it has ended. Its folder is hidden from cages, so only the server connects.
 */
export class Listener {
  readonly path: string;
  readonly #server: Server;

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
  }

  /** @param path at most 107 bytes, the kernel's limit (https://man7.org/linux/man-pages/man7/unix.7.html) */
  static async open(path: string): Promise<Listener> {
    const [folder, name] = [dirname(path), basename(path)];
    await ensureFolder(folder, 0o700);
    // Node removes the name that it has made when it closes its copy, so the socket gets another one.
    const draft = join(folder, `.${name.slice(1)}`);
    const server = createServer();
    server.listen({ path: draft, backlog: BACKLOG });
    await once(server, 'listening');
    const listener = new Listener(path, server);
    try {
      await rename(draft, path);
    } catch (error) {
      await listener.handOver();
      throw error;
    }
    return listener;
  }

  /**
   * For a child's `stdio`. Node has no public name for it, but its own tests hand listening sockets on like this
   * (https://github.com/nodejs/node/blob/main/test/parallel/test-listen-fd-detached.js).
   */
  get descriptor(): number {
    const { fd } = (this.#server as unknown as { _handle: { fd: number } })._handle;
    return fd;
  }

  /** Closes the server's own copy, once the process has one: when that ends, nobody listens any more. */
  async handOver(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }

  /** Closes and removes it: there is no process. */
  async discard(): Promise<void> {
    await this.handOver();
    await rm(this.path, { force: true });
  }
}
