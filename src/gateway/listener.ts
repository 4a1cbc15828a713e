import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { hasCode, messageOf, Refusal } from '../errors.js';
import { CONNECTION_LIMITS, Connections, type ConnectionLimits } from './connections.js';
import type { Entry } from './entry.js';
import { answerOverflow } from './header-overflow.js';

/** The maximum size of a request's URL and headers, in bytes. */
const MAX_HEADERS = 64 * 1024;
/** How long a request's headers may take, in ms, even on an idle connection. */
const HEADERS_MS = 20_000;
/** How long the rest of a refused request may keep arriving, in ms. */
const LINGER_MS = 3_000;
/** How long open requests may take to finish when the server stops, in ms. */
const STOP_LIMIT_MS = 5_000;

/** Where to listen. */
export interface Address {
  /** 0 = any free port. */
  port: number;
  bind: string;
  /** The setting that names the port. */
  setting?: string;
}

/**
 * Opens a port.
 * @param handed the port, already open, from the server that this one replaces
 * @throws Refusal `cannot-listen`
 */
export async function listen(
  address: Address,
  entry: Pick<Entry, 'request' | 'upgrade'>,
  limits: Partial<ConnectionLimits> = {},
  handed?: NetServer,
): Promise<Server> {
  // A push or an upload may take as long as it moves, which `Connections` looks at; headers have to come in time.
  const server = createServer(
    {
      requestTimeout: 0,
      headersTimeout: HEADERS_MS,
      connectionsCheckingInterval: HEADERS_MS / 4,
      keepAliveTimeout: 75_000,
      maxHeaderSize: MAX_HEADERS,
    },
    entry.request,
  );
  new Connections(server, { ...CONNECTION_LIMITS, ...limits });
  server.on('upgrade', (request, socket, head) => {
    if (request.headers.upgrade?.toLowerCase() === 'websocket') entry.upgrade(request, socket, head);
    else declineUpgrade(server, request, socket, head);
  });
  const answering = new WeakMap<Duplex, Set<ServerResponse>>();
  server.on('request', ({ socket }, response) => {
    const mine = answering.get(socket) ?? new Set();
    answering.set(socket, mine.add(response));
    response.once('close', () => mine.delete(response));
  });
  const refused = new WeakSet<Duplex>();
  server.on('clientError', (error, socket) => {
    // The rest of what was refused goes on arriving. Were the connection closed before it has, it would be reset, and the
    // answer lost on its way (https://www.rfc-editor.org/rfc/rfc9112#section-9.6).
    if (refused.has(socket)) return;
    // In the middle of an answer it would be taken for a part of it; that one breaks off instead.
    const begun = [...(answering.get(socket) ?? [])].some((response) => response.headersSent);
    if (!socket.writable || begun) return void socket.destroy();
    refused.add(socket);
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
    if (hasCode(error, 'HPE_HEADER_OVERFLOW')) answerOverflow(socket, MAX_HEADERS);
    else socket.end(BAD_REQUEST);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const where = `${address.bind}:${address.port}`;
      const why = hasCode(error, 'EADDRINUSE')
        ? `Port ${address.port} is already in use. Set ${address.setting ?? 'STREAMLIT_HOST_PORT'} to another port.`
        : `Cannot listen on ${where}: ${messageOf(error)}.`;
      reject(new Refusal('unavailable', 'cannot-listen', why));
    });
    if (handed === undefined) server.listen(address.port, address.bind, resolve);
    else server.listen(handed, resolve);
  });
  return server;
}

/** The answer to a malformed request. */
const BAD_REQUEST = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

/**
 * Handles a request for another protocol as a plain one. Clients that prefer HTTP/2 (Java's, curl --http2) offer that
 * in their first request, and a server may ignore the offer (https://www.rfc-editor.org/rfc/rfc9110#section-7.8).
 * Node has stopped parsing by then, so the request is parsed again.
 */
function declineUpgrade(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const lines = [`${request.method ?? 'GET'} ${request.url ?? '/'} HTTP/${request.httpVersion}`];
  for (let place = 0; place < request.rawHeaders.length; place += 2) {
    const [name = '', value = ''] = request.rawHeaders.slice(place, place + 2);
    if (!['upgrade', 'connection', 'http2-settings'].includes(name.toLowerCase())) lines.push(`${name}: ${value}`);
  }
  const kept = (request.headers.connection ?? '')
    .split(',')
    .filter((token) => !/^\s*(upgrade|http2-settings)\s*$/i.test(token));
  if (kept.length > 0) lines.push(`Connection: ${kept.join(',').trim()}`);
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit('connection', socket);
}

/**
 * Accepts no more connections, for another process accepts them on the same port. Those that are open stay so, also idle ones:
 * their clients may just be sending.
 * @returns resolves when all have ended
 */
export function leavePort(server: Server): Promise<void> {
  return new Promise((resolve) => NetServer.prototype.close.call(server, () => resolve()));
}

/** Closes the port; requests in progress get some time to finish. */
export async function close(server: Server): Promise<void> {
  await endConnections(server, new Promise((resolve) => server.close(resolve)));
}

/** Ends the connections of a port that is closed; requests in progress get some time to finish. @param closed resolves when all have ended */
export async function endConnections(server: Server, closed: Promise<unknown> | undefined): Promise<void> {
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), STOP_LIMIT_MS);
  await closed;
  clearTimeout(timer);
}
