import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { newApp } from '../../src/domain/app/app.js';
import { verbs, isAppVerb, type Verb } from '../../src/domain/access/permissions.js';
import { adminToken } from '../../src/domain/access/principal.js';
import { OPENED, shownForm } from '../helpers/forms.js';
import { ask, everyRoute, startWeb, type Answer, type Ask, type TestWeb } from '../helpers/web.js';

const PASSWORD = 'correct horse battery';
const ADMIN = adminToken('token');

let web: TestWeb;
beforeEach(async () => (web = await startWeb()));
afterEach(() => web.close());

/** A browser with the cookie of a login. */
interface Browser {
  cookie: string;
  csrf: string;
}

async function logIn(email: string, password = PASSWORD): Promise<Browser | undefined> {
  const answer = await postForm('/console/login', { email, password, next: '/console/' });
  const [cookie = ''] = answer.headers['set-cookie']?.[0]?.split(';') ?? [];
  const id = cookie.split('=')[1] ?? '';
  return answer.status === 303 ? { cookie, csrf: web.sessions.find(id)?.csrf ?? '' } : undefined;
}

function postForm(path: string, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Answer> {
  const url = `${web.url}${path}`;
  return ask(url, shownForm(url, fields, headers));
}

/** Asks the API as a page of the console does. */
function as({ cookie, csrf }: Browser, path: string, { headers, ...options }: Ask = {}): Promise<Answer> {
  const own = { cookie, 'x-csrf-token': csrf, origin: web.url };
  return ask(`${web.url}/api${path}`, { ...options, headers: { ...own, ...headers } });
}

function json(method: string, body: object): Ask {
  return { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

async function member(email = 'ada@example.com', admin = false): Promise<Browser> {
  await web.people.add({ email, password: PASSWORD, admin }, ADMIN);
  const browser = await logIn(email);
  if (browser === undefined) throw new Error(`${email} cannot log in`);
  return browser;
}

describe('an invitation', () => {
  test('lets a person choose a password once, and logs them in', async () => {
    const made = await web.api('/users', json('POST', { email: 'Ada@Example.com', groups: ['Sales'] }));
    expect(made.status).toBe(201);
    expect(made.json).toMatchObject({
      user: { email: 'ada@example.com', name: '', admin: false, groups: ['sales'], disabled: false, invited: true },
    });
    const { url } = made.json.invitation as { url: string };
    const code = new URL(url).searchParams.get('code') ?? '';
    // A mail program that only looks at the link does not use it up.
    expect((await ask(url)).status).toBe(200);
    expect((await postForm('/console/join', { code, password: 'short' })).status).toBe(422);
    const joined = await postForm('/console/join', { code, password: PASSWORD, name: 'Ada' });
    expect(joined.status).toBe(303);
    expect(joined.headers['set-cookie']?.[0]).toContain('streamlit_host_session=');
    expect(await logIn('ada@example.com')).toBeDefined();

    const again = await postForm('/console/join', { code, password: 'another password' });
    expect(again.status).toBe(410);
    expect(again.headers['set-cookie']).toBeUndefined();
    expect(await logIn('ada@example.com', 'another password')).toBeUndefined();
    expect(web.people.get('ada@example.com')).toMatchObject({ name: 'Ada' });
    expect(JSON.stringify((await web.api('/users')).json)).not.toContain('scrypt');
  });

  test('can be made again until the person has joined', async () => {
    await web.api('/users', json('POST', { email: 'ada@example.com' }));
    expect((await web.api('/users/ada@example.com/invitation', { method: 'POST' })).status).toBe(201);
    await member('bob@example.com');
    expect((await web.api('/users/bob@example.com/invitation', { method: 'POST' })).json).toMatchObject({
      status: 409,
      code: 'already-joined',
    });
  });

  test('is refused for what is not an email address, or one that has an account', async () => {
    const add = (email: string): Promise<Answer> => web.api('/users', json('POST', { email }));
    expect((await add('ada')).json).toMatchObject({ status: 422, code: 'email-invalid', field: 'email' });
    await add('ada@example.com');
    expect((await add('ADA@example.com')).json).toMatchObject({ status: 409, code: 'email-taken' });
  });
});

describe('a login', () => {
  test('with a wrong password, an unknown account or a disabled one gets the same answer', async () => {
    await member('ada@example.com');
    await member('bob@example.com');
    await web.people.change('bob@example.com', { disabled: true });
    const tries = [
      ['ada@example.com', 'wrong password'],
      ['eve@example.com', PASSWORD],
      ['bob@example.com', PASSWORD],
      ['', ''],
    ] as const;
    for (const [email, password] of tries) {
      const answer = await postForm('/console/login', { email, password });
      expect(answer.status, email).toBe(401);
      expect(answer.text, email).toBe('<p>login /console/ Wrong email address or password.</p>');
      expect(answer.headers['set-cookie'], email).toBeUndefined();
    }
  });

  test('cannot be guessed without end', async () => {
    await member();
    const statuses: number[] = [];
    for (let count = 0; count < 21; count += 1)
      statuses.push((await postForm('/console/login', { email: 'ada@example.com', password: `${count}` })).status);
    expect(statuses.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 401));
    expect(statuses[20]).toBe(429);
    // Then not even the right one is looked at, and open sessions and the admin token go on.
    expect((await postForm('/console/login', { email: 'ada@example.com', password: PASSWORD })).status).toBe(429);
    expect((await web.api('/apps')).status).toBe(200);
  });

  test('cannot be guessed any faster by guessing many passwords at once', async () => {
    let answer: () => void = () => undefined;
    const held = new Promise<undefined>((resolve) => (answer = () => resolve(undefined)));
    vi.spyOn(web.people, 'logIn').mockReturnValue(held);
    const statuses: number[] = [];
    const guesses = Array.from({ length: 40 }, async (_, count) => {
      const { status } = await postForm('/console/login', { email: 'ada@example.com', password: `${count}` });
      statuses.push(status);
    });
    await vi.waitFor(() => expect(statuses).toEqual(Array.from({ length: 20 }, () => 429)));
    answer();
    await Promise.all(guesses);
    expect(statuses.slice(20)).toEqual(Array.from({ length: 20 }, () => 401));
  });

  test('with the right password is not counted', async () => {
    await member();
    for (let count = 0; count < 25; count += 1) expect(await logIn('ada@example.com')).toBeDefined();
  });

  test.each(['cors', 'no-cors', 'navigate'])('by a script of an app is refused, with any proof (%s)', async (mode) => {
    const ada = await member();
    const eve = await member('eve@example.com');
    const link = (await as(eve, '/login-links', { method: 'POST' })).json.url as string;
    const { url: invitation } = (await web.api('/users', json('POST', { email: 'bob@example.com' }))).json
      .invitation as { url: string };
    const dest = mode === 'navigate' ? 'iframe' : 'empty';
    const script = { 'sec-fetch-mode': mode, 'sec-fetch-dest': dest, 'sec-fetch-site': 'same-origin' };
    const forms = [
      ['/console/login', { email: 'eve@example.com', password: PASSWORD }],
      ['/console/join', { code: new URL(invitation).searchParams.get('code') ?? '', password: PASSWORD }],
    ] as const;
    for (const cookie of [ada.cookie, '']) {
      const answers = [await ask(link, { headers: { ...script, cookie } })];
      for (const [path, fields] of forms) answers.push(await postForm(path, fields, { ...script, cookie }));
      expect(answers.map(({ status }) => status)).toEqual([403, 403, 403]);
      expect(answers.map(({ headers }) => headers['set-cookie'])).toEqual([undefined, undefined, undefined]);
    }
    expect((await as(ada, '/me')).status).toBe(200);
  });

  test('does not take the place of someone else who is logged in', async () => {
    const ada = await member();
    const eve = await member('eve@example.com');
    const { url: invitation } = (await web.api('/users', json('POST', { email: 'bob@example.com' }))).json
      .invitation as { url: string };
    const code = new URL(invitation).searchParams.get('code') ?? '';
    // A form in a window, which a browser sends for an app as for our own page.
    const page = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'same-origin' };
    const headers = { ...page, cookie: ada.cookie };
    const login = await postForm('/console/login', { email: 'eve@example.com', password: PASSWORD }, headers);
    const join = await postForm('/console/join', { code, password: PASSWORD }, headers);
    // It says so before anything is typed.
    const opened = await ask(invitation, { headers });
    for (const answer of [login, join, opened]) {
      expect(answer.status).toBe(409);
      expect(String(answer.headers['set-cookie'])).not.toContain('session');
      expect(answer.text).toContain('You are already logged in as ada@example.com. Log out first');
    }
    const link = (await as(eve, '/login-links', { method: 'POST' })).json.url as string;
    expect((await ask(link, { headers })).headers['set-cookie']).toBeUndefined();
    expect((await as(ada, '/me')).json).toMatchObject({ user: { email: 'ada@example.com' } });
    // The invitation was not used up.
    expect((await postForm('/console/join', { code, password: PASSWORD })).status).toBe(303);
  });

  test('by a form needs the cookie of the browser that was shown the form', async () => {
    await web.people.add({ email: 'eve@example.com', password: PASSWORD, admin: false }, ADMIN);
    const url = `${web.url}/console/login`;
    const fields = { email: 'eve@example.com', password: PASSWORD };
    const { cookie: other = '' } = shownForm(url, fields).headers;
    const elsewhere = shownForm(`${web.url}/console/join`, fields).body;
    const send = (options: Ask): Promise<Answer> => ask(url, { ...shownForm(url, fields), ...options });
    const headers = { 'content-type': 'application/x-www-form-urlencoded', origin: web.url };
    const refused = [
      // An app's page knows how a form looks, and what another browser was shown.
      await send({ headers }),
      await send({ headers: { ...headers, cookie: other.replace(/a{43}/, 'b'.repeat(43)) } }),
      await send({ body: new URLSearchParams(fields).toString() }),
      await send({ body: elsewhere }),
      await send({ body: new URLSearchParams({ ...fields, csrf: 'a'.repeat(43) }).toString() }),
    ];
    expect(refused.map(({ status }) => status)).toEqual(refused.map(() => 403));
    expect(refused.flatMap((answer) => answer.headers['set-cookie'] ?? [])).toEqual([]);
    // What a script plants beside it keeps nobody out.
    const planted = `streamlit_host_form=${'b'.repeat(43)}; ${other}`;
    expect((await send({ headers: { ...headers, cookie: planted } })).status).toBe(303);
  });

  test('gets the secret of its form once, in a cookie that no script reads', async () => {
    const shown = await ask(`${web.url}/console/login`);
    const [cookie = ''] = shown.headers['set-cookie'] ?? [];
    expect(cookie).toMatch(/^streamlit_host_form=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/);
    const again = await ask(`${web.url}/console/login`, { headers: { cookie: cookie.split(';')[0] ?? '' } });
    expect(again.headers['set-cookie']).toBeUndefined();
  });

  test('by a link asks first, unless the link was opened from outside of the browser', async () => {
    const eve = await member('eve@example.com');
    const link = (await as(eve, '/login-links', { method: 'POST' })).json.url as string;
    for (const site of ['cross-site', 'same-site', 'same-origin', '']) {
      const asked = await ask(link, { headers: site === '' ? {} : { 'sec-fetch-site': site } });
      expect([asked.status, asked.text]).toEqual([200, '<p>login /console/ as eve@example.com</p>']);
      expect(String(asked.headers['set-cookie'])).not.toContain('session');
    }
    const code = new URL(link).searchParams.get('code') ?? '';
    expect((await postForm('/console/login', { code })).headers['set-cookie']?.[0]).toContain('session=');
    const used = await postForm('/console/login', { code });
    expect([used.status, used.text]).toEqual([401, expect.stringContaining('already used')]);
    expect((await ask(link)).status).toBe(401);
  });

  test('gives a new session, and the one from before ends', async () => {
    const first = await member();
    const mine = { email: 'ada@example.com', password: PASSWORD };
    const answer = await postForm('/console/login', mine, { cookie: first.cookie });
    expect(answer.status).toBe(303);
    expect(answer.headers['set-cookie']?.[0]).not.toContain(first.cookie);
    expect((await as(first, '/me')).status).toBe(401);
  });
});

describe('an account', () => {
  test('tells who it is and what it may do', async () => {
    expect((await as(await member(), '/me')).json).toMatchObject({
      kind: 'person',
      name: 'ada@example.com',
      admin: false,
      user: { email: 'ada@example.com' },
      may: ['me', 'account', 'list', 'create'],
    });
    expect((await web.api('/me')).json).toMatchObject({ kind: 'token', name: 'admin', admin: true, user: null });
  });

  test('that is disabled is out at once, with its open streams', async () => {
    const ada = await member();
    const stream = as(ada, '/events');
    // The stream is open before the account is disabled, and its end is what resolves it.
    await expect.poll(() => web.apps.listeners).toBe(1);
    const changed = await web.api('/users/ada@example.com', json('PATCH', { disabled: true }));
    expect(changed.json).toMatchObject({ disabled: true });
    expect((await stream).text).toContain('event: snapshot');
    expect((await as(ada, '/me')).status).toBe(401);
    // Not even a session that was overlooked would speak for it.
    expect(web.people.principal(web.people.get('ada@example.com').id)).toBeUndefined();
    expect(await logIn('ada@example.com')).toBeUndefined();
    await web.api('/users/ada@example.com', json('PATCH', { disabled: false }));
    expect((await as(ada, '/me')).status, 'its old session').toBe(401);
    expect(await logIn('ada@example.com')).toBeDefined();
  });

  test('that becomes an admin logs in again for it', async () => {
    const ada = await member();
    await web.api('/users/ada@example.com', json('PATCH', { admin: true }));
    expect((await as(ada, '/me')).status).toBe(401);
    expect((await as((await logIn('ada@example.com')) as Browser, '/users')).status).toBe(200);
  });

  test('changes its own password with the old one, and its other sessions end', async () => {
    const ada = await member();
    const other = (await logIn('ada@example.com')) as Browser;
    const change = (current: string): Promise<Answer> =>
      as(ada, '/me/password', json('POST', { current, password: 'a new password' }));
    expect((await change('wrong')).json).toMatchObject({ status: 403, code: 'password-wrong' });
    expect((await as(other, '/me')).status).toBe(200);
    expect((await change(PASSWORD)).status).toBe(204);
    expect((await as(ada, '/me')).status).toBe(200);
    expect((await as(other, '/me')).status).toBe(401);
    expect(await logIn('ada@example.com')).toBeUndefined();
    expect(await logIn('ada@example.com', 'a new password')).toBeDefined();
  });

  test('does not tell its password to a session that guesses it', async () => {
    const ada = await member();
    const change = async (current: string): Promise<number> =>
      (await as(ada, '/me/password', json('POST', { current, password: 'a new password' }))).status;
    for (let count = 0; count < 20; count += 1) expect(await change(`guess ${count}`)).toBe(403);
    expect(await change(PASSWORD)).toBe(429);
    expect(await logIn('ada@example.com')).toBeDefined();
  });

  test('sees its sessions, and ends each; an admin ends all of them', async () => {
    const ada = await member();
    const other = (await logIn('ada@example.com')) as Browser;
    const eve = await member('eve@example.com');
    const { sessions } = (await as(ada, '/me/sessions')).json as { sessions: { id: string; current: boolean }[] };
    expect(sessions.map(({ current }) => current).sort()).toEqual([false, true]);
    const id = sessions.find(({ current }) => !current)?.id ?? '';
    expect((await as(eve, `/me/sessions/${id}`, { method: 'DELETE' })).json).toMatchObject({
      code: 'session-not-found',
    });
    expect((await as(ada, `/me/sessions/${id}`, { method: 'DELETE' })).status).toBe(204);
    expect([(await as(other, '/me')).status, (await as(ada, '/me')).status]).toEqual([401, 200]);
    expect((await as(eve, '/users/ada@example.com/sessions', { method: 'DELETE' })).status).toBe(403);
    expect((await web.api('/users/ada@example.com/sessions')).json.sessions).toHaveLength(1);
    expect((await web.api('/users/ada@example.com/sessions', { method: 'DELETE' })).status).toBe(204);
    expect([(await as(ada, '/me')).status, (await as(eve, '/me')).status]).toEqual([401, 200]);
  });

  test('gets a login link to itself, and not to the admin token', async () => {
    const link = (await as(await member(), '/login-links', { method: 'POST' })).json.url as string;
    const answer = await ask(link, { headers: { accept: 'text/html', ...OPENED } });
    const [cookie = ''] = answer.headers['set-cookie']?.[0]?.split(';') ?? [];
    expect(
      (
        await as({ cookie, csrf: '' }, '/me', {
          headers: { 'x-csrf-token': web.sessions.find(cookie.split('=')[1] ?? '')?.csrf ?? '' },
        })
      ).json,
    ).toMatchObject({
      user: { email: 'ada@example.com' },
      admin: false,
    });
  });
});

test('a role that is none is refused, and the last owner stays one', async () => {
  const ada = await member();
  await member('eve@example.com');
  expect((await as(ada, '/apps', json('POST', { name: 'Shop' }))).status).toBe(201);
  const give = (who: string, role: string) => as(ada, `/apps/shop/roles/${who}`, json('PUT', { role }));
  expect((await give('eve@example.com', 'boss')).json).toMatchObject({
    ...{ status: 422, code: 'field-invalid', field: 'role' },
    detail: '"role" must be one of "viewer", "developer", "owner".',
  });
  const detail = 'shop would have no owner. Make someone else an owner first.';
  const kept = { status: 409, code: 'last-owner', detail };
  expect((await give('ada@example.com', 'viewer')).json).toMatchObject(kept);
  expect((await as(ada, '/apps/shop/roles/ada@example.com', { method: 'DELETE' })).json).toMatchObject(kept);
  expect(web.apps.get('shop').app.roles).toEqual({ [`person:${web.people.get('ada@example.com').id}`]: 'owner' });
  expect((await give('eve@example.com', 'owner')).status).toBe(200);
  expect((await as(ada, '/apps/shop/roles/ada@example.com', { method: 'DELETE' })).status).toBe(204);
});

test('a token of another scope gets 403 with the scope that it lacks', async () => {
  const ada = await member();
  const made = await as(ada, '/me/tokens', json('POST', { name: 'reader', scope: 'read' }));
  const headers = { authorization: `Bearer ${String(made.json.token)}`, 'content-type': 'application/json' };
  const answer = await ask(`${web.url}/api/apps`, { method: 'POST', headers, body: JSON.stringify({ name: 'Shop' }) });
  expect(answer.json).toMatchObject({
    status: 403,
    detail: 'This token has the scope read, and this needs deploy. Create a token with that scope.',
  });
  expect(web.apps.list()).toEqual([]);
});

test('the last admin stays one', async () => {
  await member('ada@example.com', true);
  for (const change of [{ disabled: true }, { admin: false }]) {
    const answer = await web.api('/users/ada@example.com', json('PATCH', change));
    expect(answer.json).toMatchObject({ status: 409, code: 'last-admin' });
    expect(answer.json.detail).toContain('Make another account an admin first.');
  }
  await member('bob@example.com', true);
  expect((await web.api('/users/ada@example.com', json('PATCH', { admin: false }))).status).toBe(200);
});

describe('a member', () => {
  test('sees the apps they have a role in, and owns what they make', async () => {
    const ada = await member();
    web.apps.put(newApp('secret', 'Secret', new Date(0)));
    const made = await as(ada, '/apps', json('POST', { name: 'Shop' }));
    expect(made.status).toBe(201);
    expect(((await as(ada, '/apps')).json.apps as { id: string }[]).map(({ id }) => id)).toEqual(['shop']);
    expect(web.apps.get('shop').app.roles).toEqual({ [`person:${web.people.get('ada@example.com').id}`]: 'owner' });
    expect((await as(ada, '/apps/shop?confirm=shop', { method: 'DELETE' })).status).toBe(204);

    const bob = await member('bob@example.com');
    expect((await as(bob, '/apps')).json.apps).toEqual([]);
  });

  test('is told nothing about other apps in a stream of events', async () => {
    const ada = await member();
    web.apps.put(newApp('secret', 'Secret', new Date(0)));
    const stream = as(ada, '/events');
    await expect.poll(() => web.apps.listeners).toBe(1);
    web.apps.put({ ...web.apps.get('secret').app, description: 'changed' });
    await as(ada, '/apps', json('POST', { name: 'Shop' }));
    await web.apps.remove('secret');
    await web.apps.remove('shop');
    await expect.poll(() => web.apps.asked).toContain('remove shop');
    web.closing.abort();
    const { text } = await stream;
    expect(text).not.toContain('secret');
    expect(text).toContain('event: removed\ndata: {"id":"shop"}');
  });
});

describe('every call of the API', () => {
  const routes = everyRoute();
  const sent = (path: string): string =>
    path.replace('{id}', 'secret').replace('{n}', '1').replace('{path}', 'app.py').replace('{user}', 'bob@example.com');

  test('is one that the table knows', () => {
    expect(routes.length).toBeGreaterThan(40);
    for (const { method, path, can } of routes) {
      expect(Object.keys(verbs), `${method} ${path}`).toContain(can);
      expect(isAppVerb(can) ? path.includes('/apps/{id}') : true, `${method} ${path} names no app`).toBe(true);
    }
  });

  test('refuses a member what is for admins, and says that other apps do not exist', async () => {
    const eve = await member('eve@example.com');
    await member('bob@example.com');
    web.apps.put(newApp('secret', 'Secret', new Date(0)));
    for (const { method, path, can } of routes) {
      const own = (['me', 'account', 'list', 'create'] as Verb[]).includes(can);
      if (own) continue;
      const name = `${method} ${path}`;
      const answer = await as(eve, sent(path), { method: method.toUpperCase() });
      expect(answer.json, name).toMatchObject(
        isAppVerb(can) ? { status: 404, code: 'app-not-found' } : { status: 403, code: 'admin-only' },
      );
      if (isAppVerb(can)) {
        const none = await as(eve, sent(path).replace('secret', 'no-such-app'), { method: method.toUpperCase() });
        expect({ ...none.json, instance: '' }, name).toEqual(
          JSON.parse(JSON.stringify({ ...answer.json, instance: '' }).replaceAll('secret', 'no-such-app')),
        );
      }
    }
    expect(web.apps.asked).toEqual([]);
    expect(web.stopped).toEqual([]);
  });
});
