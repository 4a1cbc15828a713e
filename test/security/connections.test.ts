import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { CONNECTION_LIMITS, Connections, type ConnectionLimits } from '../../src/gateway/connections.js';
import { close } from '../../src/gateway/listener.js';
import { startHost } from '../helpers/host.js';
import { closeOf } from '../helpers/raw.js';

// Clients that hold connections: by sending little of what they announced, by taking nothing of what they asked for, and
// by their number.

let server: Server | undefined;
afterEach(async () => {
  if (server !== undefined) await close(server);
  server = undefined;
});

const QUICK = { idleMs: 300, windowMs: 900 };
const LIMITS = {
  ...CONNECTION_LIMITS,
  quick: QUICK,
  patient: { idleMs: 1_500, windowMs: 3_000 },
  stuckMs: 500,
  everyMs: 50,
};

async function serve(
  handle: Parameters<typeof createServer>[1],
  limits: Partial<ConnectionLimits> = {},
): Promise<void> {
  server = createServer({ requestTimeout: 0 }, handle);
  new Connections(server, { ...LIMITS, ...limits });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
}

interface Client {
  socket: Socket;
  said: () => string;
  /** In ms after it was opened. */
  closed: Promise<number>;
}

function client(text = '', port = (server?.address() as AddressInfo).port): Client {
  const begun = Date.now();
  const socket = connect(port, '127.0.0.1');
  let said = '';
  socket.on('data', (data: Buffer) => (said += data.toString('latin1')));
  socket.on('error', () => undefined); // A reset is the end that is waited for.
  const closed = closeOf(socket).then(() => Date.now() - begun);
  if (text !== '') socket.write(text);
  return { socket, said: () => said, closed };
}

const post = (path: string, type: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nContent-Length: 10000\r\n\r\nx`;
const FORM = 'application/x-www-form-urlencoded';

/** Reads bodies to their end, as a form's handler does. */
const reading: Parameters<typeof createServer>[1] = (request, response) => {
  request.on('error', () => undefined).on('end', () => response.end('ok'));
  request.resume();
};

test('a login that sent one of ten thousand bytes is closed within seconds, on a real server', async () => {
  const host = await startHost();
  const port = Number(new URL(host.url).port);
  const login = `POST /console/login HTTP/1.1\r\nHost: localhost\r\nOrigin: ${host.url.replace('127.0.0.1', 'localhost')}\r\n`;
  const one = client(`${login}Content-Type: ${FORM}\r\nContent-Length: 10000\r\n\r\nx`, port);
  expect(await one.closed).toBeLessThan(15_000);
  const silent = client('', port);
  const headers = client('GET / HTTP/1.1\r\nHost: localh', port);
  expect(Math.max(await silent.closed, await headers.closed)).toBeLessThan(30_000);
});

test('a body that trickles in is closed as well, even if it has been answered', async () => {
  await serve(reading);
  const drip = client(post('/console/login', FORM));
  const timer = setInterval(() => drip.socket.write('x'), 100);
  expect(await drip.closed).toBeLessThan(3_000);
  clearInterval(timer);
  server?.removeAllListeners('request');
  await close(server as Server);
  await serve((request, response) => {
    request.resume();
    response.end('no');
  });
  const answered = client(post('/apps/demo/x', 'application/octet-stream'));
  expect(await answered.closed).toBeLessThan(1_400);
});

test('an upload that makes progress continues, a push has its own limit, and one that waits for the app is not closed', async () => {
  await serve(reading);
  const moving = client(post('/apps/demo/x', 'application/octet-stream'));
  let sent = 1;
  const timer = setInterval(() => {
    const size = Math.min(400, 10_000 - sent);
    sent += size;
    moving.socket.write('x'.repeat(size));
  }, 150);
  await expect.poll(moving.said, { timeout: 10_000 }).toContain('ok');
  clearInterval(timer);
  moving.socket.destroy();

  const push = client(post('/git/demo.git/git-receive-pack', 'application/x-git-receive-pack-request'));
  const held = Promise.race([push.closed, new Promise((resolve) => setTimeout(resolve, 3_500, 'held'))]);
  expect(await held).toBe('held');
  push.socket.destroy();
  await close(server as Server);

  await serve((request, response) => {
    // As while an app wakes: nobody reads yet.
    setTimeout(() => reading?.(request, response as never), 3_500);
  });
  const waiting = client(post('/apps/demo/x', 'application/octet-stream').replace('10000', '200001'));
  waiting.socket.write('x'.repeat(200_000));
  await expect.poll(waiting.said, { timeout: 8_000 }).toContain('ok');
  waiting.socket.destroy();
});

test('a client that does not read a large response is disconnected', async () => {
  await serve((_, response) => response.end(Buffer.alloc(64 * 1024 * 1024)));
  const stuck = client('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  stuck.socket.pause();
  await expect.poll(() => new Promise((resolve) => server?.getConnections((_, count) => resolve(count)))).toBe(1);
  await expect
    .poll(() => new Promise((resolve) => server?.getConnections((_, count) => resolve(count))), { timeout: 5_000 })
    .toBe(0);
  stuck.socket.destroy();
});

test('connections are limited per address and in total', async () => {
  await serve(reading, { perAddress: 3, total: 5 });
  const clients = [client(), client(), client()];
  await Promise.all(clients.map(({ socket }) => once(socket, 'connect')));
  const fourth = client();
  await fourth.closed;
  expect(fourth.said()).toMatch(/^HTTP\/1\.1 503 [^]*Retry-After: 5/);
  clients[0]?.socket.destroy();
  await clients[0]?.closed;
  const again = client('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  await again.closed;
  expect(again.said()).toMatch(/^HTTP\/1\.1 200 /);
  for (const { socket } of clients) socket.destroy();
  await close(server as Server);

  await serve(reading, { perAddress: 1, total: 2, manyBehind: () => true });
  const two = [client(), client()];
  await Promise.all(two.map(({ socket }) => once(socket, 'connect')));
  const third = client();
  await third.closed;
  expect(third.said()).toMatch(/^HTTP\/1\.1 503 /);
  for (const { socket } of two) socket.destroy();
});
