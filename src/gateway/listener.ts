import { createServer, type Server } from 'node:http';
import { hasCode, messageOf, Refusal } from '../errors.js';
import type { Entry } from './entry.js';

/** How long open requests may take to end when the server stops, in ms. */
const STOP_LIMIT_MS = 5_000;

/** Where to listen. */
export interface Address {
  /** 0 = any that is free. */
  port: number;
  bind: string;
}

/** Opens the one port. @throws Refusal `cannot-listen` */
export async function listen(address: Address, entry: Entry): Promise<Server> {
  // A push or an upload may take as long as it takes; that headers come in time is still asked for.
  const server = createServer({ requestTimeout: 0, headersTimeout: 60_000, keepAliveTimeout: 75_000, maxHeaderSize: 64 * 1024 }, entry.request);
  server.on('upgrade', entry.upgrade);
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    else socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const where = `${address.bind}:${address.port}`;
      const why = hasCode(error, 'EADDRINUSE')
        ? `port ${address.port} is taken already: set STREAMLIT_HOST_PORT to another`
        : `the server cannot listen on ${where}: ${messageOf(error)}`;
      reject(new Refusal('unavailable', 'cannot-listen', why));
    });
    server.listen(address.port, address.bind, resolve);
  });
  return server;
}

/** The address by which this machine reaches what listens on another. */
export function localHost(bind: string): string {
  if (bind === '0.0.0.0' || bind === '::') return '127.0.0.1';
  return bind.includes(':') ? `[${bind}]` : bind;
}

/** Closes the port: what is under way may end, for a while. */
export async function close(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), STOP_LIMIT_MS);
  await closed;
  clearTimeout(timer);
}
