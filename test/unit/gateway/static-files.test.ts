import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdir, symlink, writeFile } from 'node:fs/promises';
import { createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FrontendKeys } from '../../../src/gateway/frontend-keys.js';
import type { Frontend } from '../../../src/gateway/frontend.js';
import { StaticFiles } from '../../../src/gateway/static-files.js';
import { writeFiles } from '../../helpers/files.js';

const SCRIPT = 'export const one = 1;\n'.repeat(500);
let folder: string;
let server: Server;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'static-'));
  await writeFiles(folder, {
    'front/js/a.js': SCRIPT,
    'front/font.woff2': 'font',
    'front/notes.py': '',
    'secret.js': '',
  });
  const of = join(folder, 'front');
  const { hashes } = await new FrontendKeys(join(folder, 'keys')).of(of);
  const frontend: Frontend = { key: '1.64.0-abc', folder: of, hashes, html: '', pins: true, stamp: '' };
  const files = new StaticFiles(join(folder, 'cache'));
  server = createServer((request, response) => {
    files.answer(request, response, frontend, (request.url ?? '').slice(1)).then(
      (answered) => answered || response.writeHead(410).end(),
      () => response.destroy(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});

interface Answer {
  status: number | undefined;
  headers: Record<string, unknown>;
  body: Buffer;
}
async function ask(path: string, encoding?: string, method = 'GET'): Promise<Answer> {
  const { port } = server.address() as AddressInfo;
  const headers = encoding === undefined ? {} : { 'accept-encoding': encoding };
  return new Promise((resolve, reject) => {
    get({ port, host: '127.0.0.1', path, method, headers, agent: false }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () =>
        resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }),
      );
    }).on('error', reject);
  });
}

it('a script is compressed for clients that accept it, and may be cached forever', async () => {
  const { status, headers, body } = await ask('/js/a.js', 'gzip, br;q=0.8');
  expect(status).toBe(200);
  expect(headers).toMatchObject({ 'content-encoding': 'br', vary: 'accept-encoding' });
  expect(headers['cache-control']).toContain('immutable');
  expect(body.length).toBeLessThan(SCRIPT.length / 10);
  expect(brotliDecompressSync(body).toString()).toBe(SCRIPT);
});

it.each([undefined, 'gzip', 'br;q=0', 'brotli'])(
  'a script is sent uncompressed to a client that accepts %s',
  async (encoding) => {
    const { headers, body } = await ask('/js/a.js', encoding);
    expect(headers).not.toHaveProperty('content-encoding');
    expect(headers).toMatchObject({ vary: 'accept-encoding', 'content-length': String(SCRIPT.length) });
    expect(body.toString()).toBe(SCRIPT);
  },
);

it('a compressed copy is created once, however many ask at once, and nothing else is left', async () => {
  const answers = await Promise.all(Array.from({ length: 5 }, () => ask('/js/a.js', 'br')));
  expect(new Set(answers.map(({ body }) => body.toString('hex'))).size).toBe(1);
  const copies = join(folder, 'cache', '1.64.0-abc', 'js');
  expect(await readdir(copies)).toEqual(['a.js.br']);
  await writeFile(join(copies, 'a.js.br'), 'kept');
  expect((await ask('/js/a.js', 'br')).body.toString()).toBe('kept');
});

it('compressed files are not compressed again', async () => {
  const { headers, body } = await ask('/font.woff2', 'br');
  expect(headers).not.toHaveProperty('content-encoding');
  expect(headers).not.toHaveProperty('vary');
  expect(body.toString()).toBe('font');
});

it('HEAD is answered with headers only', async () => {
  const { status, headers, body } = await ask('/js/a.js', undefined, 'HEAD');
  expect([status, headers['content-length'], body.length]).toEqual([200, String(SCRIPT.length), 0]);
});

it('only the files of a frontend are served', async () => {
  await symlink(join(folder, 'secret.js'), join(folder, 'front', 'link.js'));
  for (const path of [
    '/../secret.js',
    '/js/../../secret.js',
    '/link.js',
    '/notes.py',
    '/none.js',
    '/js',
    '/',
    '/js/a.js/',
  ])
    expect((await ask(path, 'br')).status, path).toBe(404);
  await expect(readdir(join(folder, 'cache'))).rejects.toMatchObject({ code: 'ENOENT' });
});

it.each([undefined, 'br'])(
  'a file that its app has replaced is not served to a client that accepts %s',
  async (encoding) => {
    await writeFile(join(folder, 'front/js/a.js'), SCRIPT.replace('1', '2'));
    expect((await ask('/js/a.js', encoding)).status).toBe(410);
    await rm(join(folder, 'front/js/a.js'));
    await symlink(join(folder, 'secret.js'), join(folder, 'front/js/a.js'));
    expect((await ask('/js/a.js', encoding)).status).toBe(410);
    await rm(join(folder, 'front/js/a.js'));
    execFileSync('mkfifo', [join(folder, 'front/js/a.js')]);
    expect((await ask('/js/a.js', encoding)).status).toBe(410);
  },
);

it.each([undefined, 'br'])(
  'a file that was served once is served again to a client that accepts %s',
  async (encoding) => {
    const { body } = await ask('/js/a.js', encoding);
    await writeFile(join(folder, 'front/js/a.js'), 'another');
    expect((await ask('/js/a.js', encoding)).body).toEqual(body);
  },
);
