import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
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
