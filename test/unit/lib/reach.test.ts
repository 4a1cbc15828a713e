import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isPublic, post } from '../../../src/lib/reach.js';

let server: Server;
let url: string;
const seen: string[] = [];

beforeAll(async () => {
  server = createServer((request, answer) => {
    seen.push(`${request.method} ${request.url}`);
    if (request.url === '/silent') return;
    if (request.url === '/elsewhere') answer.writeHead(302, { location: '/there' }).end();
    else if (request.url === '/endless') {
      const more = setInterval(() => answer.write('x'.repeat(8_000)), 1);
      answer.on('close', () => clearInterval(more));
    } else answer.end('fine');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const send = (path: string, anywhere = true, limitMs?: number) =>
  post({ url: url + path, headers: {}, body: '{}' }, { anywhere, ...(limitMs === undefined ? {} : { limitMs }) });

it('addresses of this machine, its network and of nobody are not public', () => {
  for (const address of [
    ...['127.0.0.1', '10.1.2.3', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '224.0.0.1'],
    ...['::1', '::', 'fe80::1', 'fd00::1', '::ffff:127.0.0.1', '::ffff:10.0.0.1', '64:ff9b::7f00:1', '2002:7f00:1::'],
    ...['255.255.255.255', '198.18.0.1', 'localhost', ''],
  ])
    expect(isPublic(address), address).toBe(false);
  for (const address of ['1.1.1.1', '93.184.216.34', '2606:4700:4700::1111', '::ffff:1.1.1.1'])
    expect(isPublic(address), address).toBe(true);
});

it('private addresses of a member are refused before anything is sent, by address and by name', async () => {
  const { port } = new URL(url);
  for (const host of ['127.0.0.1', 'localhost', '[::1]', '0.0.0.0', '2130706433', '0x7f.1'])
    await expect(
      post({ url: `http://${host}:${port}/secret`, headers: {}, body: '{}' }, { anywhere: false }),
      host,
    ).rejects.toThrow('Its address is not public.');
  expect(seen).not.toContain('POST /secret');
});

it('a header that cannot be sent is told like any other failure', async () => {
  const asked = post({ url: `${url}/secret`, headers: { authorization: 'Bearer ü→' }, body: '{}' }, { anywhere: true });
  await expect(asked).rejects.toMatchObject({
    name: 'Unreached',
    message: 'Its secret has a character that cannot be sent.',
  });
  expect(seen).not.toContain('POST /secret');
});

it('redirects are not followed', async () => {
  expect((await send('/elsewhere')).status).toBe(302);
  expect(seen).not.toContain('POST /there');
});

it('an answer without end is read to a limit, and silence ends in time', async () => {
  expect((await send('/endless')).body.length).toBeLessThanOrEqual(16 * 1024);
  await expect(send('/silent', true, 50)).rejects.toThrow('It did not answer');
  expect(await send('/fine')).toEqual({ status: 200, body: 'fine' });
});
