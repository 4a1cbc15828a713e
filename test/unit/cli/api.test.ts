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

it("the API client sends requests below the server's URL, with the token", async () => {
  const asked: IncomingMessage[] = [];
  const api = await apiOf((request, response) => {
    asked.push(request);
    response.end('{"id":"hello"}');
  });
  expect(await api.app('hello')).toEqual({ id: 'hello' });
  expect(asked[0]?.url).toBe('/tools/api/apps/hello');
  expect(asked[0]?.headers.authorization).toBe('Bearer the-token');
});

it('the API client returns all apps, however many pages there are', async () => {
  const ids = Array.from({ length: 250 }, (_, place) => ({ id: `app-${place}` }));
  const api = await apiOf((request, response) => {
    const page = Number(new URL(request.url ?? '', 'http://x').searchParams.get('page'));
    response.end(JSON.stringify({ apps: ids.slice((page - 1) * 100, page * 100), total: ids.length }));
  });
  expect(await api.apps()).toEqual(ids);
});

it("the API client throws refusals with the server's sentences and codes", async () => {
  const api = await apiOf(problem(409, 'app-exists', 'There is an app of that name.'));
  await expect(api.post('/apps', {})).rejects.toMatchObject({
    code: 'app-exists',
    kind: 'conflict',
    message: 'There is an app of that name.',
  });
});

it('the API client says where to log in if the token is not known', async () => {
  const api = await apiOf(problem(401, 'token-wrong', 'x'));
  await expect(api.get('/apps')).rejects.toMatchObject({
    kind: 'unauthorised',
    message: expect.stringContaining('streamlit-host login') as string,
  });
});

it('the API client suggests the closest app, and makes no other change', async () => {
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

it('the API client recognises a website that is not a streamlit-host server', async () => {
  const page = await apiOf((_request, response) => response.end('<html>Welcome</html>'));
  await expect(page.get('/apps')).rejects.toMatchObject({
    code: 'not-reachable',
    message: expect.stringContaining('Check the URL.') as string,
  });
});

it('the API client recognises a proxy whose server is down', async () => {
  const proxy = await apiOf((_request, response) => response.writeHead(502).end('<html>Bad Gateway</html>'));
  await expect(proxy.get('/apps')).rejects.toMatchObject({ code: 'not-reachable' });
});

it('the API client does not follow redirects, which would get the token too', async () => {
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

it('the API client names a server that it cannot reach', async () => {
  const api = await apiOf(() => undefined);
  await new Promise((resolve) => server?.close(resolve));
  await expect(api.get('/apps')).rejects.toMatchObject({
    code: 'not-reachable',
    message: expect.stringContaining('nothing is listening there') as string,
  });
  expect(await api.isHealthy()).toBe(false);
  server = undefined;
});

it('the API client says in one line that a server does not speak HTTPS', async () => {
  const { target } = await apiOf(() => undefined);
  const api = new Api({ ...target, url: target.url.replace('http:', 'https:') });
  await expect(api.get('/apps')).rejects.toMatchObject({
    code: 'not-reachable',
    message: expect.stringMatching(/^Cannot reach the server at https:.*: it does not speak HTTPS.*$/) as string,
  });
});

it("the API client checks the server's health without the token", async () => {
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

it('an upload stops when the server has answered', async () => {
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

it('an upload never looks complete if its source has failed', async () => {
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
