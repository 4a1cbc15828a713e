import { EventEmitter } from 'node:events';
import type { Server } from 'node:http';
import { PassThrough } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { Connections, CONNECTION_LIMITS } from '../../../src/gateway/connections.js';

const server = new EventEmitter();
afterEach(() => {
  server.emit('close');
  server.removeAllListeners();
});

/** Connects from an address. @returns whether the connection was accepted */
function connect(remoteAddress: string): boolean {
  const socket = Object.assign(new PassThrough(), { remoteAddress, destroySoon: () => undefined });
  server.emit('connection', socket);
  return !socket.writableEnded;
}

test('all addresses of one IPv6 network share the limit of one client', () => {
  new Connections(server as Server, { ...CONNECTION_LIMITS, perAddress: 2 });
  const from = (addresses: string[]): boolean[] => addresses.map(connect);
  expect(from(['2001:db8::1', '2001:db8::2', '2001:db8:0:0:ffff::3', '2001:db8:0:1::1'])).toEqual([
    true,
    true,
    false,
    true,
  ]);
  expect(from(['192.0.2.1', '192.0.2.2', '192.0.2.1', '::ffff:192.0.2.1'])).toEqual([true, true, true, false]);
});
