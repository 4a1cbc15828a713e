import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { acceptRelayed, relayTo } from '../../../src/gateway/relay.js';

let folder: string;
let servers: Server[];
let way: { path: string; secret: string };
let url: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-'));
  way = { path: join(folder, 'relay.sock'), secret: 'between the two' };
  const next = createServer((asked, answer) => {
    const parts: Buffer[] = [];
    asked.on('data', (part: Buffer) => parts.push(part));
    asked.on('end', () => {
      answer.writeHead(201, [...['Set-Cookie', 'a=1'], ...['Set-Cookie', 'b=2']]);
      const { method, url: path, headers, socket } = asked;
      const body = Buffer.concat(parts).toString();
      answer.end(JSON.stringify({ method, path, from: socket.remoteAddress, host: headers.host, body }));
    });
  });
  const sockets = new WebSocketServer({ server: next });
  sockets.on('connection', (socket) => socket.on('message', (data: Buffer) => socket.send(`heard ${data.toString()}`)));
  await acceptRelayed(way, { platform: next });
  const entry = relayTo(way, 'platform');
  const old = createServer(entry.request);
  old.on('upgrade', entry.upgrade);
  servers = [next, old];
  await new Promise<void>((resolve) => old.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(old.address() as AddressInfo).port}`;
});

afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await rm(folder, { recursive: true, force: true });
});

test.each([
  ['GET', undefined],
  ['POST', 'x'.repeat(300_000)],
])('a %s reaches the next server as if it had come there, and its connection is given up', async (method, body) => {
  const answer = await fetch(`${url}/some/path?q=1`, { method, ...(body && { body }) });
  expect(answer.status).toBe(201);
  expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  expect(answer.headers.get('connection')).toBe('close');
  expect(await answer.json()).toEqual({
    ...{ method, path: '/some/path?q=1', from: '127.0.0.1' },
    ...{ host: new URL(url).host, body: body ?? '' },
  });
});

test('a WebSocket passes in both directions, and ends with its client', async () => {
  const socket = new WebSocket(url.replace('http', 'ws'));
  const heard = new Promise((resolve) => socket.once('message', (data: Buffer) => resolve(data.toString())));
  socket.once('open', () => socket.send('hello'));
  expect(await heard).toBe('heard hello');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.close();
  await closed;
});

test('a client without the secret gets no answer', async () => {
  const stranger = relayTo({ ...way, secret: 'guessed' }, 'platform');
  const server = createServer(stranger.request);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const status = await new Promise((resolve) =>
    request({ port, host: '127.0.0.1' }, (answer) => resolve(answer.statusCode)).end(),
  );
  expect(status).toBe(503);
});
