import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { adminToken } from '../../src/domain/access/principal.js';
import type { ProxyLogin } from '../../src/domain/access/proxy-login.js';
import { ProxyLogins } from '../../src/web/proxy-login.js';
import { baseOf } from '../../src/web/session-cookie.js';
import { ask, serve, startWeb, type Answer, type TestWeb } from '../helpers/web.js';

const SECRET = 'a-secret-of-the-proxy';
const LOGIN: ProxyLogin = {
  ...{ name: 'Example', secret: SECRET, logoutUrl: undefined, trustsEmail: true },
  headers: { email: 'x-forwarded-email', name: 'x-name', groups: 'x-groups' },
  ...{ domains: [], groups: [], adminGroup: 'ops', creates: true },
};
const PAGE = { accept: 'text/html' };

let web: TestWeb;
let login: ProxyLogin | undefined;
let trusted: string[];
let server: Awaited<ReturnType<typeof serve>>;

/** Answers with what is left of a request, and who its browser is logged in as. */
beforeEach(async () => {
  web = await startWeb();
  login = LOGIN;
  trusted = ['127.0.0.1', '::1'];
  const { sessions, audit, people } = web;
  server = await serve((request, response) => {
    const logins = new ProxyLogins({
      ...{ login, sessions, audit, people, base: () => baseOf(web.base()) },
      trusts: (address) => trusted.includes(address),
      addressOf: ({ socket }: IncomingMessage) => socket.remoteAddress ?? '',
    });
    const answer = async (): Promise<void> => {
      logins.screen(request);
      // As when it waits for another server.
      logins.screen(request);
      await logins.welcome(request, response);
      const { headers } = request;
      const id = /streamlit_host_session=([\w-]+)/.exec(headers.cookie ?? '')?.[1] ?? '';
      const refusal = logins.refusalOf(request)?.code;
      const body = { headers, name: sessions.find(id)?.name, refusal, offer: logins.offer(request)?.name };
      response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    };
    void answer();
  });
});
afterEach(async () => {
  await server.close();
  await web.close();
});

/** A request through the proxy. */
function through(headers: Record<string, string>, cookie = ''): Promise<Answer> {
  const proof = { 'x-streamlit-host-secret': SECRET };
  return ask(server.url, { headers: { ...proof, ...headers, ...(cookie === '' ? {} : { cookie }) } });
}
const as = (name: string, more: Record<string, string> = {}): Record<string, string> => ({
  'x-forwarded-email': `${name}@example.com`,
  ...more,
});
const cookieOf = (answer: Answer): string => answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
const idOf = (cookie: string): string => cookie.split('=')[1] ?? '';

describe('a page that a visitor opens through the proxy', () => {
  test('makes an account and a session, which hold for what follows', async () => {
    const first = await through({ ...PAGE, ...as('ada', { 'x-name': 'Ada', 'x-groups': 'sales,ops' }) });
    expect(first.json).toMatchObject({ name: 'ada@example.com' });
    expect(first.headers['set-cookie']).toEqual([expect.stringMatching(/; Path=\/; HttpOnly; SameSite=Lax; Max-Age=/)]);
    expect(web.people.list()).toMatchObject([{ name: 'Ada', groups: ['sales', 'ops'], admin: true }]);
    expect(web.people.list()[0]).not.toHaveProperty('logins');
    // A script's requests begin none, and have it.
    const cookie = cookieOf(first);
    const next = await through(as('ada', { 'x-groups': 'ops;sales' }), cookie);
    expect([next.json.name, next.headers['set-cookie']]).toEqual(['ada@example.com', undefined]);
    expect(web.sessions.list(web.people.get('ada@example.com').id)).toMatchObject([{ provider: 'trusted-proxy' }]);
    const { entries } = (await web.api('/audit')).json;
    expect(entries).toMatchObject([{ what: 'log in with trusted-proxy', result: 'ok', from: '127.0.0.1' }]);
  });

  test.each([
    ['a request that is no page', {}],
    ['what a script fetches', { ...PAGE, 'sec-fetch-mode': 'cors' }],
    ['a frame', { ...PAGE, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }],
  ])('is not %s, which begins no session', async (_what, headers) => {
    const answer = await through({ ...headers, ...as('ada') });
    expect([answer.json.name, answer.headers['set-cookie']]).toEqual([undefined, undefined]);
    expect(web.people.list()).toEqual([]);
  });

  test('leaves a session alone that was not begun by the proxy', async () => {
    const cookie = `streamlit_host_session=${await web.sessions.begin({ name: 'admin' })}`;
    const answer = await through({ ...PAGE, ...as('ada') }, cookie);
    expect([answer.json.name, answer.headers['set-cookie']]).toEqual(['admin', undefined]);
    expect((await through({}, cookie)).json.name).toBe('admin');
  });

  test('opens all the same where the login is refused, and says why', async () => {
    const { account } = await web.people.add({ email: 'eve@example.com' }, adminToken('token'));
    await web.people.change(account.id, { disabled: true });
    login = { ...LOGIN, creates: false };
    for (const [name, refusal] of Object.entries({ eve: 'account-disabled', ada: 'not-invited' })) {
      const answer = await through({ ...PAGE, ...as(name) });
      expect(answer.json).toMatchObject({ refusal, offer: 'Example' });
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
    expect(web.people.list()).toHaveLength(1);
  });
});

describe('a session that the proxy began', () => {
  let cookie: string;
  beforeEach(async () => {
    cookie = cookieOf(await through({ ...PAGE, ...as('ada', { 'x-groups': 'sales' }) }));
    expect(web.sessions.isOpen(idOf(cookie))).toBe(true);
  });
  const sales = { 'x-groups': 'sales' };

  test('counts in no request without the header', async () => {
    expect((await through({}, cookie)).json.name).toBeUndefined();
    expect((await ask(server.url, { headers: { cookie } })).json.name).toBeUndefined();
    // A check that goes past the proxy does not log anybody out.
    expect((await through(as('ada', sales), cookie)).json.name).toBe('ada@example.com');
  });

  test('counts in no request that does not come from the proxy', async () => {
    trusted = ['192.0.2.1'];
    const answer = await through({ ...PAGE, ...as('ada', sales) }, cookie);
    expect([answer.json.name, answer.headers['set-cookie']]).toEqual([undefined, undefined]);
    trusted = ['127.0.0.1', '::1'];
    const wrong = { 'x-streamlit-host-secret': `${SECRET}x` };
    expect((await through({ ...PAGE, ...as('ada', sales), ...wrong }, cookie)).json).toMatchObject({
      refusal: 'proxy-headers-invalid',
    });
  });

  test('ends where the header names another person, who gets a new one', async () => {
    const script = await through(as('eve'), cookie);
    expect(script.json.name).toBeUndefined();
    expect(web.sessions.isOpen(idOf(cookie))).toBe(false);
    const page = await through({ ...PAGE, ...as('eve') }, cookie);
    expect(page.json.name).toBe('eve@example.com');
    expect(cookieOf(page)).not.toBe(cookie);
  });

  test('ends where the proxy names other groups, or the account another address', async () => {
    expect((await through(as('ada', { 'x-groups': 'sales,ops' }), cookie)).json.name).toBeUndefined();
    expect(web.sessions.isOpen(idOf(cookie))).toBe(false);
    cookie = cookieOf(await through({ ...PAGE, ...as('ada', sales) }));
    await web.people.change('ada@example.com', { email: 'king@example.com' });
    expect((await through(as('ada', sales), cookie)).json.name).toBeUndefined();
    expect(web.sessions.isOpen(idOf(cookie))).toBe(false);
  });

  test('is over once the account is disabled', async () => {
    await web.people.change('ada@example.com', { disabled: true });
    expect((await through({ ...PAGE, ...as('ada', sales) }, cookie)).json).toMatchObject({
      refusal: 'account-disabled',
    });
  });

  test('does not take other cookies along', async () => {
    const answer = await through({}, `a=1; ${cookie}; b=2`);
    expect((answer.json.headers as Record<string, string>).cookie).toBe('a=1; b=2');
  });
});

test('nobody but the proxy is believed, and its headers go no further', async () => {
  const headers = { ...PAGE, ...as('ada', { 'x-name': 'Ada', 'x-groups': 'ops' }) };
  const names = ['x-forwarded-email', 'x-name', 'x-groups', 'x-streamlit-host-secret'];
  for (const addresses of [['192.0.2.1'], ['127.0.0.1', '::1']]) {
    trusted = addresses;
    const answer = await through(headers);
    for (const name of names) expect(answer.json.headers).not.toHaveProperty(name);
    expect(answer.json.name).toBe(addresses.length > 1 ? 'ada@example.com' : undefined);
  }
});

test('a header that comes twice logs nobody in', async () => {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  const lines = ['GET / HTTP/1.1', 'Host: x', 'Accept: text/html', `X-Streamlit-Host-Secret: ${SECRET}`];
  const twice = ['X-Forwarded-Email: ada@example.com', 'X-Forwarded-Email: eve@example.com', 'Connection: close'];
  socket.write(`${[...lines, ...twice].join('\r\n')}\r\n\r\n`);
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(socket, 'close');
  expect(text).toContain('"refusal":"proxy-headers-invalid"');
  expect(text).not.toMatch(/set-cookie|ada@|eve@/i);
  expect(web.people.list()).toEqual([]);
});
