import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { newApp, type App } from '../../src/domain/app/app.js';
import type { ProcessState } from '../../src/domain/app/process.js';
import { Absent } from '../../src/gateway/absent.js';
import { createEntry } from '../../src/gateway/entry.js';
import { Forwarder } from '../../src/gateway/forward.js';
import { Gateway, type GatewayOptions } from '../../src/gateway/gateway.js';
import { RouteTable } from '../../src/gateway/routes.js';
import { Target } from '../../src/gateway/target.js';
import type { Address } from '../../src/lib/address.js';
import { until } from '../helpers/host.js';
import { closeOf } from '../helpers/raw.js';

// The gateway in front of a plain server that does exactly what a test needs: what Streamlit does with it is tested elsewhere.

const MB = 1024 * 1024;
setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
type Upgrader = (request: IncomingMessage, socket: Socket, head: Buffer) => void;

/** What stands where an app would, with the connections that are open to it. */
class Upstream {
  readonly server = createServer((request, response) => this.handler(request, response));
  readonly connections = new Set<Socket>();
  readonly sockets = new WebSocketServer({ noServer: true, maxPayload: 256 * MB, perMessageDeflate: false });
  handler: Handler = (_, response) => response.end('ok');
  upgrader: Upgrader = (request, socket, head) => this.accept(request, socket, head);
  upgrades = 0;

  constructor() {
    this.server.keepAliveTimeout = 60_000;
    this.server.on('connection', (socket) => {
      this.connections.add(socket);
      socket.once('close', () => this.connections.delete(socket));
      socket.on('error', () => undefined);
    });
    this.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.upgrades += 1;
      // Like any server: who has gone is let go.
      socket.on('end', () => socket.destroy());
      this.upgrader(request, socket as Socket, head);
    });
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  accept(request: IncomingMessage, socket: Socket, head: Buffer): void {
    this.sockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => undefined);
      client.on('message', (data, binary) => client.send(data, { binary }));
    });
  }
}

const upstream = new Upstream();
const app: App = { ...newApp('demo', 'demo', new Date()), live: 1, lastRelease: 1 };
let routes: RouteTable;
let target: Target;
let backend: { release: number; address: Address; state: ProcessState };
let gateway: Server;
let port: number;
/** Whether visitors may open the app. */
let may = true;
const open = new Set<Socket>();

beforeAll(async () => {
  upstream.server.listen(0, '127.0.0.1');
  await once(upstream.server, 'listening');
  routes = new RouteTable();
  const options: GatewayOptions = {
    apps: { find: (id: string) => (id === app.id ? app : undefined) } as unknown as GatewayOptions['apps'],
    routes,
    pages: { page: async () => undefined, pins: async () => true } as unknown as GatewayOptions['pages'],
    files: {} as GatewayOptions['files'],
    basePath: '',
    publicBase: () => `http://127.0.0.1:${port}`,
    visitor: () => ({ address: '203.0.113.9', proto: undefined }),
    logsIn: () => false,
    wake: () => undefined,
    admit: () => ({ may, by: undefined, identity: undefined }),
    loginUrl: () => undefined,
    absent: new Absent({
      page: async (page) => page,
      buildLog: async () => [],
      isLoggedIn: () => false,
      isOperator: () => false,
      log: () => undefined,
    }),
    log: () => undefined,
  };
  const nowhere = (_: IncomingMessage, response: ServerResponse): void => void response.writeHead(404).end();
  const entry = createEntry({
    failed: (error) => expect.unreachable(String(error)),
    basePath: '',
    isOurHost: () => true,
    gateway: new Gateway(options),
    git: nowhere,
    web: nowhere,
  });
  gateway = createServer({ requestTimeout: 0, keepAliveTimeout: 75_000 }, entry.request);
  gateway.on('upgrade', entry.upgrade);
  gateway.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  gateway.listen(0, '127.0.0.1');
  await once(gateway, 'listening');
  port = (gateway.address() as AddressInfo).port;
});

beforeEach(() => {
  may = true;
  upstream.handler = (_, response) => void response.end('ok');
  upstream.upgrader = (request, socket, head) => upstream.accept(request, socket, head);
  upstream.upgrades = 0;
  backend = { release: 1, address: { host: '127.0.0.1', port: upstream.port }, state: 'ready' };
  target = new Target(backend);
  routes.swap(app.id, [target]);
});

// Whatever a failed test left open must not be the next one's trouble.
afterEach(() => {
  target.close();
  for (const socket of [...open, ...upstream.connections]) socket.destroy();
});

afterAll(async () => {
  await Promise.all([once(gateway.close(), 'close'), once(upstream.server.close(), 'close')]);
});

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** Asks the gateway as a plain client, on a connection of its own. */
async function ask(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<Answer> {
  const asked = httpRequest({
    port,
    host: '127.0.0.1',
    path,
    agent: false,
    method: options.method ?? 'GET',
    headers: options.headers,
    maxHeaderSize: 64 * 1024,
  });
  asked.end(options.body);
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(part as Buffer);
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(parts) };
}

/** Sends bytes to the gateway as they are; what comes back is collected. */
function raw(text: string): { socket: Socket; text: () => string; closed: Promise<unknown> } {
  const socket = connect(port, '127.0.0.1');
  let said = '';
  socket.on('data', (data: Buffer) => (said += data.toString('latin1')));
  socket.on('error', () => undefined);
  const closed = closeOf(socket);
  socket.write(text, 'latin1');
  return { socket, text: () => said, closed };
}

const UPGRADE =
  'GET /apps/demo/_stcore/stream HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

async function page(protocols: string[] = ['streamlit']): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/apps/demo/_stcore/stream`, protocols, {
    maxPayload: 256 * MB,
    perMessageDeflate: false,
  });
  await once(socket, 'open');
  socket.on('error', () => undefined);
  return socket;
}

function allGone(): Promise<true> {
  return until(
    'everything is closed',
    () => target.claims === 0 && target.sockets === 0 && open.size === 0 && upstream.connections.size === 0,
    10_000,
  );
}

/**
 * The bytes that this very process holds, which has both ends and the gateway in it. What the allocator keeps for later is
 * not among them: how much that is differs from run to run.
 */
function memory(): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Waits until no more is sent: the buffers on the way are full. */
async function standsStill(sent: () => number): Promise<void> {
  let last = -1;
  await until('nothing moves any more', async () => {
    const now = sent();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const still = now === sent() && now === last;
    last = now;
    return still;
  });
}

test('an upload of 200 MB to an app that reads slowly is held back, and arrives complete', async () => {
  const before = memory();
  let read: (() => void) | undefined;
  upstream.handler = (request, response) => {
    let size = 0;
    request.pause();
    read = () => {
      request.on('data', (part: Buffer) => (size += part.length));
      request.on('end', () => response.end(String(size)));
      request.resume();
    };
  };
  const chunk = Buffer.alloc(MB, 7);
  const asked = httpRequest({
    port,
    host: '127.0.0.1',
    path: '/apps/demo/u',
    method: 'PUT',
    agent: false,
    headers: { 'content-length': 200 * MB },
  });
  let sent = 0;
  const send = (): void => {
    while (sent < 200 * MB) {
      sent += MB;
      if (!asked.write(chunk)) return void asked.once('drain', send);
    }
    asked.end();
  };
  send();
  await until('the app has the request', () => read !== undefined);
  await standsStill(() => sent);
  expect(sent).toBeLessThan(40 * MB);
  expect(memory() - before).toBeLessThan(60 * MB);
  read?.();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  let body = '';
  for await (const part of answer) body += String(part);
  expect(body).toBe(String(200 * MB));
  expect(memory() - before).toBeLessThan(60 * MB);
});

test('a download of 200 MB by a visitor who reads slowly is held back in the app, and arrives complete', async () => {
  const before = memory();
  const chunk = Buffer.alloc(MB, 7);
  let sent = 0;
  upstream.handler = (_, response) => {
    response.writeHead(200, { 'content-length': 200 * MB });
    const send = (): void => {
      while (sent < 200 * MB) {
        sent += MB;
        if (!response.write(chunk)) return void response.once('drain', send);
      }
      response.end();
    };
    send();
  };
  const asked = httpRequest({ port, host: '127.0.0.1', path: '/apps/demo/d', agent: false });
  asked.end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  await standsStill(() => sent);
  expect(sent).toBeLessThan(40 * MB);
  expect(memory() - before).toBeLessThan(60 * MB);
  let got = 0;
  for await (const part of answer) got += (part as Buffer).length;
  expect(got).toBe(200 * MB);
  expect(memory() - before).toBeLessThan(60 * MB);
});

test('a WebSocket frame of 60 MB passes both ways, byte for byte', async () => {
  const socket = await page();
  const data = randomBytes(60 * MB);
  socket.send(data);
  const [echo, binary] = (await once(socket, 'message')) as [Buffer, boolean];
  expect(binary).toBe(true);
  expect(createHash('sha256').update(echo).digest('hex')).toBe(createHash('sha256').update(data).digest('hex'));
  socket.close();
  await allGone();
});

test('hop-by-hop headers stay on their connection, both ways, including those named in Connection', async () => {
  let seen: IncomingHttpHeaders = {};
  upstream.handler = (request, response) => {
    seen = request.headers;
    response.setHeader('Connection', 'keep-alive, X-Inner');
    response.setHeader('X-Inner', 'secret');
    response.setHeader('Proxy-Authenticate', 'Basic');
    response.setHeader('X-Outer', 'stays');
    response.end('ok');
  };
  const answer = await ask('/apps/demo/x', {
    headers: {
      connection: 'close, X-Hop, Cookie',
      'x-hop': '1',
      te: 'trailers',
      'proxy-authorization': 'Basic eDp5',
      cookie: 'a=1',
      'x-requested-with': 'stays',
    },
  });
  expect(seen).not.toHaveProperty('x-hop');
  expect(seen).not.toHaveProperty('te');
  expect(seen).not.toHaveProperty('proxy-authorization');
  expect(seen).toMatchObject({ 'x-requested-with': 'stays', cookie: 'a=1' });
  expect(answer.headers).not.toHaveProperty('x-inner');
  expect(answer.headers).not.toHaveProperty('proxy-authenticate');
  expect(answer.headers['x-outer']).toBe('stays');
});

test("an interrupted response resets the visitor's connection, so that it does not look complete", async () => {
  upstream.handler = (_, response) => {
    response.writeHead(200, { 'content-length': 1_000 });
    response.write('half');
    setImmediate(() => response.destroy());
  };
  await expect(ask('/apps/demo/x')).rejects.toThrow('aborted');
  upstream.handler = (_, response) => {
    response.write('half of chunks');
    setImmediate(() => response.destroy());
  };
  await expect(ask('/apps/demo/x')).rejects.toThrow('aborted');
  await allGone();
});

test('fifty visitors who leave before or during a response leave no connection behind', async () => {
  for (const begun of [true, false]) {
    let asked = 0;
    upstream.handler = (_, response) => {
      asked += 1;
      if (begun) response.write('begun');
    };
    const clients = Array.from({ length: 50 }, () => raw('GET /apps/demo/x HTTP/1.1\r\nHost: h\r\n\r\n'));
    await until(
      'all are under way',
      () => asked === 50 && (!begun || clients.every((client) => client.text().includes('begun'))),
    );
    expect(target.claims).toBe(50);
    for (const client of clients) client.socket.destroy();
    await allGone();
  }
});

test('visitors who leave while their upgrade waits for a start are dropped, and never reach the app', async () => {
  backend.state = 'starting';
  const leaving = Array.from({ length: 20 }, () => raw(UPGRADE));
  const resetting = Array.from({ length: 20 }, () => raw(UPGRADE));
  const staying = new WebSocket(`ws://127.0.0.1:${port}/apps/demo/_stcore/stream`, ['streamlit']);
  await until('all are held', () => open.size === 41);
  for (const client of leaving) client.socket.end();
  for (const client of resetting) client.socket.resetAndDestroy();
  await until('those who left are gone', () => open.size === 1, 5_000);
  expect(upstream.upgrades).toBe(0);
  backend.state = 'ready';
  await once(staying, 'open');
  expect(upstream.upgrades).toBe(1);
  staying.close();
  await allGone();
});

test('visitors who leave while their request waits for a start are dropped, and never reach the app', async () => {
  let asked = 0;
  upstream.handler = (_, response) => {
    asked += 1;
    response.end('ok');
  };
  backend.state = 'starting';
  const clients = [
    ...Array.from({ length: 10 }, () => raw('GET /apps/demo/x HTTP/1.1\r\nHost: h\r\n\r\n')),
    ...Array.from({ length: 10 }, () =>
      raw('PUT /apps/demo/x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\na part'),
    ),
  ];
  await until('all are held', () => open.size === clients.length && routes.hasWaiters(app.id));
  for (const client of clients) client.socket.destroy();
  await until('they are gone', () => open.size === 0);
  backend.state = 'ready';
  expect((await ask('/apps/demo/x')).body.toString()).toBe('ok');
  target.agent.destroy();
  await allGone();
  expect(asked).toBe(1);
});

test('visitors who leave before the app answers their upgrade leave nothing behind', async () => {
  upstream.upgrader = (_, socket) => void socket.resume();
  const clients = Array.from({ length: 20 }, () => raw(UPGRADE));
  await until('the app has them all', () => upstream.upgrades === 20);
  for (const client of clients.slice(0, 10)) client.socket.resetAndDestroy();
  for (const client of clients.slice(10)) client.socket.destroy();
  await allGone();
});

test('an app that never answers an upgrade, or never finishes its answer, is not waited for indefinitely', async () => {
  const forwarder = new Forwarder({ upgradeMs: 200, lingerMs: 200 });
  const failures: Error[] = [];
  const server = createServer();
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    forwarder.socket(request, socket, head, target, { appPath: '/apps/demo' }, (error) => {
      failures.push(error);
      socket.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = { port: (server.address() as AddressInfo).port, host: '127.0.0.1' };
  try {
    upstream.upgrader = (_, socket) => void socket.resume();
    const silent = connect(address);
    silent.on('error', () => undefined);
    silent.write(UPGRADE);
    await closeOf(silent.resume());
    expect(failures.map((error) => error.message)).toEqual(['Upstream WebSocket upgrade timed out']);

    // This one becomes a WebSocket, and then does not care that its visitor has ended.
    let ended = false;
    let closed = false;
    upstream.upgrader = (_, socket) => {
      socket.removeAllListeners('end').resume();
      socket.once('end', () => {
        ended = true;
        // What is written now shows that the other side is gone for good.
        const timer = setInterval(() => socket.write('x'), 20);
        socket.once('close', () => {
          clearInterval(timer);
          closed = true;
        });
      });
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    };
    const leaving = connect({ ...address, allowHalfOpen: true });
    leaving.on('error', () => undefined);
    leaving.write(UPGRADE);
    await once(leaving, 'data');
    leaving.resume().end();
    await until(
      'the app is let go',
      () => ended && closed && target.sockets === 0 && upstream.connections.size === 0,
      5_000,
    );
  } finally {
    await once(server.close(), 'close');
  }
});

test('a request that meets a closing kept-alive connection is retried, unless that could do harm', async () => {
  const seen: string[] = [];
  const used = new Set<Socket>();
  upstream.handler = (request, response) => {
    seen.push(request.method ?? '');
    request.resume();
    // Whoever comes by a connection that was used before finds it closed.
    if (used.has(request.socket)) return void request.socket.destroy();
    used.add(request.socket);
    response.end('ok');
  };
  expect((await ask('/apps/demo/a')).status).toBe(200);
  const again = await ask('/apps/demo/b');
  expect([again.status, again.body.toString()]).toEqual([200, 'ok']);
  expect(seen).toEqual(['GET', 'GET', 'GET']);

  expect((await ask('/apps/demo/c', { headers: { connection: 'close' } })).status).toBe(200);
  await until('a connection is free', () => Object.keys(target.agent.freeSockets).length > 0);
  const posted = await ask('/apps/demo/d', { method: 'POST', body: 'order one' });
  expect(posted.status).toBe(503);
  expect(seen.filter((method) => method === 'POST')).toHaveLength(1);
});

test("connections to the app are reused, and a visitor's Connection: close closes only the visitor's", async () => {
  const inner = new Set<Socket>();
  upstream.handler = (request, response) => {
    inner.add(request.socket);
    response.end('ok');
  };
  const kept = raw('GET /apps/demo/x HTTP/1.1\r\nHost: h\r\n\r\n');
  await until('the first answer', () => kept.text().endsWith('ok'));
  expect(kept.text()).toMatch(/connection: keep-alive/i);
  kept.socket.write('GET /apps/demo/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
  await kept.closed;
  expect(kept.text().match(/HTTP\/1.1 200/g)).toHaveLength(2);
  expect(kept.text()).toMatch(/connection: close/i);
  expect(inner.size).toBe(1);
  expect(upstream.connections.size).toBe(1);
});

test('a response with as many cookies as a login sets arrives complete, also when it opens a WebSocket', async () => {
  const cookies = Array.from(
    { length: 8 },
    (_, number) => `_streamlit_user_${number}=${'x'.repeat(4_000)}; Path=/apps/demo`,
  );
  upstream.handler = (_, response) => response.writeHead(200, { 'set-cookie': cookies }).end('ok');
  const answer = await ask('/apps/demo/oauth2callback');
  expect([answer.status, answer.headers['set-cookie']]).toEqual([200, cookies]);
  upstream.upgrader = (_, socket) => {
    const lines = cookies.map((cookie) => `Set-Cookie: ${cookie}\r\n`).join('');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${lines}\r\n`);
    socket.resume();
  };
  const client = raw(UPGRADE);
  await until('it is open', () => client.text().includes('\r\n\r\n'));
  expect(client.text().match(/_streamlit_user_/g)).toHaveLength(8);
  client.socket.destroy();
  await allGone();
});

test('HTTP/1.0 visitors get the complete response, and the connection is closed', async () => {
  upstream.handler = (_, response) => {
    response.write('in ');
    response.end('chunks');
  };
  const old = raw('GET /apps/demo/x HTTP/1.0\r\nHost: h\r\n\r\n');
  await old.closed;
  expect(old.text()).toMatch(/^HTTP\/1.1 200/);
  expect(old.text()).not.toMatch(/transfer-encoding/i);
  expect(old.text()).toMatch(/\r\n\r\nin chunks$/);
});

test('a visitor who waits for 100 Continue gets it', async () => {
  let expected: string | undefined = 'not asked';
  upstream.handler = (request, response) => {
    expected = request.headers.expect;
    request.pipe(response);
  };
  const client = raw(
    'PUT /apps/demo/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n',
  );
  await until('the go-ahead', () => client.text().startsWith('HTTP/1.1 100 Continue\r\n\r\n'));
  client.socket.write('body');
  await client.closed;
  expect(client.text()).toMatch(/HTTP\/1.1 200 OK[^]*body/);
  expect(client.text().match(/100 Continue/g)).toHaveLength(1);
  expect(expected).toBeUndefined();
});

test('HEAD, 204 and 304 have no body and do not hold the connection', async () => {
  upstream.handler = (request, response) => {
    if (request.url?.endsWith('/204') === true) return void response.writeHead(204).end();
    if (request.url?.endsWith('/304') === true) return void response.writeHead(304, { etag: '"x"' }).end();
    response.writeHead(200, { 'content-length': 5 });
    response.end(request.method === 'HEAD' ? undefined : 'whole');
  };
  const client = raw('HEAD /apps/demo/x HTTP/1.1\r\nHost: h\r\n\r\nGET /apps/demo/204 HTTP/1.1\r\nHost: h\r\n\r\n');
  client.socket.write(
    'GET /apps/demo/304 HTTP/1.1\r\nHost: h\r\n\r\nGET /apps/demo/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
  );
  await client.closed;
  const statuses = client.text().match(/HTTP\/1.1 \d+/g);
  expect(statuses).toEqual(['HTTP/1.1 200', 'HTTP/1.1 204', 'HTTP/1.1 304', 'HTTP/1.1 200']);
  expect(client.text()).toMatch(/etag: "x"/i);
  expect(client.text().match(/whole/g)).toHaveLength(1);
  expect(client.text()).toMatch(/content-length: 5/i);
});

test('chunks pass as they arrive, both ways, before the next one is there', async () => {
  upstream.handler = (request, response) => {
    response.writeHead(200);
    response.flushHeaders();
    request.pipe(response);
  };
  const client = raw(
    'POST /apps/demo/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n',
  );
  for (const word of ['one', 'two', 'six']) {
    client.socket.write(`3\r\n${word}\r\n`);
    await until(`"${word}" is back`, () => client.text().includes(word), 5_000);
  }
  client.socket.write('0\r\n\r\n');
  await client.closed;
  expect(client.text()).toMatch(/transfer-encoding: chunked/i);
  expect(client.text()).toMatch(/0\r\n\r\n$/);
});

test('three hundred concurrent WebSockets each get their own answer', async () => {
  const pages = await Promise.all(Array.from({ length: 300 }, () => page()));
  expect(target.sockets).toBe(300);
  const answers = await Promise.all(
    pages.map(async (socket, number) => {
      socket.send(`page ${number}`);
      const [data] = (await once(socket, 'message')) as [Buffer];
      return data.toString();
    }),
  );
  expect(answers).toEqual(pages.map((_, number) => `page ${number}`));
  for (const socket of pages) socket.close();
  await allGone();
});

test('a WebSocket that breaks at one end is closed at the other', async () => {
  const broken = await page();
  broken.terminate();
  await allGone();

  const kept = await page();
  for (const connection of upstream.connections) connection.resetAndDestroy();
  await once(kept, 'close');
  await allGone();

  const ended = await page();
  target.closeSockets();
  await once(ended, 'close');
  await allGone();
});

test("an app's last message before it closes a WebSocket arrives", async () => {
  upstream.upgrader = (request, socket, head) => {
    upstream.sockets.handleUpgrade(request, socket, head, (client) => {
      client.send(Buffer.alloc(3 * MB, 1));
      client.close(4001, 'moved');
    });
  };
  const socket = new WebSocket(`ws://127.0.0.1:${port}/apps/demo/_stcore/stream`, { perMessageDeflate: false });
  const message = once(socket, 'message') as Promise<[Buffer]>;
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  expect([code, reason.toString()]).toEqual([4001, 'moved']);
  expect((await message)[0]).toHaveLength(3 * MB);
  await allGone();
});

test('an invalid status line from an app is replaced with a valid one, and does not crash the server', async () => {
  for (const [line, status] of [
    ['200 O\x01K', 200],
    ['404 \x7f', 404],
    ['099 Odd', 502],
    ['000 Odd', 502],
    ['201 Made', 201],
  ] as const) {
    upstream.handler = (_, response) =>
      void response.socket?.end(`HTTP/1.1 ${line}\r\nContent-Length: 4\r\n\r\nfour`, 'latin1');
    const answer = await ask('/apps/demo/x');
    expect([line, answer.status, answer.body.toString()]).toEqual([line, status, 'four']);
  }
  await allGone();
});

test("an app's refusal of an upgrade reaches the visitor, and both connections are closed", async () => {
  upstream.upgrader = (_, socket) => {
    socket.end(
      'HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\nSet-Cookie: streamlit_host_session=stolen; Path=/\r\nSet-Cookie: a=1\r\n\r\nnope',
    );
  };
  const client = raw(UPGRADE);
  await client.closed;
  expect(client.text()).toMatch(/^HTTP\/1.1 403 Forbidden\r\n[^]*\r\n\r\nnope$/);
  expect(client.text()).toContain('a=1');
  expect(client.text()).not.toContain('stolen');
  await allGone();
});

test('an app cannot set the session cookie when it opens a WebSocket either', async () => {
  upstream.upgrader = (_, socket) => {
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nStrict-Transport-Security: max-age=1\r\n' +
        'Set-Cookie: streamlit_host_session=stolen; Path=/\r\nSet-Cookie: _streamlit_session=s; Path=/\r\nSet-Cookie: b=2\r\n\r\n',
    );
    socket.resume();
  };
  const client = raw(UPGRADE);
  await until('it is open', () => client.text().includes('\r\n\r\n'));
  expect(client.text()).toMatch(/^HTTP\/1.1 101/);
  expect(client.text()).toMatch(/connection: upgrade/i);
  expect(client.text()).toContain('b=2');
  expect(client.text()).toContain('_streamlit_session=s; Path=/apps/demo');
  expect(client.text()).not.toContain('stolen');
  expect(client.text()).not.toMatch(/strict-transport/i);
  client.socket.destroy();
  await allGone();
});

test('a streamed response ends within a second once its visitor may no longer open the app', async () => {
  upstream.handler = (_, response) => void response.write('first');
  const client = raw('GET /apps/demo/stream HTTP/1.1\r\nHost: h\r\n\r\n');
  await until('the response has begun', () => client.text().includes('first'));
  may = false;
  const begun = performance.now();
  await client.closed;
  expect(performance.now() - begun).toBeLessThan(1_000);
  await allGone();
});

test('a request that waits for its app is refused if its visitor may no longer open it', async () => {
  backend.state = 'starting';
  const answer = ask('/apps/demo/data.json');
  await until('the request has come', () => open.size > 0);
  may = false;
  backend.state = 'ready';
  routes.changed(app.id);
  expect((await answer).status).toBe(401);
});

test('a request that mentions an upgrade without asking for one stays a request', async () => {
  let seen: IncomingHttpHeaders = {};
  upstream.handler = (request, response) => {
    seen = request.headers;
    response.end('plain');
  };
  const answer = await ask('/apps/demo/x', { headers: { upgrade: 'websocket', origin: 'http://evil.example' } });
  expect([answer.status, answer.body.toString()]).toEqual([200, 'plain']);
  expect(upstream.upgrades).toBe(0);
  expect(seen).not.toHaveProperty('upgrade');
});

test('a request with an absolute URL, as to a proxy, is served by its path and host', async () => {
  let seen: [url: string | undefined, host: string | undefined] = [undefined, undefined];
  upstream.handler = (request, response) => {
    seen = [request.url, request.headers.host];
    response.end('ok');
  };
  expect(
    (await ask('http://apps.example.com:8443/apps/demo/x?a=http://b/', { headers: { host: 'other.example' } })).status,
  ).toBe(200);
  expect(seen).toEqual(['/apps/demo/x?a=http://b/', 'apps.example.com:8443']);
  expect((await ask('HTTP://apps.example.com')).status).toBe(404);
  const client = raw(UPGRADE.replace('GET ', 'GET http://h'));
  await until('it is open', () => client.text().includes(' 101 '));
  client.socket.destroy();
  await allGone();
});

test('an unreachable app is a 503 with Retry-After for requests, and closes upgrades', async () => {
  backend.address = { host: '127.0.0.1', port: await freePort() };
  const answer = await ask('/apps/demo/media/x');
  expect(answer.status).toBe(503);
  expect(answer.headers['retry-after']).toBe('2');
  const client = raw(UPGRADE);
  await client.closed;
  expect(client.text()).not.toMatch(/ 101 /);
  await allGone();
});

test('responses in progress finish while the next release takes over, which gets new requests', async () => {
  let finish: (() => void) | undefined;
  upstream.handler = (_, response) => {
    response.write('old ');
    finish = () => response.end('release');
  };
  const slow = ask('/apps/demo/slow');
  await until('it is under way', () => finish !== undefined);
  const next = createServer((_, response) => response.end('new release'));
  next.listen(0, '127.0.0.1');
  await once(next, 'listening');
  const fresh = new Target({
    release: 2,
    address: { host: '127.0.0.1', port: (next.address() as AddressInfo).port },
    state: 'ready',
  });
  try {
    routes.swap(app.id, [fresh]);
    expect((await ask('/apps/demo/x')).body.toString()).toBe('new release');
    let idle = false;
    const waited = target.whenIdle(10_000).then(() => (idle = true));
    expect((await ask('/apps/demo/y')).body.toString()).toBe('new release');
    expect(idle).toBe(false);
    finish?.();
    expect((await slow).body.toString()).toBe('old release');
    await waited;
    expect(target.claims).toBe(0);
  } finally {
    fresh.close();
    routes.drop(app.id, target);
    await once(next.close(), 'close');
  }
});

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const free = (probe.address() as AddressInfo).port;
  await once(probe.close(), 'close');
  return free;
}
