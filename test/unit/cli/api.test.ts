import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, expect, it } from 'vitest';
import { Api } from '../../../src/cli/api.js';

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
});

/** The API of a server that answers like this. */
async function apiOf(listener: RequestListener, token: string | undefined = 'the-token'): Promise<Api> {
  server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new Api({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/tools`, token });
}

function problem(status: number, code: string, detail: string): RequestListener {
  return (_request, response) =>
    response
      .writeHead(status, { 'content-type': 'application/problem+json' })
      .end(JSON.stringify({ status, code, detail }));
}

it('the API is asked below the address, with the token', async () => {
  const asked: IncomingMessage[] = [];
  const api = await apiOf((request, response) => {
    asked.push(request);
    response.end('{"id":"hello"}');
  });
  expect(await api.app('hello')).toEqual({ id: 'hello' });
  expect(asked[0]?.url).toBe('/tools/api/apps/hello');
  expect(asked[0]?.headers.authorization).toBe('Bearer the-token');
});

it('the API gives all apps, however many there are', async () => {
  const ids = Array.from({ length: 250 }, (_, place) => ({ id: `app-${place}` }));
  const api = await apiOf((request, response) => {
    const page = Number(new URL(request.url ?? '', 'http://x').searchParams.get('page'));
    response.end(JSON.stringify({ apps: ids.slice((page - 1) * 100, page * 100), total: ids.length }));
  });
  expect(await api.apps()).toEqual(ids);
});

it('the API refuses in its own words, and with its own codes', async () => {
  const api = await apiOf(problem(409, 'app-exists', 'There is an app of that name.'));
  await expect(api.post('/apps', {})).rejects.toMatchObject({
    code: 'app-exists',
    kind: 'conflict',
    message: 'There is an app of that name.',
  });
});

it('the API that does not know us tells where to log in', async () => {
  const api = await apiOf(problem(401, 'token-wrong', 'x'));
  await expect(api.get('/apps')).rejects.toMatchObject({
    kind: 'unauthorised',
    message: expect.stringContaining('streamlit-host login') as string,
  });
});

it('the API names the nearest app, and asks for nothing else', async () => {
  const asked: string[] = [];
  const api = await apiOf((request, response) => {
    asked.push(`${request.method} ${request.url?.replace(/\?.*/, '')}`);
    if (request.method === 'GET') response.end('{"apps":[{"id":"hello"},{"id":"other"}],"total":2}');
    else problem(404, 'app-not-found', 'x')(request, response);
  });
  await expect(api.post('/apps/helo/stop')).rejects.toMatchObject({
    code: 'app-not-found',
    message: 'There is no app "helo". Did you mean "hello"?',
  });
  expect(asked).toEqual(['POST /tools/api/apps/helo/stop', 'GET /tools/api/apps']);
});

it('the API is told from any other website', async () => {
  const page = await apiOf((_request, response) => response.end('<html>Welcome</html>'));
  await expect(page.get('/apps')).rejects.toMatchObject({
    code: 'not-reachable',
    message: expect.stringContaining('Check the URL.') as string,
  });
});

it('the API is told from a proxy whose server is away', async () => {
  const proxy = await apiOf((_request, response) => response.writeHead(502).end('<html>Bad Gateway</html>'));
  await expect(proxy.get('/apps')).rejects.toMatchObject({ code: 'not-reachable' });
});

it('the API is not looked for where a redirect leads, since the token would go there too', async () => {
  const asked: string[] = [];
  const api = await apiOf((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(302, { location: 'http://elsewhere.invalid/' }).end();
  });
  await expect(api.get('/apps')).rejects.toMatchObject({
    code: 'not-reachable',
    message: expect.stringContaining('http://elsewhere.invalid/') as string,
  });
  expect(asked).toHaveLength(1);
});

it('the API that cannot be reached is named', async () => {
  const api = await apiOf(() => undefined);
  await new Promise((resolve) => server?.close(resolve));
  await expect(api.get('/apps')).rejects.toMatchObject({
    code: 'not-reachable',
    message: expect.stringContaining('nothing is listening there') as string,
  });
  expect(await api.isHealthy()).toBe(false);
  server = undefined;
});

it('the API that was taken for one on https is told to be none, in one line', async () => {
  const { target } = await apiOf(() => undefined);
  const api = new Api({ ...target, url: target.url.replace('http:', 'https:') });
  await expect(api.get('/apps')).rejects.toMatchObject({
    code: 'not-reachable',
    message: expect.stringMatching(/^Cannot reach the server at https:.*: it does not speak HTTPS.*$/) as string,
  });
});

it('the API is asked for its health without the token', async () => {
  const headers: (string | undefined)[] = [];
  const api = await apiOf((request, response) => {
    headers.push(request.headers.authorization);
    response.end('{"status":"ok"}');
  });
  expect(await api.isHealthy()).toBe(true);
  expect(headers).toEqual([undefined]);
});

async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) yield Buffer.alloc(64 * 1024);
}

it('what is sent stops when the server has decided', async () => {
  const api = await apiOf((request, response) => {
    request.resume();
    problem(413, 'upload-too-large', 'Too large.')(request, response);
  });
  const body = Readable.from(endless());
  await expect(api.form('POST', '/apps', { boundary: 'x', body })).rejects.toMatchObject({
    code: 'upload-too-large',
  });
  expect(body.destroyed).toBe(true);
});

it('what is sent never looks whole where its source has failed', async () => {
  const came = new EventEmitter();
  const part = once(came, 'part');
  const closed = once(came, 'closed') as Promise<[boolean]>;
  const api = await apiOf((request) => {
    request.on('error', () => undefined);
    request.on('data', () => came.emit('part'));
    request.on('close', () => came.emit('closed', request.complete));
  });
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('a part');
    await part;
    throw new Error('the disk is gone');
  }
  await expect(api.form('POST', '/apps', { boundary: 'x', body: Readable.from(failing()) })).rejects.toThrow(
    'the disk is gone',
  );
  const [whole] = await closed;
  expect(whole).toBe(false);
});
