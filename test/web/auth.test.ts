import { once } from 'node:events';
import { get, type ClientRequest, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Middleware } from 'koa';
import { adminToken } from '../../src/domain/access/principal.js';
import { newApp } from '../../src/domain/app/app.js';
import { demandProof, signedIn } from '../../src/web/auth.js';
import { formToken } from '../../src/web/form-token.js';
import { ask, SLOW_MS, startWeb, TOKEN, type TestWeb } from '../helpers/web.js';
import { OPENED, shownForm } from '../helpers/forms.js';

const page: Middleware = async (ctx) => {
  if (ctx.path === '/console/written-down') demandProof(ctx);
  else if (ctx.path !== '/console/' && ctx.path !== '/console/change') return;
  ctx.body = `hello ${signedIn(ctx).principal.name} ${signedIn(ctx).session?.csrf ?? ''}`;
};

let web: TestWeb;
let cookie: string;
let csrf: string;
beforeEach(async () => {
  web = await startWeb({ console: [page] });
  const id = await web.sessions.begin({ name: 'admin' });
  cookie = `streamlit_host_session=${id}`;
  csrf = web.sessions.find(id)?.csrf ?? '';
});
afterEach(() => web.close());

const NAVIGATION = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'same-origin' };
/** What a script on our origin sends: one of an app just as one of the console. */
const SCRIPT = { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', 'sec-fetch-site': 'same-origin' };

test('actions recorded under a user name need the CSRF token, even if the browser does not say who asks', async () => {
  const read = (headers: Record<string, string>) =>
    ask(`${web.url}/console/written-down`, { headers: { cookie, accept: 'text/html', ...headers } });
  expect((await read({})).status).toBe(403);
  expect((await read(NAVIGATION)).status).toBe(403);
  expect((await read({ 'x-csrf-token': csrf })).status).toBe(200);
});

describe('the API', () => {
  test('accepts the token in either header, and nothing else', async () => {
    const basic = (password: string): string => `Basic ${Buffer.from(`x:${password}`).toString('base64')}`;
    for (const authorization of [`Bearer ${TOKEN}`, basic(TOKEN)]) {
      expect((await ask(`${web.url}/api/apps`, { headers: { authorization } })).status).toBe(200);
    }
    for (const authorization of ['Bearer wrong', basic('wrong'), 'Bearer', 'nonsense', `Bearer ${TOKEN}x`]) {
      const answer = await ask(`${web.url}/api/apps`, { headers: { authorization } });
      expect(answer.status, authorization).toBe(401);
      expect(answer.headers['www-authenticate']).toContain('Bearer');
    }
    expect((await ask(`${web.url}/api/apps`)).json).toMatchObject({ status: 401, code: 'not-signed-in' });
  });

  test.each([
    '/api/apps',
    '/API/apps',
    '/Api/Apps',
    '/api',
    '/api/',
    '/api/none',
    '/api/docs',
    '/api/openapi.json',
    '/api/events',
  ])('rejects %s without a token', async (path) => {
    for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS', 'DELETE']) {
      expect((await ask(web.url + path, { method })).status, method).toBe(401);
    }
  });

  test('does not fall back to the cookie if the token is wrong', async () => {
    const headers = { cookie, authorization: 'Bearer wrong', 'x-csrf-token': csrf };
    expect((await ask(`${web.url}/api/apps`, { headers })).status).toBe(401);
  });

  test('slows down guessing, but not requests with the token or a session, even from the same address', async () => {
    const guess = (token: string) => ask(`${web.url}/api/apps`, { headers: { authorization: `Bearer ${token}` } });
    for (let i = 0; i < 20; i += 1) await guess(String(i));
    const begun = performance.now();
    const answer = await guess('another');
    expect(answer.status).toBe(429);
    expect(performance.now() - begun).toBeGreaterThan(SLOW_MS * 0.9);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect((await guess(TOKEN)).status).toBe(200);
    expect((await ask(`${web.url}/console/`, { headers: { cookie, ...NAVIGATION } })).status).toBe(200);
  });

  test('gives scripts with the cookie nothing without the CSRF token, in any fetch mode', async () => {
    for (const mode of ['cors', 'same-origin', 'no-cors', 'websocket']) {
      const answer = await ask(`${web.url}/api/apps`, { headers: { cookie, ...SCRIPT, 'sec-fetch-mode': mode } });
      expect(answer.json, mode).toMatchObject({ status: 401, code: 'not-signed-in' });
    }
    expect((await ask(`${web.url}/api/apps`, { headers: { cookie, ...SCRIPT, 'x-csrf-token': csrf } })).status).toBe(
      200,
    );
    expect(
      (await ask(`${web.url}/api/apps`, { headers: { cookie, ...SCRIPT, 'x-csrf-token': 'wrong' } })).json,
    ).toMatchObject({ code: 'csrf-token-wrong' });
  });

  test('changes nothing for a cookie without both the CSRF token and our origin', async () => {
    const change = (headers: Record<string, string>): Promise<number> =>
      ask(`${web.url}/api/login-links`, { method: 'POST', headers: { cookie, ...headers } }).then(
        ({ status }) => status,
      );
    const proof = { 'x-csrf-token': csrf };
    const origin = web.url;
    expect(await change({ ...proof, origin })).toBe(201);
    expect(await change({ ...proof, 'sec-fetch-site': 'same-origin' })).toBe(201);
    expect(await change({ origin })).toBe(403);
    expect(await change(proof)).toBe(403);
    expect(await change({ ...proof, origin: 'null' })).toBe(403);
    expect(await change({ ...proof, origin: 'http://evil.example' })).toBe(403);
    expect(await change({ ...proof, origin, 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await change({ ...proof, origin, 'sec-fetch-site': 'same-site' })).toBe(403);
    expect(await change({ ...NAVIGATION, origin })).toBe(403);
  });

  test('tells a script without the CSRF token nothing about the session, and neither does the console', async () => {
    const told = async (path: string, init: { method: string; headers: Record<string, string>; body?: string }) => {
      const { status, headers, text } = await ask(web.url + path, init);
      return { status, headers: { ...headers, date: '' }, text };
    };
    const scripts = [
      ...['cors', 'no-cors', 'same-origin', 'websocket'].map((mode) => ({ ...SCRIPT, 'sec-fetch-mode': mode })),
      { ...SCRIPT, 'x-csrf-token': 'wrong' },
      { ...NAVIGATION, 'sec-fetch-dest': 'iframe' },
      { ...SCRIPT, accept: 'text/html' },
    ];
    for (const path of ['/console/', '/console/change', '/console/none', '/console/new', '/console/login', '/api/apps'])
      for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST'])
        for (const script of scripts)
          for (const more of method === 'POST' ? [{ body: 'csrf=wrong' }, { body: '' }] : [{}]) {
            const type = 'application/x-www-form-urlencoded';
            const headers = { ...script, origin: web.url, 'content-type': type };
            const [operator, stranger] = [{ ...headers, cookie }, headers];
            const name = `${method} ${path} ${JSON.stringify(script)}`;
            expect(await told(path, { method, headers: operator, ...more }), name).toEqual(
              await told(path, { method, headers: stranger, ...more }),
            );
          }
  });

  test("refuses an app's script that says where it is from", async () => {
    const referer = `${web.url}/apps/evil/`;
    for (const headers of [SCRIPT, {}]) {
      expect(
        (await ask(`${web.url}/api/apps`, { headers: { cookie, referer, 'x-csrf-token': csrf, ...headers } })).status,
      ).toBe(403);
    }
    expect(
      (
        await ask(`${web.url}/api/apps`, {
          headers: { cookie, referer: `${web.url}/console/apps/x`, 'x-csrf-token': csrf, ...SCRIPT },
        })
      ).status,
    ).toBe(200);
  });
});

describe('the console', () => {
  const open = (headers: Record<string, string> = {}, path = '/console/') =>
    ask(web.url + path, { headers: { cookie, ...headers } });

  test('sends a stranger to the login page and back', async () => {
    const answer = await ask(`${web.url}/console/apps/x?tab=1`, { headers: NAVIGATION });
    expect(answer.status).toBe(302);
    expect(answer.headers.location).toBe('/console/login?next=%2Fconsole%2Fapps%2Fx%3Ftab%3D1');
    expect((await ask(`${web.url}/CONSOLE/`)).status).toBe(302);
    expect((await ask(`${web.url}/console/change`, { method: 'POST', headers: { origin: web.url } })).status).toBe(401);
  });

  test('is shown to a navigation from anywhere, which renews the cookie', async () => {
    for (const site of ['none', 'same-origin', 'cross-site']) {
      const answer = await open({ ...NAVIGATION, 'sec-fetch-site': site, referer: `${web.url}/apps/x/` });
      expect(answer.status).toBe(200);
      expect(answer.text).toBe(`hello admin ${csrf}`);
      expect(answer.headers['set-cookie']?.[0]).toBe(`${cookie}; Path=/; HttpOnly; SameSite=Lax; Max-Age=1209600`);
    }
    expect((await open()).status).toBe(200);
  });

  test('is not shown to a script without the token, nor to a frame', async () => {
    for (const dest of ['iframe', 'frame', 'embed', 'object'])
      expect((await open({ ...NAVIGATION, 'sec-fetch-dest': dest })).status, dest).toBe(403);
    const answer = await open(SCRIPT);
    expect(answer.status).toBe(403);
    expect(answer.text).not.toContain(csrf);
    expect((await open({ ...SCRIPT, 'x-csrf-token': csrf })).status).toBe(200);
  });

  test('forbids frames, inline scripts and openers', async () => {
    const { headers } = await open(NAVIGATION);
    expect(headers['content-security-policy']).toBe(
      "default-src 'self';script-src 'self';style-src 'self';img-src 'self' data:;object-src 'none';base-uri 'none';form-action 'self';frame-ancestors 'none'",
    );
    expect(headers).toMatchObject({
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
      'cross-origin-opener-policy': 'same-origin',
      'referrer-policy': 'origin',
      'cache-control': 'no-store',
    });
  });

  test("takes a form's CSRF token from a field, and only that form's", async () => {
    const post = (body: string, path = '/console/change', type = 'application/x-www-form-urlencoded') =>
      ask(web.url + path, {
        method: 'POST',
        body,
        headers: { cookie, ...NAVIGATION, 'content-type': type, origin: web.url },
      }).then(({ status }) => status);
    const token = formToken(csrf, '/console/change');
    expect(await post(`csrf=${token}&a=1`)).toBe(200);
    expect(await post(`csrf=${csrf}&a=1`)).toBe(403);
    expect(await post(`csrf=${formToken(csrf, '/console/logout')}`)).toBe(403);
    expect(await post('a=1')).toBe(403);
    expect(await post('csrf=wrong')).toBe(403);
    expect(await post('csrf[]=wrong')).toBe(403);
    expect(await post('x', `/console/change?csrf=${token}`, 'multipart/form-data; boundary=x')).toBe(403);
    expect(await post('x', '/console/change', 'multipart/form-data; boundary=x')).toBe(403);
  });

  test('finds the session among other cookies of the same name', async () => {
    const answer = await ask(`${web.url}/console/`, {
      headers: { ...NAVIGATION, cookie: `streamlit_host_session=tossed; other=1; ${cookie}` },
    });
    expect(answer.status).toBe(200);
    // As an app plants them for paths of the console, where they come first.
    const planted = Array.from(
      { length: 50 },
      (_, number) => `streamlit_host_session=${String(number).padEnd(43, 'x')}; `,
    );
    for (const path of ['/console/', '/console/login?next=/console/'])
      expect(
        (await ask(web.url + path, { headers: { ...NAVIGATION, cookie: planted.join('') + cookie } })).status,
      ).toBe(path === '/console/' ? 200 : 303);
  });
});

describe('behind a proxy with a path', () => {
  beforeEach(async () => {
    await web.close();
    web = await startWeb({ console: [page], base: 'https://intranet.example/tools/apps-host' });
    const id = await web.sessions.begin({ name: 'admin' });
    cookie = `__Secure-streamlit_host_session=${id}`;
    csrf = web.sessions.find(id)?.csrf ?? '';
  });

  test("the cookie is secure and limited to the path, and the proxy's origin counts as ours", async () => {
    const { headers } = await ask(`${web.url}/console/`, { headers: { cookie, ...NAVIGATION } });
    expect(headers['set-cookie']?.[0]).toContain(
      '; Path=/tools/apps-host/; HttpOnly; SameSite=Lax; Max-Age=1209600; Secure',
    );
    const change = (origin: string) =>
      ask(`${web.url}/api/login-links`, { method: 'POST', headers: { cookie, origin, 'x-csrf-token': csrf } });
    expect((await change('https://intranet.example')).json.url).toMatch(
      /^https:\/\/intranet\.example\/tools\/apps-host\/console\/login\?code=/,
    );
    expect((await change('https://other.example')).status).toBe(403);
  });

  test('the session has a name that pages without TLS and other hosts cannot set', async () => {
    const plain = cookie.replace('__Secure-', '');
    expect((await ask(`${web.url}/console/`, { headers: { cookie: plain, ...NAVIGATION } })).status).toBe(302);
    const { headers } = await ask(`${web.url}/console/`, { headers: { cookie, ...NAVIGATION } });
    expect(headers['set-cookie']?.[0]).toMatch(/^__Secure-streamlit_host_session=/);
    await web.close();
    web = await startWeb({ console: [page], base: 'https://intranet.example' });
    const id = await web.sessions.begin({ name: 'admin' });
    const answer = await ask(`${web.url}/console/`, {
      headers: { cookie: `__Host-Http-streamlit_host_session=${id}`, ...NAVIGATION },
    });
    expect(answer.headers['set-cookie']?.[0]).toBe(
      `__Host-Http-streamlit_host_session=${id}; Path=/; HttpOnly; SameSite=Lax; Max-Age=1209600; Secure`,
    );
  });

  test('an app is recognised by its whole path', async () => {
    const from = (path: string) =>
      ask(`${web.url}/api/apps`, {
        headers: { cookie, 'x-csrf-token': csrf, referer: `https://intranet.example${path}` },
      });
    expect((await from('/tools/apps-host/apps/x/')).status).toBe(403);
    expect((await from('/tools/apps-host/console/')).status).toBe(200);
  });

  test('redirects stay below the path', async () => {
    expect((await ask(`${web.url}/console/x`)).headers.location).toBe(
      '/tools/apps-host/console/login?next=%2Fconsole%2Fx',
    );
  });
});

describe('the login', () => {
  const post = (fields: Record<string, string>, headers: Record<string, string> = {}) => {
    const url = `${web.url}/console/login`;
    return ask(url, shownForm(url, fields, headers));
  };

  test('with the token opens a session, and with a wrong one does not', async () => {
    const wrong = await post({ token: 'wrong' });
    expect([wrong.status, wrong.headers['set-cookie']]).toEqual([401, undefined]);
    const right = await post({ token: ` ${TOKEN} `, next: '/console/apps/x' });
    const search = '/console/apps/x/logs?q=no+such+file,(1)';
    expect((await post({ token: TOKEN, next: search })).headers.location).toBe(search);
    expect([right.status, right.headers.location]).toEqual([303, '/console/apps/x']);
    const [mine = ''] = right.headers['set-cookie']?.[0]?.split(';') ?? [];
    expect((await ask(`${web.url}/console/`, { headers: { cookie: mine } })).status).toBe(200);
  });

  test('with a link works once', async () => {
    const { url } = (await web.api('/login-links', { method: 'POST' })).json as { url: string };
    const first = await ask(url, { headers: OPENED });
    expect([first.status, first.headers.location]).toEqual([303, '/console/']);
    const second = await ask(url, { headers: OPENED });
    expect([second.status, String(second.headers['set-cookie'])]).toEqual([
      401,
      expect.not.stringContaining('session'),
    ]);
    expect(second.text).toContain('already used');
  });

  test('with a used link lets in a browser that is already logged in', async () => {
    const { url } = (await web.api('/login-links', { method: 'POST' })).json as { url: string };
    const [mine = ''] = (await ask(url, { headers: OPENED })).headers['set-cookie']?.[0]?.split(';') ?? [];
    const again = await ask(url, { headers: { cookie: mine } });
    expect([again.status, again.headers.location]).toEqual([303, '/console/']);
    expect((await ask(url, { headers: { cookie: `${mine}x` } })).status).toBe(401);
  });

  test('with a link is not used up by a prefetch, as mail and chat programs do', async () => {
    const { url } = (await web.api('/login-links', { method: 'POST' })).json as { url: string };
    const looked = await ask(url, { method: 'HEAD' });
    expect([looked.status, String(looked.headers['set-cookie'])]).toEqual([
      200,
      expect.not.stringContaining('session'),
    ]);
    expect((await ask(url, { headers: OPENED })).status).toBe(303);
  });

  test.each([
    '//evil.example',
    'https://evil.example',
    '/\\evil.example',
    '/console//evil',
    'javascript:alert(1)',
    '/apps/x/',
    '/console\nx',
  ])('never redirects to %j', async (next) => {
    expect((await post({ token: TOKEN, next })).headers.location).toBe('/console/');
  });

  test('is refused from another origin', async () => {
    expect((await post({ token: TOKEN }, { origin: 'http://evil.example' })).status).toBe(403);
    expect((await post({ token: TOKEN }, { origin: '' })).status).toBe(403);
  });

  test('is slowed down after too many wrong tokens, but not for the right one', async () => {
    for (let i = 0; i < 20; i += 1) await post({ token: 'wrong' });
    const begun = performance.now();
    expect((await post({ token: 'wrong' })).status).toBe(429);
    expect(performance.now() - begun).toBeGreaterThan(SLOW_MS * 0.9);
    expect((await post({ token: TOKEN })).status).toBe(303);
  });

  test('is not for tokens of apps and people, which are for less and for a time', async () => {
    web.apps.put(newApp('shop', 'Shop', new Date(0)));
    const { account } = await web.people.add(
      { email: 'ada@example.com', password: 'correct horse' },
      adminToken('token'),
    );
    const forApp = await web.tokens.makeForApp('shop', { name: 'CI' });
    const personal = await web.tokens.make(account.id, { name: 'Laptop', scope: 'manage' });
    for (const { secret } of [forApp, personal]) {
      const answer = await post({ token: secret });
      expect([answer.status, answer.headers['set-cookie']]).toEqual([401, undefined]);
      expect(answer.text).toContain('This token is for scripts and git.');
      const link = await ask(`${web.url}/api/login-links`, {
        method: 'POST',
        headers: { authorization: `Bearer ${secret}` },
      });
      expect(link.status).toBe(403);
    }
    expect(web.sessions.list(undefined)).toHaveLength(1);
    await expect(web.sessions.begin({ name: 'CI (deploy token)' })).rejects.toThrow('no account');
  });

  test("ends the browser's previous session, even a planted one", async () => {
    const answer = await post({ token: TOKEN }, { cookie });
    const [mine = ''] = answer.headers['set-cookie']?.[0]?.split(';') ?? [];
    expect(mine).not.toBe(cookie);
    expect((await ask(`${web.url}/console/`, { headers: { cookie } })).status).toBe(302);
    expect((await ask(`${web.url}/console/`, { headers: { cookie: mine } })).status).toBe(200);
  });

  test('ends with the button, on the server too', async () => {
    const answer = await ask(`${web.url}/console/logout`, {
      method: 'POST',
      body: `csrf=${formToken(csrf, '/console/logout')}`,
      headers: { cookie, origin: web.url, 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(answer.status).toBe(303);
    expect(answer.headers['set-cookie']?.at(-1)).toContain('Max-Age=0');
    expect((await ask(`${web.url}/console/`, { headers: { cookie } })).status).toBe(302);
  });

  test('ends its own event streams when logged out, and no others', async () => {
    const other = await web.sessions.begin({ name: 'admin' });
    const ended: string[] = [];
    const listen = async (name: string, headers: Record<string, string>): Promise<ClientRequest> => {
      const asked = get(`${web.url}/api/events`, { headers, agent: false });
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      answer.resume().once('close', () => ended.push(name));
      return asked;
    };
    const rest = [
      await listen('the other session', {
        cookie: `streamlit_host_session=${other}`,
        'x-csrf-token': web.sessions.find(other)?.csrf ?? '',
      }),
      await listen('a token', { authorization: `Bearer ${TOKEN}` }),
    ];
    await listen('the session', { cookie, 'x-csrf-token': csrf });
    await ask(`${web.url}/console/logout`, {
      method: 'POST',
      body: `csrf=${formToken(csrf, '/console/logout')}`,
      headers: { cookie, origin: web.url, 'content-type': 'application/x-www-form-urlencoded' },
    });
    await vi.waitFor(() => expect(ended).toEqual(['the session']));
    expect(web.apps.listeners).toBe(2);
    for (const asked of rest) asked.destroy();
  });
});
