import { fileURLToPath } from 'node:url';
import type { AddressInfo } from 'node:net';
import { createServer, request, type IncomingHttpHeaders } from 'node:http';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import Koa from 'koa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PublicFiles } from '../../../src/web/public.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = join(root, 'public');
const css = readFileSync(join(folder, 'css/host.css'));
const files = new PublicFiles({ folder, libraries: join(root, 'node_modules') });

const app = new Koa();
app.use(files.middleware());
app.use((ctx) => {
  ctx.body = 'somebody else';
});
const server = createServer(app.callback() as never);

beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => new Promise((resolve) => server.close(resolve)));

interface Answer {
  status: number | undefined;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** One request with its path as it is: fetch would tidy it up. */
function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { port } = server.address() as AddressInfo;
    request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    })
      .on('error', reject)
      .end();
  });
}

describe('a public file', () => {
  it('under the current version may be cached forever', async () => {
    const answer = await ask(files.path('css/host.css'));
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      'content-type': 'text/css; charset=utf-8',
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
      vary: 'Accept-Encoding',
    });
    expect(answer.body.equals(css)).toBe(true);
  });

  it('under an older version is the current file, which may not be cached', async () => {
    const answer = await ask('/_host/0123456789ab/css/host.css');
    expect(answer.status).toBe(200);
    expect(answer.headers['cache-control']).toBe('no-cache');
    expect(answer.body.equals(css)).toBe(true);
  });

  it('that the browser has is not sent again', async () => {
    const { headers } = await ask(files.path('css/host.css'));
    const again = await ask(files.path('css/host.css'), { 'If-None-Match': headers.etag ?? '' });
    expect(again.status).toBe(304);
    expect(again.body.length).toBe(0);
  });

  it('is served compressed to clients that accept it', async () => {
    const brotli = await ask(files.path('css/host.css'), { 'Accept-Encoding': 'gzip, br' });
    expect(brotli.headers['content-encoding']).toBe('br');
    expect(brotliDecompressSync(brotli.body).equals(css)).toBe(true);
    const gzip = await ask(files.path('css/host.css'), { 'Accept-Encoding': 'gzip' });
    expect(gzip.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(gzip.body).equals(css)).toBe(true);
    const plain = await ask(files.path('css/host.css'), { 'Accept-Encoding': 'br;q=0, gzip;q=0' });
    expect(plain.headers['content-encoding']).toBeUndefined();
  });

  it('has a type that a browser runs as a module', async () => {
    for (const name of ['js/console.js', 'highlight/core.js', 'highlight/python.js']) {
      expect((await ask(files.path(name))).headers['content-type']).toBe('text/javascript; charset=utf-8');
    }
    expect((await ask(files.path('icons/mark.svg'))).headers['content-type']).toBe('image/svg+xml');
  });

  it('answers HEAD without a body and refuses to be written', async () => {
    const head = await ask(files.path('css/host.css'), {}, 'HEAD');
    expect([head.status, head.body.length]).toEqual([200, 0]);
    expect(head.headers['content-length']).toBe(String(css.length));
    expect((await ask(files.path('css/host.css'), {}, 'POST')).status).toBe(405);
  });

  it.each([
    '/_host/x/nothing.css',
    '/_host/x/../../package.json',
    '/_host/x/..%2f..%2fpackage.json',
    '/_host/x/css/',
    '/_host/',
    '/_host/x',
    '/_host/x/__proto__',
  ])('at %s is not found', async (path) => {
    const answer = await ask(path);
    expect(answer.status).toBe(404);
    expect(answer.headers['cache-control'] ?? '').not.toContain('immutable');
  });

  it('that a page asks for and that does not exist is an error in the page', () => {
    expect(() => files.path('css/none.css')).toThrow('css/none.css');
  });
});

it('other paths are passed on', async () => {
  expect((await ask('/console/')).body.toString()).toBe('somebody else');
});
