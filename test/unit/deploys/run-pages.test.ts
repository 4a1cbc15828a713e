import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { runPages, type PageRun } from '../../../src/deploys/run-pages.js';
import { rerun } from '../../../src/domain/streamlit/page-run.js';
import { field } from '../../../src/domain/streamlit/proto.js';

/** A navigation of three pages, the first of them marked. */
const NAVIGATION = field(
  23,
  Buffer.concat(
    [
      [field(1, 'h1'), field(2, 'Home'), Buffer.from([32, 1])],
      [field(1, 'h2'), field(2, 'Sales')],
      [field(1, 'h3'), field(2, 'Stock')],
    ].map((page) => field(2, Buffer.concat(page))),
  ),
);
const EXCEPTION = field(5, field(3, field(8, Buffer.concat([field(1, 'ValueError'), field(2, 'no column')]))));
const FINISHED = Buffer.from([48, 0]);

let server: WebSocketServer;
let port: number;
/** The hashes of the pages that were asked for; empty for the first. */
let asked: string[];
/** Where the visitor comes from, as the app sees it. */
let visitor: unknown;
/** What is sent for a page. */
let answer: (hash: string, socket: WebSocket) => void;

beforeEach(async () => {
  asked = [];
  answer = (_hash, socket) => [NAVIGATION, FINISHED].forEach((message) => socket.send(message));
  server = new WebSocketServer({ host: '127.0.0.1', port: 0, path: '/apps/shop/_stcore/stream' });
  server.on('connection', (socket, { headers }) => {
    visitor = headers['x-forwarded-for'];
    socket.on('message', (message: Buffer) => {
      const hash = ['', 'h1', 'h2', 'h3'].find((one) => rerun(one).equals(message)) ?? 'unknown';
      asked.push(hash);
      answer(hash, socket);
    });
  });
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
afterEach(() => {
  vi.useRealTimers();
  for (const client of server.clients) client.terminate();
  server.close();
});

const run = (limitMs = 10_000, signal = new AbortController().signal): Promise<PageRun[]> =>
  runPages({
    address: { host: '127.0.0.1', port },
    path: '/apps/shop',
    limitMs,
    signal,
  });

it('the pages of an app run one after the other in one visit, the first without its hash', async () => {
  expect(await run()).toEqual([
    { page: '', late: false },
    { page: 'Sales', late: false },
    { page: 'Stock', late: false },
  ]);
  expect(asked).toEqual(['', 'h2', 'h3']);
  expect(visitor).toBe('127.0.0.1');
  // The visit has ended.
  await expect.poll(() => server.clients.size, { interval: 2 }).toBe(0);
});

it('no page is run after one that raised an exception', async () => {
  answer = (hash, socket) =>
    [NAVIGATION, ...(hash === 'h2' ? [EXCEPTION] : []), FINISHED].forEach((message) => socket.send(message));
  expect(await run()).toEqual([
    { page: '', late: false },
    { page: 'Sales', late: false, exception: ['ValueError: no column'] },
  ]);
  expect(asked).toEqual(['', 'h2']);
});

it('a page that does not finish in time is reported as late, and so is one whose process exits', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  let advanced = 0;
  answer = () => {
    vi.advanceTimersByTime(59_999);
    setImmediate(() => vi.advanceTimersByTime((advanced = 1)));
  };
  expect(await run(60_000)).toEqual([{ page: '', late: true }]);
  expect(advanced).toBe(1);
  vi.useRealTimers();
  answer = (_hash, socket) => socket.terminate();
  expect(await run()).toEqual([{ page: '', late: true }]);
});

it('a cancelled page check ends at once', async () => {
  const off = new AbortController();
  answer = () => off.abort();
  expect(await run(60_000, off.signal)).toEqual([{ page: '', late: true }]);
});

it('pages of a process that does not answer cannot be checked', async () => {
  server.close();
  await once(server, 'close');
  await expect(run()).rejects.toThrow('ECONNREFUSED');
});
