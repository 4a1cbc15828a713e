import { chmod, rm } from 'node:fs/promises';
import { request as ask, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { sameSecret } from '../store/sessions.js';
import { plain } from './absent.js';
import type { Entry } from './entry.js';
import { refuse } from './gateway.js';
import type { Door } from './switchboard.js';

/** Where the next server takes over what still arrives here. */
export interface RelayAddress {
  /** A unix socket that only the server's user can reach. */
  path: string;
  /** Proves that a connection comes from the earlier server: apps may run as the same user. */
  secret: string;
}

/** The longest introduction of a connection, in bytes. */
const MAX_INTRODUCTION = 1_024;
/** Headers that belong to one connection and are not passed on (https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1). */
const HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'expect']);

/**
 * Passes requests on to the next server, with the visitor's own address. Each answer closes its connection, so that the
 * client's next one reaches that server directly.
 */
export function relayTo({ path, secret }: RelayAddress, door: Door): Entry {
  const sockets = new Set<Duplex>();
  const open = ({ socket }: IncomingMessage): Socket => {
    const way = connect(path);
    // The request that waits for an answer notices its end.
    way.on('error', () => undefined);
    way.write(
      `${JSON.stringify({ secret, door, address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 })}\n`,
    );
    return way;
  };
  return {
    request(request, response) {
      request.on('error', () => undefined);
      response.on('error', () => undefined);
      const asked = ask({
        createConnection: () => open(request),
        method: request.method,
        path: request.url,
        setHost: false,
        headers: passedOn(request.rawHeaders),
      });
      asked.on('response', (answer) => answerWith(answer, response));
      asked.on('error', () => {
        if (response.headersSent || response.destroyed) return void response.destroy();
        request.resume();
        plain(response, 503, 'The server is restarting. Try again in a moment.\n', {
          'retry-after': '2',
          connection: 'close',
        });
      });
      response.once('close', () => asked.destroy());
      request.pipe(asked);
    },
    upgrade(request, socket, head) {
      const way = open(request);
      socket.on('error', () => way.destroy());
      way.on('error', () => {
        if (way.bytesRead === 0) refuse(socket, '503 Service Unavailable', 'Retry-After: 2\r\n');
        else socket.destroy();
      });
      sockets.add(socket);
      socket.once('close', () => {
        sockets.delete(socket);
        way.destroy();
      });
      way.once('close', () => socket.end());
      const lines = [`${request.method ?? 'GET'} ${request.url ?? '/'} HTTP/1.1`];
      for (let place = 0; place < request.rawHeaders.length; place += 2)
        lines.push(`${request.rawHeaders[place]}: ${request.rawHeaders[place + 1]}`);
      way.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
      socket.pipe(way).pipe(socket);
    },
    closeSockets() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** @param raw names and values in turn */
function passedOn(raw: readonly string[]): string[] {
  const kept: string[] = [];
  for (let place = 0; place < raw.length; place += 2) {
    const [name = '', value = ''] = raw.slice(place, place + 2);
    if (!HOP.has(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}

function answerWith(answer: IncomingMessage, response: ServerResponse): void {
  response.sendDate = false;
  response.writeHead(answer.statusCode ?? 502, [...passedOn(answer.rawHeaders), 'Connection', 'close']);
  answer.on('error', () => response.destroy());
  answer.once('aborted', () => response.destroy());
  answer.pipe(response);
}

/**
 * Accepts what an earlier server passes on. Each connection counts as one of the visitor, at the door where it came in.
 * @param servers the HTTP servers of the doors
 */
export async function acceptRelayed(
  { path, secret }: RelayAddress,
  servers: Partial<Record<Door, HttpServer>>,
): Promise<Server> {
  const relay = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    introduced(socket)
      .then(({ secret: theirs, door, address, port }) => {
        const server = door === 'apps' ? servers.apps : servers.platform;
        if (server === undefined || !sameSecret(theirs, secret)) return void socket.destroy();
        Object.defineProperties(socket, { remoteAddress: { value: address }, remotePort: { value: port } });
        server.emit('connection', socket);
      })
      .catch(() => socket.destroy());
  });
  await rm(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    relay.once('error', reject);
    relay.listen(path, resolve);
  });
  await chmod(path, 0o600);
  // It ends with the process, and keeps it from no end.
  relay.unref();
  return relay;
}

interface Introduction {
  secret: string;
  door: Door;
  address: string;
  port: number;
}

/** Reads the line with which a connection begins. */
async function introduced(socket: Socket): Promise<Introduction> {
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0);
    const read = (): void => {
      for (let chunk: Buffer | null; (chunk = socket.read() as Buffer | null) !== null;) {
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf(0x0a);
        if (end === -1 && head.length < MAX_INTRODUCTION) continue;
        socket.off('readable', read);
        if (end === -1) return reject(new Error('a connection did not introduce itself'));
        if (end + 1 < head.length) socket.unshift(head.subarray(end + 1));
        try {
          resolve(JSON.parse(head.subarray(0, end).toString('utf8')) as Introduction);
        } catch (error) {
          reject(new Error('a connection introduced itself wrongly', { cause: error }));
        }
        return;
      }
    };
    socket.on('readable', read);
    socket.once('close', () => reject(new Error('the connection was closed')));
  });
}
