import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Address } from '../../../src/lib/address.js';
import { ask } from '../../../src/lib/ask.js';
import { waitForHealth } from '../../../src/runtime/ready.js';

let server: Server;
let address: Address;
/** What was asked for. */
let asked: string[];
let handler: RequestListener;

beforeEach(async () => {
  asked = [];
  handler = (_request, response) => void response.end('fine');
  server = createServer((request, response) => {
    asked.push(`${request.url ?? ''} of ${request.headers.host ?? ''}`);
    handler(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const health = (still: () => boolean, timeoutMs = 10_000, signal?: AbortSignal): Promise<boolean> =>
  waitForHealth(address, '/health', { timeoutMs, still, ...(signal === undefined ? {} : { signal }) });

it('a process is asked for one path under its own host name, and its connection is closed', async () => {
  expect(await ask(address, '/path?a=b', 5_000)).toEqual({ status: 200, body: 'fine' });
  expect(asked).toEqual(['/path?a=b of localhost']);
  await expect.poll(async () => new Promise((resolve) => server.getConnections((_, open) => resolve(open)))).toBe(0);
});

it('a process sees the address that a visitor on this machine would have', async () => {
  handler = ({ headers }, response) =>
    response.end([headers['x-forwarded-for'], headers['x-forwarded-proto']].join(' '));
  expect(await ask(address, '/path', 5_000)).toEqual({ status: 200, body: '127.0.0.1 http' });
});

it('an error status is an answer', async () => {
  handler = (_request, response) => void response.writeHead(503).end('not yet');
  expect(await ask(address, '/', 5_000)).toEqual({ status: 503, body: 'not yet' });
});

it('an endless answer is cut off, and its beginning kept', async () => {
  handler = (_request, response) => {
    for (let part = 0; part < 100; part += 1) response.write('x'.repeat(1024 * 4));
    response.end();
  };
  const { body } = await ask(address, '/', 5_000);
  expect(body.length).toBeLessThanOrEqual(64 * 1024);
});

it('an answer that does not finish in time is an error', async () => {
  handler = (_request, response) => void response.write('a part');
  await expect(ask(address, '/', 50)).rejects.toThrow('no answer within 50 ms');
});

it('a cancelled request ends at once', async () => {
  const off = new AbortController();
  handler = () => off.abort();
  await expect(ask(address, '/', 60_000, off.signal)).rejects.toMatchObject({ name: 'AbortError' });
});

it('a process is healthy once its health check succeeds, however often it failed before', async () => {
  let tries = 0;
  handler = (request, response) => {
    tries += 1;
    if (tries === 1) request.socket.destroy();
    else response.writeHead(tries < 4 ? 503 : 200).end();
  };
  expect(await health(() => true)).toBe(true);
  expect(tries).toBe(4);
});

it('waiting for a process ends when it exits or time is up', async () => {
  handler = (_request, response) => void response.writeHead(503).end();
  expect(await health(() => asked.length < 3)).toBe(false);
  expect(asked).toHaveLength(3);
  expect(await health(() => true, 30)).toBe(false);
});

it('no request is sent if the wait was already cancelled', async () => {
  expect(await health(() => true, 10_000, AbortSignal.abort())).toBe(false);
  expect(asked).toEqual([]);
});
