import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { adminToken } from '../../src/domain/access/principal.js';
import { newApp } from '../../src/domain/app/app.js';
import type { Provider } from '../../src/domain/access/provider.js';
import { Providers } from '../../src/host/providers.js';
import { OidcProvider } from '../helpers/oidc.js';
import { ask, startWeb, type Answer, type TestWeb } from '../helpers/web.js';
import { shownForm } from '../helpers/forms.js';

const PASSWORD = 'correct horse battery';
const ADA = { email: 'ada@example.com', email_verified: true, name: 'Ada Lovelace' };
const PAGE = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', accept: 'text/html' };

let web: TestWeb;
let company: OidcProvider;
let setting: Provider;
let warned: unknown[];

beforeEach(async () => {
  const providers: Provider[] = [];
  warned = [];
  web = await startWeb({
    providers: new Providers({ providers, warn: (...what) => void warned.push(what), limitMs: 2_000 }),
  });
  company = await OidcProvider.start({ ada: { ...ADA } });
  company.serve(web.url);
  setting = {
    ...{ id: 'oidc', name: 'Company', issuer: company.url, clientId: 'streamlit-host' },
    ...{ clientSecret: 'a-secret-of-the-tests', scopes: 'openid profile email', groupsClaim: undefined },
    ...{ domains: [], groups: [], adminGroup: undefined, creates: true, trustsEmail: false },
  };
  providers.push(setting);
});
afterEach(async () => {
  await company.close();
  await web.close();
});

/** A browser that follows redirects and keeps cookies, of which both servers get all: they differ in their port alone. */
class Browser {
  readonly cookies = new Map<string, string>();
  /** What scripts of apps have planted for longer paths, which comes first. */
  planted = '';
  /** Where it has been, the last one first. */
  readonly visited: string[] = [];

  async open(url: string): Promise<Answer> {
    this.visited.unshift(url);
    const cookie = this.planted + [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await ask(url, { headers: { ...PAGE, ...(cookie === '' ? {} : { cookie }) } });
    for (const one of answer.headers['set-cookie'] ?? []) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(one) ?? [];
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return answer;
  }

  /** Follows redirects to where `until` says, or to the end. */
  async follow(url: string, until: (url: string) => boolean = () => false): Promise<Answer> {
    let answer = await this.open(url);
    while (answer.headers.location !== undefined) {
      const next = new URL(answer.headers.location, this.visited[0]).href;
      if (until(next)) return answer;
      answer = await this.open(next);
    }
    return answer;
  }

  /** Logs in with the provider, and stops at the page that it leads to. */
  async logIn(name: string, next = '/console/'): Promise<Answer> {
    const there = `${web.url}/console/login/oidc?next=${encodeURIComponent(next)}`;
    await this.follow(there);
    const form = this.visited[0] ?? '';
    return this.follow(`${form}?name=${name}`, (url) => url.startsWith(web.url) && !url.includes('/callback'));
  }

  /** Who it is logged in as; undefined where it is not. */
  async who(): Promise<unknown> {
    const session = this.cookies.get('streamlit_host_session') ?? '';
    const headers = {
      cookie: `streamlit_host_session=${session}`,
      'x-csrf-token': web.sessions.find(session)?.csrf ?? 'none',
    };
    return (await ask(`${web.url}/api/me`, { headers })).json.name;
  }
}

/** A login that is refused: what the person reads, with its status. */
async function refused(name: string, browser = new Browser()): Promise<string> {
  const answer = await browser.logIn(name);
  expect(await browser.who()).toBeUndefined();
  expect(answer.text).not.toMatch(/\bat .*:\d+/);
  return `${answer.status} ${answer.text.replace(/^<p>login \S* |<\/p>$/g, '')}`;
}

describe('a login with a provider', () => {
  test('makes an account at the first time, and leads back to the exact page', async () => {
    web.apps.put({ ...newApp('shop', 'Shop', new Date(0)), opens: 'signed-in' });
    const browser = new Browser();
    const next = '/apps/shop/some/page?x=1&y=%20';
    const answer = await browser.logIn('ada', next);
    expect([answer.status, answer.headers.location]).toEqual([303, next]);
    expect(await browser.who()).toBe('ada@example.com');
    const account = web.people.get('ada@example.com');
    expect(account).toMatchObject({ name: 'Ada Lovelace', admin: false, groups: [] });
    expect(account.logins).toEqual([{ issuer: company.url, subject: 'ada' }]);
    expect(browser.cookies.has('streamlit_host_login')).toBe(false);
    expect((await web.api('/users')).json.users).toMatchObject([{ invited: false }]);

    // It is the same person later, whatever their address is by then.
    company.persons.ada = { ...ADA, email: 'king@example.com', email_verified: false };
    const again = new Browser();
    await again.logIn('ada');
    expect(await again.who()).toBe('ada@example.com');
    expect(web.people.list()).toHaveLength(1);
  });

  test('works despite planted cookies of the same name', async () => {
    const browser = new Browser();
    const leave = { provider: 'oidc', state: 'a', nonce: 'b', verifier: 'c', next: '/console/people' };
    for (const text of ['x', JSON.stringify(leave)])
      browser.planted += `streamlit_host_login=${Buffer.from(text).toString('base64url')}; `;
    const answer = await browser.logIn('ada', '/console/account');
    expect([answer.status, answer.headers.location]).toEqual([303, '/console/account']);
    expect(await browser.who()).toBe('ada@example.com');
  });

  test('asks with PKCE, a state and a nonce', async () => {
    const answer = await ask(`${web.url}/console/login/oidc`, { headers: PAGE });
    const asked = Object.fromEntries(new URL(answer.headers.location ?? '').searchParams);
    expect(asked).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      scope: 'openid profile email',
    });
    for (const name of ['state', 'nonce', 'code_challenge']) expect(asked[name]).toMatch(/^[\w-]{43}$/);
    expect(answer.headers['set-cookie']?.[0]).toMatch(/; HttpOnly; SameSite=Lax; Max-Age=900$/);
  });

  test('is for the account that an admin has invited, whose password stays valid', async () => {
    await web.people.add({ email: 'ada@example.com', password: PASSWORD, groups: ['north'] }, adminToken('token'));
    const browser = new Browser();
    await browser.logIn('ada');
    expect(await browser.who()).toBe('ada@example.com');
    expect(web.people.list()).toMatchObject([{ groups: ['north'] }]);
    expect(await web.people.logIn('ada@example.com', PASSWORD)).toBeDefined();
  });

  test.each([[false], [undefined], ['false']])(
    'does not take over an account with an address that is not verified (%s)',
    async (verified) => {
      await web.people.add({ email: 'ada@example.com', password: PASSWORD }, adminToken('token'));
      company.persons.eve = { email: 'ada@example.com', email_verified: verified };
      expect(await refused('eve')).toContain('403 Company has not verified your email address, ada@example.com.');
      company.persons.eve = { email: 'boss@example.com', email_verified: verified };
      expect(await refused('eve')).toContain('403 Company has not verified');
      expect(web.people.list()).toMatchObject([{ email: 'ada@example.com' }]);
      expect(web.people.get('ada@example.com').logins).toBeUndefined();
    },
  );

  test('trusts the addresses of a provider that does not say, where the settings do', async () => {
    setting.trustsEmail = true;
    company.persons.ada = { email: 'ada@example.com' };
    const browser = new Browser();
    await browser.logIn('ada');
    expect(await browser.who()).toBe('ada@example.com');
    company.persons.eve = { email: 'eve@example.com', email_verified: false };
    expect(await refused('eve')).toContain('not verified');
  });

  test('needs an email address', async () => {
    company.persons.ada = { name: 'Ada' };
    expect(await refused('ada')).toBe(
      '403 Your Company account has no email address. Ask an admin of Company to add one.',
    );
  });

  test('is for whom the settings allow', async () => {
    setting.domains = ['example.org'];
    expect(await refused('ada')).toContain('403 Your Company account, ada@example.com, is not allowed on this server.');
    Object.assign(setting, { domains: [], groups: ['staff'], groupsClaim: 'groups' });
    company.persons.ada = { ...ADA, groups: ['guests'] };
    expect(await refused('ada')).toContain('is not allowed');
    Object.assign(setting, { groups: [], creates: false });
    expect(await refused('ada')).toContain('403 There is no account for ada@example.com on this server');
    expect(web.people.list()).toEqual([]);
    await web.people.add({ email: 'ada@example.com' }, adminToken('token'));
    await web.people.change('ada@example.com', { disabled: true });
    expect(await refused('ada')).toContain('409 The account ada@example.com is disabled.');
    await web.people.change('ada@example.com', { disabled: false });
    const browser = new Browser();
    await browser.logIn('ada');
    expect(await browser.who()).toBe('ada@example.com');
  });

  test('takes groups and admins from the provider each time, and the last admin stays one', async () => {
    Object.assign(setting, { groupsClaim: 'groups', adminGroup: 'ops' });
    company.persons.ada = { ...ADA, groups: ['Sales Team', 'ops', '??'] };
    const browser = new Browser();
    await browser.logIn('ada');
    expect(web.people.list()).toMatchObject([{ admin: true, groups: ['sales-team', 'ops'] }]);
    company.persons.ada = { ...ADA };
    await new Browser().logIn('ada');
    expect(web.people.list()).toMatchObject([{ admin: true, groups: [] }]);
    await web.people.add({ email: 'bob@example.com', password: PASSWORD, admin: true }, adminToken('token'));
    await new Browser().logIn('ada');
    expect(web.people.get('ada@example.com')).toMatchObject({ admin: false });
    // A session from before neither keeps nor gains rights.
    expect(await browser.who()).toBeUndefined();
  });

  test('works after the provider has replaced its keys', async () => {
    await new Browser().logIn('ada');
    company.rotate();
    const browser = new Browser();
    await browser.logIn('ada');
    expect(await browser.who()).toBe('ada@example.com');
  });
});

describe('a login with a provider is refused', () => {
  const now = (): number => Math.floor(Date.now() / 1_000);
  const INVALID = '403 The login with Company failed, because its answer is not valid.';

  test.each<[string, (claims: Record<string, unknown>) => Record<string, unknown>]>([
    ['has expired', (claims) => ({ ...claims, iat: now() - 7_200, exp: now() - 3_600 })],
    ['is for another audience', (claims) => ({ ...claims, aud: 'another' })],
    ['is of another issuer', (claims) => ({ ...claims, iss: 'https://evil.example' })],
    ['is for another login', (claims) => ({ ...claims, nonce: 'another' })],
    ['names nobody', ({ sub: _, ...claims }) => claims],
  ])('with a token that %s', async (_, forge) => {
    company.forge = forge;
    expect(await refused('ada')).toContain(INVALID);
    expect(web.people.list()).toEqual([]);
    expect(JSON.stringify(warned)).not.toMatch(/eyJ|code=|a-secret/);
    expect(warned).toHaveLength(1);
  });

  test('with a token that was signed with another key', async () => {
    company.foreign = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    expect(await refused('ada')).toContain(INVALID);
    expect(web.people.list()).toEqual([]);
  });

  test('with a wrong secret', async () => {
    setting.clientSecret = 'wrong';
    expect(await refused('ada')).toContain(INVALID);
    expect(JSON.stringify(warned)).toContain('invalid_client');
  });

  test('where the person does not go through with it', async () => {
    expect(await refused('')).toBe('403 Company did not log you in. Try again, or use another account.');
  });

  test('in a browser that did not begin it, or a second time', async () => {
    const eve = new Browser();
    await eve.follow(`${web.url}/console/login/oidc`);
    const form = eve.visited[0] ?? '';
    const stopped = await eve.follow(`${form}?name=ada`, (url) => url.includes('/callback'));
    const callback = stopped.headers.location ?? '';
    // The victim follows a link of the attacker's, also in the middle of a login of their own.
    const victim = new Browser();
    expect((await victim.open(callback)).text).toContain('has expired, or began in another tab');
    await victim.follow(`${web.url}/console/login/oidc`);
    expect((await victim.open(callback)).text).toContain('has expired, or began in another tab');
    // The provider was not asked, so the code is still the attacker's alone.
    expect(warned).toEqual([]);
    expect(await victim.who()).toBeUndefined();
    expect((await eve.open(callback)).status).toBe(303);
    expect((await eve.open(callback)).status).toBe(403);
  });

  test('while the provider is away, when passwords still work', async () => {
    await web.people.add({ email: 'ada@example.com', password: PASSWORD }, adminToken('token'));
    const browser = new Browser();
    await browser.follow(`${web.url}/console/login/oidc`);
    await company.close();
    const callback = `${web.url}/console/login/oidc/callback?code=x&iss=${encodeURIComponent(company.url)}`;
    const state = JSON.parse(
      Buffer.from(browser.cookies.get('streamlit_host_login') ?? '', 'base64url').toString(),
    ) as { state: string };
    const away = '<p>login /console/ Company could not be reached. Try again later, or log in another way.</p>';
    const answer = await browser.open(`${callback}&state=${state.state}`);
    expect([answer.status, answer.text]).toEqual([503, away]);
    const url = `${web.url}/console/login`;
    const login = await ask(url, shownForm(url, { email: 'ada@example.com', password: PASSWORD }));
    expect(login.status).toBe(303);
  });

  test('where someone else is logged in already', async () => {
    const browser = new Browser();
    await browser.follow(`${web.url}/console/login/oidc`);
    const form = browser.visited[0] ?? '';
    await web.people.add({ email: 'bob@example.com', password: PASSWORD }, adminToken('token'));
    const bob = await web.sessions.begin({ name: 'bob', account: web.people.get('bob@example.com').id });
    browser.cookies.set('streamlit_host_session', bob);
    const answer = await browser.follow(`${form}?name=ada`);
    expect([answer.status, answer.text]).toEqual([
      409,
      expect.stringContaining('already logged in as bob@example.com'),
    ]);
    expect(await browser.who()).toBe('bob@example.com');
  });

  test('by a script, and for an unknown provider', async () => {
    const script = { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' };
    expect((await ask(`${web.url}/console/login/oidc`, { headers: script })).status).toBe(403);
    expect((await ask(`${web.url}/console/login/other`, { headers: PAGE })).status).toBe(404);
  });
});

test('a logout leads out of the provider as well', async () => {
  const browser = new Browser();
  await browser.logIn('ada');
  const session = browser.cookies.get('streamlit_host_session') ?? '';
  const answer = await ask(`${web.url}/console/logout`, {
    method: 'POST',
    headers: {
      ...PAGE,
      origin: web.url,
      cookie: `streamlit_host_session=${session}`,
      'x-csrf-token': web.sessions.find(session)?.csrf ?? '',
    },
  });
  expect([answer.status, answer.headers.location]).toEqual([303, '/console/login?left=oidc']);
  expect(await browser.who()).toBeUndefined();
  const out = await ask(`${web.url}/console/login/oidc/logout`, { headers: PAGE });
  const url = new URL(out.headers.location ?? '');
  expect([url.origin, url.searchParams.get('post_logout_redirect_uri')]).toEqual([
    company.url,
    `${web.url}/console/login`,
  ]);
  expect((await browser.open(url.href)).status).toBe(200);
});
