import { afterEach, expect, it } from 'vitest';
import { exposition } from '../../src/web/exposition.js';
import { ask, startWeb, type TestWeb } from '../helpers/web.js';

const SECRET = 'the-token-of-prometheus';

let web: TestWeb;
afterEach(() => web.close());

async function start(token: string | null | undefined): Promise<void> {
  web = await startWeb({ open: [exposition({ token, expose: (format) => `# ${format}\n` })] });
}

const get = (headers: Record<string, string> = {}) => ask(`${web.url}/metrics`, { headers });

it('is off by default', async () => {
  await start(undefined);
  expect((await get()).status).toBe(404);
});

it('asks for its own token, and for no other', async () => {
  await start(SECRET);
  for (const wrong of [{}, { authorization: 'Bearer wrong' }, { authorization: 'Bearer the-token-of-these-tests' }]) {
    const answer = await get(wrong);
    expect(answer.status).toBe(401);
    expect(answer.text).not.toContain('# ');
  }
  expect((await get({ authorization: `Bearer ${SECRET}` })).status).toBe(200);
});

it('answers in the format that is asked for', async () => {
  await start(null);
  const plain = await get();
  expect([plain.text, plain.headers['content-type']]).toEqual(['# text\n', 'text/plain; version=0.0.4; charset=utf-8']);
  const open = await get({ accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' });
  expect(open.headers['content-type']).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
  expect((await ask(`${web.url}/metrics`, { method: 'POST' })).status).toBe(405);
});
