import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { field } from '../../../src/domain/streamlit/proto.js';
import { Traffic } from '../../../src/gateway/traffic.js';

function connection(): Socket & { bytesRead: number; bytesWritten: number } {
  return Object.assign(new EventEmitter(), { bytesRead: 100, bytesWritten: 200 }) as never;
}

function exchange(socket: Socket): { request: IncomingMessage; response: ServerResponse } {
  const request = { socket } as IncomingMessage;
  const response = Object.assign(new EventEmitter(), { headersSent: true, statusCode: 200 }) as never;
  return { request, response };
}

it('counts a request once it has been answered', () => {
  const traffic = new Traffic();
  const socket = connection();
  const { request, response } = exchange(socket);
  traffic.request('shop', request, response);
  expect(traffic.take().size).toBe(0);
  traffic.answering(request);
  [socket.bytesRead, socket.bytesWritten] = [150, 1_200];
  response.emit('close');
  const tally = traffic.take().get('shop');
  expect(tally).toMatchObject({ answers: [1, 0, 0, 0], bytesIn: 50, bytesOut: 1_000, opened: 0, pages: 0 });
  expect(tally?.latencies).toHaveLength(1);
  expect(traffic.take().size).toBe(0);
});

it('tells the classes of a status apart, and who left before the answer', () => {
  const traffic = new Traffic();
  for (const status of [101, 204, 304, 404, 503, undefined]) {
    const { request, response } = exchange(connection());
    Object.assign(response, { headersSent: status !== undefined, statusCode: status ?? 200 });
    traffic.request('shop', request, response);
    response.emit('close');
  }
  expect(traffic.take().get('shop')?.answers).toEqual([2, 1, 2, 1]);
});

it('counts open pages and what goes through them, while they are open and at their end', () => {
  let now = 1_000;
  const traffic = new Traffic(() => now);
  const seen: string[] = [];
  const end = traffic.subscribe((app, who) => void seen.push(`${app} ${who}`));
  const [one, two] = [connection(), connection()];
  traffic.open('shop', one, 'ada');
  traffic.open('shop', two, 'bob');
  one.bytesWritten += 500;
  expect(traffic.take().get('shop')).toMatchObject({ opened: 2, pages: 2, bytesOut: 500 });
  one.bytesWritten += 300;
  now += 4_000;
  one.emit('close');
  two.bytesRead += 7;
  expect(traffic.take().get('shop')).toMatchObject({
    ...{ opened: 0, pages: 2, bytesOut: 300, bytesIn: 7 },
    ...{ closed: 1, closedMs: 4_000 },
  });
  now += 2_000;
  two.emit('close');
  expect(traffic.take().get('shop')).toMatchObject({ closed: 1, closedMs: 6_000 });
  expect(traffic.take().size).toBe(0);
  expect(seen).toEqual(['shop ada', 'shop bob']);
  end();
  traffic.open('shop', connection(), 'eve');
  expect(seen).toHaveLength(2);
});

/** A message of Streamlit's to a browser, as it passes. */
function sent(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x82, message.length]), message]);
}

it("counts views and runs by page, and the messages of Streamlit's WebSocket, until it closes", () => {
  let now = 0;
  const traffic = new Traffic(() => now);
  const socket = connection();
  const { fromApp, fromVisitor } = traffic.open('shop', socket, 'ada');
  fromVisitor(Buffer.from([0x82, 0x80, 1, 2, 3, 4]));
  fromApp(sent(field(4, '')));
  fromApp(sent(field(23, Buffer.concat([field(2, field(1, 'h')), field(4, 'h')]))));
  now += 40;
  fromApp(sent(Buffer.from([0x30, 0])));
  expect(traffic.take().get('shop')).toMatchObject({
    ...{ views: 1, runs: 1, runMs: 40, runMaxMs: 40, messagesIn: 1, messagesOut: 3 },
    byPage: new Map([['/', { views: 1, runs: 1, runMs: 40 }]]),
  });
  // A run that is under way when the visitor leaves has no end.
  fromApp(sent(field(4, '')));
  socket.emit('close');
  expect(traffic.take().get('shop')).toMatchObject({ views: 0, runs: 0, messagesOut: 1, byPage: new Map() });
});

it('tells no more than a hundred pages apart, whatever an app calls them', () => {
  const traffic = new Traffic();
  const { fromApp } = traffic.open('shop', connection(), 'ada');
  for (let page = 0; page < 150; page += 1) {
    const pages = ['first', `page-${page}`].map((name) => field(2, Buffer.concat([field(1, name), field(6, name)])));
    fromApp(sent(field(23, Buffer.concat([...pages, field(4, `page-${page}`)]))));
    fromApp(sent(Buffer.from([0x30, 0])));
  }
  const { views, byPage } = traffic.take().get('shop') ?? { views: 0 };
  expect([views, byPage?.size, byPage?.get('other')?.views]).toEqual([150, 101, 50]);
});

it('reads a limited number of messages about runs in a span, and counts all', () => {
  const traffic = new Traffic();
  const { fromApp } = traffic.open('shop', connection(), 'ada');
  for (let run = 0; run < 2_000; run += 1)
    for (const message of [field(4, ''), Buffer.from([0x30, 0])]) fromApp(sent(message));
  expect(traffic.take().get('shop')).toMatchObject({ runs: 500, messagesOut: 4_000 });
  for (const message of [field(4, ''), Buffer.from([0x30, 0])]) fromApp(sent(message));
  expect(traffic.take().get('shop')).toMatchObject({ runs: 1, messagesOut: 2 });
});
