import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { Agent, request, type IncomingMessage, type RequestOptions } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Koa from 'koa';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { answerErrors } from '../../../src/web/problem.js';
import { withBody, withUpload, type Upload } from '../../../src/web/upload/receive.js';
import { ask, form, serve } from '../../helpers/web.js';

const MAX = 1_000_000;

let tmp: string;
let url: string;
let close: () => Promise<void>;
let use: (upload: Upload) => Promise<void>;
let ended: Promise<void>;
/** What comes before a form is read. */
let before: (request: IncomingMessage) => Promise<unknown>;
beforeEach(async () => {
  tmp = await mkdtemp(join(tmpdir(), 'receive-'));
  use = async () => undefined;
  before = async () => undefined;
  const app = new Koa();
  app.silent = true;
  let end: () => void;
  ended = new Promise((resolve) => (end = resolve));
  app.use(
    answerErrors({ page: (_ctx, status, sentence) => `${status} ${sentence}`, logger: pino({ level: 'silent' }) }),
  );
  app.use(async (ctx) => {
    try {
      await before(ctx.req);
      if (ctx.path === '/api/body')
        await withBody(ctx, { tmp, maxBytes: MAX }, async (file) => void (ctx.body = await readFile(file)));
      else
        await withUpload(ctx, { tmp, maxBytes: MAX }, async (upload) =>
          use(upload).then(() => void (ctx.body = 'received')),
        );
    } finally {
      end();
    }
  });
  const handle = app.callback();
  ({ url, close } = await serve((req, res) => void handle(req, res)));
});
afterEach(async () => {
  await close();
  expect(await readdir(tmp), 'nothing is left').toEqual([]);
  await rm(tmp, { recursive: true });
});

const post = (parts: [string, string | Buffer, string?][]) =>
  form(parts).then((sent) => ask(`${url}/api/upload`, { method: 'POST', ...sent }));

test('fields and files arrive complete, with their paths and names unchanged', async () => {
  let seen: unknown;
  use = async (upload) => {
    const files = await Promise.all(
      upload.files.map(async ({ field, name, file, size }) => [field, name, (await readFile(file)).toString(), size]),
    );
    seen = { fields: { ...upload.fields }, files, mode: (await stat(upload.folder)).mode & 0o777 };
  };
  const answer = await post([
    ['name', 'Überblick 📈'],
    ['files', 'eins', 'seiten/1_統計.py'],
    ['files', '', 'empty.txt'],
  ]);
  expect(answer.text).toBe('received');
  expect(seen).toEqual({
    fields: { name: 'Überblick 📈' },
    files: [
      ['files', 'seiten/1_統計.py', 'eins', 4],
      ['files', 'empty.txt', '', 0],
    ],
    mode: 0o700,
  });
});

test('bytes pass through unchanged', async () => {
  const content = randomBytes(900_000);
  let seen: Buffer | undefined;
  use = async (upload) => void (seen = await readFile(upload.files[0]?.file ?? ''));
  await post([['archive', content, 'x.zip']]);
  expect(seen?.equals(content)).toBe(true);
});

test('nothing is left if processing fails', async () => {
  let folder = '';
  use = async (upload) => {
    folder = upload.folder;
    throw new Error('no');
  };
  expect((await post([['app', 'x', 'app.py']])).status).toBe(500);
  expect(existsSync(folder)).toBe(false);
});

test('files that are too large in total are refused', async () => {
  const answer = await post([
    ['files', Buffer.alloc(600_000), 'a'],
    ['files', Buffer.alloc(600_000), 'b'],
  ]);
  expect(answer.json).toMatchObject({ status: 413, code: 'upload-too-large' });
  expect(answer.json.detail).toContain('1 MB');
});

test('an upload that declares too large a size is refused before any of it is read', async () => {
  const answer = await new Promise<number>((resolve, reject) => {
    const asked = request(
      `${url}/api/upload`,
      {
        method: 'POST',
        headers: { 'content-type': 'multipart/form-data; boundary=x', 'content-length': '5000000000' },
      },
      (response) => {
        resolve(response.statusCode ?? 0);
        asked.destroy();
      },
    );
    asked.on('error', reject);
    asked.flushHeaders();
  });
  expect(answer).toBe(413);
});

test('an upload without a length is refused while it streams, not at its end', async () => {
  const answer = await new Promise<number>((resolve, reject) => {
    const asked = request(
      `${url}/api/upload`,
      { method: 'POST', headers: { 'content-type': 'multipart/form-data; boundary=x' } },
      (response) => {
        resolve(response.statusCode ?? 0);
        asked.destroy();
      },
    );
    asked.on('error', reject);
    asked.write('--x\r\nContent-Disposition: form-data; name="archive"; filename="a.zip"\r\n\r\n');
    // It never ends: only the limit can bring the answer.
    const more = (): void => void (asked.destroyed || asked.write(Buffer.alloc(64 * 1024), () => setImmediate(more)));
    more();
  });
  expect(answer).toBe(413);
});

test('a client that keeps sending after the refusal is read to its end, and its next request is answered', async () => {
  for (const path of ['/api/body', '/api/upload']) {
    const { headers, body } = await form([['files', randomBytes(8 * MAX), 'app.py']]);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      const say = async (options: RequestOptions, what?: Buffer): Promise<number | undefined> => {
        const asked = request(`${url}${path}`, { ...options, agent });
        asked.end(what);
        const [answer] = (await once(asked, 'response')) as [IncomingMessage];
        await once(answer.resume(), 'end');
        if (!asked.writableFinished) await once(asked, 'finish');
        return answer.statusCode;
      };
      expect(await say({ method: 'PUT', headers: { ...headers, 'transfer-encoding': 'chunked' } }, body)).toBe(413);
      expect(await say({ method: 'PUT', headers: { 'content-type': 'text/plain', 'content-length': 0 } })).toBe(
        path === '/api/body' ? 200 : 415,
      );
    } finally {
      agent.destroy();
    }
  }
});

test('a client that disconnects leaves nothing behind', async () => {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(
    'POST /api/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n',
  );
  socket.write('--x\r\nContent-Disposition: form-data; name="app"; filename="app.py"\r\n\r\nhalf of it');
  while ((await readdir(tmp)).length === 0) await new Promise((resolve) => setImmediate(resolve));
  socket.destroy();
  await ended;
});

test('a client that disconnected before the form was read is not waited for', async () => {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  before = (request) => {
    socket.destroy();
    request.on('error', () => undefined);
    return new Promise((resolve) => request.once('close', resolve));
  };
  socket.write(
    'POST /api/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n--x',
  );
  await ended;
});

test.each([
  ['no boundary', 'multipart/form-data', 'x'],
  ['no end', 'multipart/form-data; boundary=x', '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nhalf'],
  ['no form at all', 'multipart/form-data; boundary=x', 'hello'],
])('a form with %s is a bad request', async (_what, type, body) => {
  const answer = await ask(`${url}/api/upload`, { method: 'POST', headers: { 'content-type': type }, body });
  expect(answer.status, answer.text).toBe(400);
});

test('another type is not supported', async () => {
  for (const headers of [{ 'content-type': 'application/json' }, {}] as Record<string, string>[]) {
    expect((await ask(`${url}/api/upload`, { method: 'POST', headers, body: '{}' })).status).toBe(415);
  }
});

test.each(['__proto__', 'constructor[prototype]', 'a[b][c][d]', 'a[999999999]'])(
  'the field name %j changes nothing but the fields',
  async (name) => {
    const answer = await post([[name, 'polluted']]);
    expect([200, 422]).toContain(answer.status);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(Object.prototype).not.toHaveProperty('0');
  },
);

test('too many fields and fields that are too long are refused', async () => {
  expect((await post(Array.from({ length: 101 }, (_, i) => [`f${i}`, 'x']))).status).toBe(413);
  expect((await post([['description', 'x'.repeat(70_000)]])).json).toMatchObject({ status: 413, field: 'description' });
});

test('a body is received as one file, up to the limit', async () => {
  const put = (body: Buffer) => ask(`${url}/api/body`, { method: 'PUT', body });
  expect((await put(Buffer.from('text'))).text).toBe('text');
  expect((await put(Buffer.alloc(MAX))).status).toBe(200);
  expect((await put(Buffer.alloc(MAX + 1))).json).toMatchObject({ status: 413, code: 'upload-too-large' });
});
