import { afterEach, describe, expect, test } from 'vitest';
import { adminToken } from '../../src/domain/access/principal.js';
import { totpCode } from '../../src/domain/access/totp.js';
import { Authenticator, type Said } from '../helpers/authenticator.js';
import { shownForm } from '../helpers/forms.js';
import { ask, startWeb, type Answer, type TestWeb } from '../helpers/web.js';

const PASSWORD = 'correct horse battery';
const EMAIL = 'ada@example.com';
const BY = adminToken('token');

let web: TestWeb;
let now = Date.now();
afterEach(() => web.close());

/** A browser, which keeps cookies. */
class Browser {
  readonly cookies = new Map<string, string>();
  /** What scripts of apps have planted for longer paths, which comes first. */
  planted = '';

  async get(path: string): Promise<Answer> {
    return this.#keep(await ask(`${web.url}${path}`, { headers: { cookie: this.#cookie() } }));
  }

  async post(path: string, fields: Record<string, string>): Promise<Answer> {
    const url = `${web.url}${path}`;
    this.cookies.delete('streamlit_host_form');
    return this.#keep(await ask(url, shownForm(url, fields, { cookie: this.#cookie() })));
  }

  get loggedIn(): boolean {
    return web.sessions.find(this.cookies.get('streamlit_host_session') ?? '') !== undefined;
  }

  logIn(next = '/console/'): Promise<Answer> {
    return this.post('/console/login', { email: EMAIL, password: PASSWORD, next });
  }

  #cookie(): string {
    return this.planted + [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  #keep(answer: Answer): Answer {
    for (const line of answer.headers['set-cookie'] ?? []) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return answer;
  }
}

async function start(options: { required?: boolean; base?: string } = {}): Promise<string> {
  now = 1_800_000_000_000;
  web = await startWeb({ ...options, now: () => now });
  return (await web.people.add({ email: EMAIL, password: PASSWORD }, BY)).account.id;
}

/** Starts with an account that has an app for codes. */
async function withApp(): Promise<{ code: () => string; codes: string[]; id: string }> {
  const id = await start();
  const key = await web.factors.setUp(id, 'test', PASSWORD);
  const codes = await web.factors.confirm(id, 'test', totpCode(key, now));
  now += 60_000;
  return { code: () => totpCode(key, now), codes, id };
}

async function audited(): Promise<string[]> {
  const { entries } = (await web.api('/audit')).json as { entries: { verb: string; what: string; result: string }[] };
  return entries.filter(({ verb }) => verb === 'login').map(({ what, result }) => `${what}: ${result}`);
}

describe('after the password', () => {
  test('a code of the app begins the session, at the page that was asked for', async () => {
    const { code } = await withApp();
    const browser = new Browser();
    const asked = await browser.logIn('/console/people?x=1');
    expect([asked.status, asked.headers.location]).toEqual([303, '/console/second']);
    expect(browser.cookies.has('streamlit_host_session')).toBe(false);
    expect((await browser.get('/console/')).headers.location).toMatch(/^\/console\/login/);
    expect((await browser.get('/console/second')).text).toContain('<p>code');
    const done = await browser.post('/console/second', { code: code() });
    expect([done.status, done.headers.location]).toEqual([303, '/console/people?x=1']);
    expect(browser.loggedIn).toBe(true);
    expect(browser.cookies.has('streamlit_host_second')).toBe(false);
    expect(await audited()).toEqual(['log in with a code: ok']);
  });

  test('works despite planted cookies of the same name', async () => {
    const { code } = await withApp();
    const browser = new Browser();
    await browser.logIn();
    browser.planted = `streamlit_host_second=x; streamlit_host_second=${'a'.repeat(43)}; `;
    expect((await browser.get('/console/second')).text).toContain('<p>code');
    expect((await browser.post('/console/second', { code: code() })).status).toBe(303);
    expect(browser.loggedIn).toBe(true);
  });

  test('of two unfinished logins in one browser, neither can be finished', async () => {
    const { code } = await withApp();
    const [browser, other] = [new Browser(), new Browser()];
    await browser.logIn();
    await other.logIn();
    browser.planted = `streamlit_host_second=${other.cookies.get('streamlit_host_second') ?? ''}; `;
    expect((await browser.post('/console/second', { code: code() })).status).toBe(410);
    expect(browser.loggedIn).toBe(false);
  });

  test('a recovery code does so once', async () => {
    const { codes } = await withApp();
    const [first, second] = [new Browser(), new Browser()];
    await first.logIn();
    await second.logIn();
    await first.post('/console/second', { code: codes[0] ?? '' });
    const again = await second.post('/console/second', { code: codes[0] ?? '' });
    expect([first.loggedIn, second.loggedIn, again.status]).toEqual([true, false, 403]);
  });

  test('a code that was used does not log in a second browser', async () => {
    const { code } = await withApp();
    const [first, second] = [new Browser(), new Browser()];
    await first.logIn();
    await second.logIn();
    await first.post('/console/second', { code: code() });
    expect((await second.post('/console/second', { code: code() })).status).toBe(403);
    expect(second.loggedIn).toBe(false);
  });

  test('wrong codes begin no session, are written down, and end the login after five', async () => {
    const { code } = await withApp();
    const browser = new Browser();
    await browser.logIn();
    const statuses: number[] = [];
    for (let count = 0; count < 5; count += 1)
      statuses.push((await browser.post('/console/second', { code: '000000' })).status);
    expect(statuses).toEqual([403, 403, 403, 403, 410]);
    expect((await browser.post('/console/second', { code: code() })).status).toBe(410);
    expect(browser.loggedIn).toBe(false);
    expect(await audited()).toEqual(Array.from({ length: 5 }, () => 'second factor: refused'));
  });

  test('codes cannot be guessed by beginning again and again', async () => {
    await withApp();
    const statuses = new Set<number>();
    for (let count = 0; count < 4; count += 1) {
      const browser = new Browser();
      await browser.logIn();
      for (let wrong = 0; wrong < 4; wrong += 1)
        statuses.add((await browser.post('/console/second', { code: '000000' })).status);
    }
    expect([...statuses]).toEqual([403, 429]);
  });

  test('the login belongs to the browser in which the password was typed', async () => {
    const { code } = await withApp();
    await new Browser().logIn();
    const another = new Browser();
    expect((await another.get('/console/second')).status).toBe(410);
    expect((await another.post('/console/second', { code: code() })).status).toBe(410);
    expect(another.loggedIn).toBe(false);
  });

  test('the login is used once, and ends with the password', async () => {
    const { code, codes, id } = await withApp();
    const browser = new Browser();
    await browser.logIn();
    const half = browser.cookies.get('streamlit_host_second') ?? '';
    await browser.post('/console/second', { code: code() });
    const replayed = new Browser();
    replayed.cookies.set('streamlit_host_second', half);
    expect((await replayed.post('/console/second', { code: codes[0] ?? '' })).status).toBe(410);
    const late = new Browser();
    await late.logIn();
    await web.people.changePassword(id, PASSWORD, 'another long password');
    expect((await late.post('/console/second', { code: codes[1] ?? '' })).status).toBe(410);
    expect([replayed.loggedIn, late.loggedIn]).toEqual([false, false]);
  });

  test('a reset link asks for the second factor as well', async () => {
    const { code } = await withApp();
    const { code: link } = await web.people.reset(EMAIL, BY);
    const browser = new Browser();
    const joined = await browser.post('/console/join', { code: link, password: 'another long password' });
    expect([joined.headers.location, browser.loggedIn]).toEqual(['/console/second', false]);
    await browser.post('/console/second', { code: code() });
    expect(browser.loggedIn).toBe(true);
  });

  test('a browser that is logged in to another account stays so', async () => {
    const { code } = await withApp();
    await web.people.add({ email: 'bob@example.com', password: PASSWORD }, BY);
    const browser = new Browser();
    await browser.logIn();
    const bob = new Browser();
    await bob.post('/console/login', { email: 'bob@example.com', password: PASSWORD });
    browser.cookies.set('streamlit_host_session', bob.cookies.get('streamlit_host_session') ?? '');
    expect((await browser.post('/console/second', { code: code() })).status).toBe(409);
    expect((await bob.logIn()).status).toBe(409);
  });

  test("an app's script is answered nothing", async () => {
    const { code } = await withApp();
    const browser = new Browser();
    await browser.logIn();
    const cookie = `streamlit_host_second=${browser.cookies.get('streamlit_host_second') ?? ''}`;
    const headers = {
      ...{ cookie, origin: web.url, 'content-type': 'application/x-www-form-urlencoded' },
      ...{ 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', 'sec-fetch-site': 'same-origin' },
    };
    const answer = await ask(`${web.url}/console/second`, { method: 'POST', headers, body: `code=${code()}` });
    expect(answer.status).toBe(403);
    expect(answer.headers['set-cookie']).toBeUndefined();
  });
});

describe('a passkey', () => {
  const BASE = 'http://localhost:PORT';
  /** What a page asks of passkeys. */
  const asked = ({ text }: Answer): string => /\{"[^]*\}/.exec(text)?.[0] ?? '';
  const lastLogin = (id: string): string | undefined => web.people.get(id).lastLoginAt;

  /** Starts with an account that has a passkey. */
  async function withPasskey(): Promise<{ id: string; device: Authenticator }> {
    const id = await start({ base: BASE });
    const device = new Authenticator(web.base());
    const ticket = web.passkeys.ticket([]);
    const options = await web.passkeys.registration(id, { ticket, place: 'test', password: PASSWORD });
    await web.passkeys.register(id, {
      tickets: [ticket],
      place: 'test',
      name: 'phone',
      answer: device.create(options),
    });
    return { id, device };
  }

  test('begins the session after the password, and only then is it a login', async () => {
    const { id, device } = await withPasskey();
    const browser = new Browser();
    await browser.logIn('/console/people');
    const response = device.get(asked(await browser.get('/console/second')));
    expect([browser.loggedIn, lastLogin(id)]).toEqual([false, undefined]);
    const done = await browser.post('/console/second/passkey', { response });
    expect([done.status, done.headers.location]).toEqual([303, '/console/people']);
    expect([browser.loggedIn, lastLogin(id)]).toEqual([true, expect.any(String)]);
    expect(await audited()).toEqual(['log in with a password and a passkey: ok']);
    expect((await new Browser().post('/console/second/passkey', { response })).status).toBe(410);
  });

  test('of another origin begins none, and ends the login after 5 tries', async () => {
    const { device } = await withPasskey();
    const browser = new Browser();
    await browser.logIn();
    const origin = 'https://evil.example';
    for (let count = 1; count <= 5; count += 1) {
      const response = device.get(asked(await browser.get('/console/second')), { origin });
      const answer = await browser.post('/console/second/passkey', { response });
      expect(answer.status).toBe(count < 5 ? 403 : 410);
    }
    expect(browser.loggedIn).toBe(false);
  });

  test('works despite planted cookies of the same name, even with a ticket of another browser', async () => {
    const { device } = await withPasskey();
    const [browser, author] = [new Browser(), new Browser()];
    await author.get('/console/login');
    const response = device.get(asked(await browser.get('/console/login')));
    browser.planted = `streamlit_host_passkey=x; streamlit_host_passkey=${author.cookies.get('streamlit_host_passkey') ?? ''}; `;
    expect((await browser.post('/console/passkey', { response })).status).toBe(303);
    expect(browser.loggedIn).toBe(true);
  });

  test('logs in without the password, once for each page', async () => {
    const { id, device } = await withPasskey();
    const [browser, thief] = [new Browser(), new Browser()];
    const page = await browser.get('/console/login?next=/console/people');
    const response = device.get(asked(page));
    // The page has several forms, whose tokens fit one cookie.
    expect(page.headers['set-cookie']?.filter((line) => line.startsWith('streamlit_host_form='))).toHaveLength(1);
    // What it says belongs to the browser that was asked.
    expect((await thief.post('/console/passkey', { response })).status).toBe(403);
    const done = await browser.post('/console/passkey', { response, next: '/console/people' });
    expect([done.status, done.headers.location]).toEqual([303, '/console/people']);
    expect([browser.loggedIn, lastLogin(id)]).toEqual([true, expect.any(String)]);
    browser.cookies.delete('streamlit_host_session');
    expect((await browser.post('/console/passkey', { response })).text).toContain('This request has expired.');
    expect(browser.loggedIn).toBe(false);
    expect(await audited()).toContain('log in with a passkey: ok');
  });

  test.each<[string, Said]>([
    ['that has not checked its person', { verified: false }],
    ['of another origin', { origin: 'https://evil.example' }],
  ])('%s logs nobody in without the password', async (_, said) => {
    const { device } = await withPasskey();
    const browser = new Browser();
    const response = device.get(asked(await browser.get('/console/login')), said);
    const answer = await browser.post('/console/passkey', { response });
    expect([answer.status, browser.loggedIn]).toEqual([403, false]);
    expect(answer.text).toContain('This passkey was not accepted.');
    expect(await audited()).toEqual(['log in with a passkey: refused']);
  });

  test('is not asked for where nobody has one, or browsers have none', async () => {
    await start({ base: BASE });
    expect(asked(await new Browser().get('/console/login'))).toBe('');
    await web.close();
    await withPasskey();
    expect(asked(await new Browser().get('/console/login'))).toContain('"rpId":"localhost"');
  });

  test('is set up before the session begins by who must have a second factor', async () => {
    const id = await start({ base: BASE, required: true });
    const device = new Authenticator(web.base());
    const [browser, late] = [new Browser(), new Browser()];
    await browser.logIn();
    await late.logIn();
    const response = device.create(asked(await browser.get('/console/second')));
    const other = new Authenticator(web.base()).create(asked(await late.get('/console/second')));
    expect((await late.post('/console/second/new-passkey', { response })).status).toBe(403);
    expect([browser.loggedIn, lastLogin(id)]).toEqual([false, undefined]);
    const done = await browser.post('/console/second/new-passkey', { response });
    expect(done.text).toMatch(/<p>codes ([2-9a-z-]{19} ?){10}/);
    expect([browser.loggedIn, lastLogin(id)]).toEqual([true, expect.any(String)]);
    expect((await late.post('/console/second/new-passkey', { response: other })).status).toBe(409);
    expect(late.loggedIn).toBe(false);
    expect((await web.factors.of(id)).passkeys).toHaveLength(1);
  });
});

describe('without a second factor', () => {
  test('a person who must have one sets it up before the session begins, and gets recovery codes', async () => {
    const id = await start({ required: true });
    const browser = new Browser();
    expect((await browser.logIn('/console/account')).headers.location).toBe('/console/second');
    const { text } = await browser.get('/console/second');
    const [, key = ''] = /<p>set-up ([A-Z2-7]{32}) /.exec(text) ?? [];
    expect((await browser.post('/console/second', { code: totpCode(key, now) })).text).toContain('set-up');
    expect((await browser.post('/console/second/set-up', { code: '000000' })).text).toContain(`set-up ${key} Wrong`);
    expect(browser.loggedIn).toBe(false);
    const done = await browser.post('/console/second/set-up', { code: totpCode(key, now) });
    expect(done.text).toMatch(/<p>codes ([2-9a-z-]{19} ?){10}/);
    expect(browser.loggedIn).toBe(true);
    expect(await web.factors.neededBy(id)).toBe('factor');
  });

  test('nobody sets up another one in place of the first', async () => {
    const { code } = await withApp();
    const browser = new Browser();
    await browser.logIn();
    const answer = await browser.post('/console/second/set-up', { code: code() });
    expect(answer.status).toBe(409);
    expect(browser.loggedIn).toBe(false);
  });

  test('the admin token and a login link work as before', async () => {
    const id = await start({ required: true });
    const admin = new Browser();
    await admin.post('/console/login', { token: 'the-token-of-these-tests' });
    expect(admin.loggedIn).toBe(true);
    const { code } = web.sessions.makeCode({ name: EMAIL, account: id });
    const link = new Browser();
    await link.post('/console/login', { code });
    expect(link.loggedIn).toBe(true);
  });

  test('a login whose factor was reset in the meantime continues', async () => {
    await withApp();
    const browser = new Browser();
    await browser.logIn();
    await web.factors.reset(EMAIL);
    expect((await browser.get('/console/second')).headers.location).toBe('/console/');
    expect(browser.loggedIn).toBe(true);
  });
});

describe('the API', () => {
  const json = (method: string, body?: object) => ({
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

  test('sets up, shows and removes one, with the password', async () => {
    const id = await start();
    const { secret } = await web.tokens.make(id, { name: 'laptop', scope: 'manage' });
    const mine = (path: string, method = 'GET', body?: object): Promise<Answer> =>
      ask(`${web.url}/api/me/second-factor${path}`, {
        ...json(method, body),
        headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      });
    expect((await mine('/app', 'POST', { password: 'wrong' })).json).toMatchObject({ code: 'password-wrong' });
    const { key, uri } = (await mine('/app', 'POST', { password: PASSWORD })).json as { key: string; uri: string };
    expect(uri).toContain(`secret=${key}`);
    expect((await mine('/app/confirm', 'POST', { code: '000000' })).json).toMatchObject({
      code: 'second-factor-wrong',
    });
    const made = await mine('/app/confirm', 'POST', { code: totpCode(key, now) });
    expect(made.json.recovery_codes).toHaveLength(10);
    const shown = await mine('');
    expect(shown.json).toMatchObject({ required: false, passkeys: [], recovery_codes: 10 });
    expect(shown.text).not.toContain(key);
    expect((await mine('/recovery-codes', 'POST', { password: PASSWORD })).json.recovery_codes).not.toEqual(
      made.json.recovery_codes,
    );
    expect((await mine('/app/remove', 'POST', { password: PASSWORD })).status).toBe(204);
    expect((await mine('')).json).toMatchObject({ app_since: null, recovery_codes: 0 });
  });

  test('lets an admin require one of an account, and reset it', async () => {
    const { id } = await withApp();
    const change = await web.api(`/users/${EMAIL}`, json('PATCH', { second_factor_required: true }));
    expect(change.json).toMatchObject({ second_factor_required: true });
    expect((await web.api(`/users/${EMAIL}/second-factor`)).json).toMatchObject({ required: true });
    expect((await web.api(`/users/${EMAIL}/second-factor`, { method: 'DELETE' })).status).toBe(204);
    expect(await web.factors.neededBy(id)).toBe('set-up');
    const { entries } = (await web.api('/audit')).json as { entries: { about?: string }[] };
    expect(entries.map(({ about }) => about)).toEqual(
      expect.arrayContaining([`${EMAIL}, second factor required`, `${EMAIL}, second factor reset`]),
    );
  });
});
