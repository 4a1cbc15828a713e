import Koa, { type Context } from 'koa';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Refusal } from '../../src/errors.js';
import { readBody, readForm, textOf } from '../../src/web/body.js';
import { ask, form, serve, type Answer } from '../helpers/web.js';

let served: Awaited<ReturnType<typeof serve>>;
/** What is read of a body. */
let read: (ctx: Context) => Promise<unknown>;

beforeEach(async () => {
  const app = new Koa();
  app.silent = true;
  app.use(async (ctx) => {
    try {
      ctx.body = { read: await read(ctx) };
    } catch (error) {
      ctx.status = error instanceof Refusal ? error.status : (error as { status: number }).status;
      ctx.body = { code: error instanceof Refusal ? error.code : 'http' };
    }
  });
  const handle = app.callback();
  served = await serve((request, response) => void handle(request, response));
});
afterEach(() => served.close());

const send = (body: string | Buffer, headers: Record<string, string> = {}): Promise<Answer> =>
  ask(served.url, { method: 'POST', body, headers });

it('a body is read in full, up to its limit', async () => {
  read = async (ctx) => (await readBody(ctx, 1_024)).toString();
  expect((await send('x'.repeat(1_024))).json).toEqual({ read: 'x'.repeat(1_024) });
  expect((await send('')).json).toEqual({ read: '' });
  const refused = await send('x'.repeat(1_025), { connection: 'keep-alive' });
  expect([refused.status, refused.json]).toEqual([413, { code: 'body-too-large' }]);
  // The rest of it is still to come on this connection.
  expect(refused.headers.connection).toBe('close');
});

it('text must be UTF-8, and other bytes are refused without being shown', () => {
  expect(textOf(Buffer.from('naïve 🎈'))).toBe('naïve 🎈');
  expect(() => textOf(Buffer.from([0x73, 0xff, 0xfe]))).toThrow('The body is not valid UTF-8 text.');
});

it('a form with files is read as text, field by field', async () => {
  read = async (ctx) => readForm(ctx, 10_000);
  const sent = await form([
    ['csrf', 'token'],
    ['toml', 'a = "é"\n', 'secrets.toml'],
    ['none', '', ''],
  ]);
  expect((await send(sent.body, sent.headers)).json).toEqual({
    read: { csrf: 'token', toml: 'a = "é"\n', none: '' },
  });
});

it('a form that is too large, malformed or not text is refused', async () => {
  read = async (ctx) => readForm(ctx, 1_024);
  const large = await form([['toml', 'x'.repeat(2_000), 'secrets.toml']]);
  expect((await send(large.body, large.headers)).json).toEqual({ code: 'body-too-large' });
  const binary = await form([['toml', Buffer.from([0xff]), 'secrets.toml']]);
  expect((await send(binary.body, binary.headers)).json).toEqual({ code: 'body-not-text' });
  const half = await send('--x\r\nContent-Disp', { 'content-type': 'multipart/form-data; boundary=x' });
  expect([half.status, half.json]).toEqual([400, { code: 'http' }]);
});
