import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Entry } from '../../../src/gateway/entry.js';
import { close, listen } from '../../../src/gateway/listener.js';
import { closeOf } from '../../helpers/raw.js';

let server: Server;
let answer: Entry['request'];
beforeEach(async () => {
  answer = (_, response) => response.end('ok');
  const entry: Entry = {
    request: (request, response) => answer(request, response),
    upgrade: (_, socket) => socket.destroy(),
    closeSockets: () => undefined,
  };
  server = await listen({ port: 0, bind: '127.0.0.1' }, entry);
});
afterEach(() => close(server));

/** Sends bytes as they are. @param then sent once something came back. @returns all that does, until the connection is closed */
async function say(request: string, then?: string): Promise<string> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  let said = '';
  socket.on('data', (data: Buffer) => (said += data.toString('latin1')));
  socket.on('error', () => undefined);
  const closed = closeOf(socket);
  socket.write(request, 'latin1');
  if (then !== undefined) {
    await once(socket, 'data');
    socket.write(then, 'latin1');
  }
  await closed;
  return said;
}

test('headers or a URL that are too long are reported as such, not as a malformed request', async () => {
  const long = 'x'.repeat(70 * 1024);
  for (const request of [
    `GET / HTTP/1.1\r\nHost: h\r\nCookie: a=${long}\r\n\r\n`,
    `GET /?${long} HTTP/1.1\r\nHost: h\r\n\r\n`,
  ]) {
    expect(await say(request)).toMatch(
      /^HTTP\/1\.1 431 Request Header Fields Too Large\r\n[^]*\r\n\r\n<!doctype html>[^]*The URL and headers of this request are larger than 64 KiB/,
    );
  }
  expect(await say('no request at all\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  expect(await say('GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 [^]*ok/);
});

test('a malformed request does not end up in the response to the previous one', async () => {
  answer = (_, response) => void response.writeHead(200, { 'content-length': 100 }).write('a part');
  const said = await say('GET / HTTP/1.1\r\nHost: h\r\n\r\n', 'no request at all\r\n\r\n');
  expect(said).toMatch(/\r\n\r\na part$/);
});
