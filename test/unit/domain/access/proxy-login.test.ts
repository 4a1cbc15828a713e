import { describe, expect, test } from 'vitest';
import { personIn, readProxyLogin, type ProxyLogin } from '../../../../src/domain/access/proxy-login.js';

const ELSEWHERE = { any: true, local: false };
const ONE = { PROXY_LOGIN_EMAIL_HEADER: 'X-Forwarded-Email' };

function read(
  settings: Record<string, string>,
  proxies = ELSEWHERE,
): { login: ProxyLogin | undefined; mistakes: string[] } {
  return readProxyLogin((name) => settings[name], proxies);
}

describe('the settings of the login by a proxy', () => {
  test('turn it on by naming the header with the email address', () => {
    expect(read({})).toEqual({ login: undefined, mistakes: [] });
    expect(read({ PROXY_LOGIN_NAME_HEADER: 'X-Name' }, { any: false, local: false })).toEqual({
      login: undefined,
      mistakes: [],
    });
    expect(read(ONE)).toEqual({
      mistakes: [],
      login: {
        ...{ name: 'single sign-on', secret: undefined, logoutUrl: undefined, trustsEmail: true },
        headers: { email: 'x-forwarded-email', name: undefined, groups: undefined },
        ...{ domains: [], groups: [], adminGroup: undefined, creates: true },
      },
    });
    const all = {
      ...{ ...ONE, PROXY_LOGIN_NAME_HEADER: 'Remote-Name', PROXY_LOGIN_GROUPS_HEADER: 'Remote-Groups' },
      ...{ PROXY_LOGIN_NAME: 'Example', PROXY_LOGIN_DOMAINS: '@Example.com', PROXY_LOGIN_GROUPS: 'staff, ops' },
      ...{ PROXY_LOGIN_ADMIN_GROUP: 'Ops', PROXY_LOGIN_ACCOUNTS: 'invited' },
      ...{ PROXY_LOGIN_LOGOUT_URL: '/oauth2/sign_out', PROXY_LOGIN_SECRET: 'a-secret-of-the-proxy' },
    };
    expect(read(all, { any: true, local: true })).toEqual({
      mistakes: [],
      login: {
        ...{ name: 'Example', secret: 'a-secret-of-the-proxy', logoutUrl: '/oauth2/sign_out', trustsEmail: true },
        headers: { email: 'x-forwarded-email', name: 'remote-name', groups: 'remote-groups' },
        ...{ domains: ['example.com'], groups: ['staff', 'ops'], adminGroup: 'ops', creates: false },
      },
    });
  });

  test('need a trusted proxy, and its secret where apps can connect from its address', () => {
    expect(read(ONE, { any: false, local: false })).toEqual({
      login: undefined,
      mistakes: [
        'STREAMLIT_HOST_PROXY_LOGIN_EMAIL_HEADER needs STREAMLIT_HOST_TRUSTED_PROXIES, the addresses of the proxies that may send it.',
      ],
    });
    const here = { any: true, local: true };
    expect(read(ONE, here)).toEqual({
      login: undefined,
      mistakes: [expect.stringMatching(/^STREAMLIT_HOST_PROXY_LOGIN_SECRET must be set, because apps can connect/)],
    });
    expect(read({ ...ONE, PROXY_LOGIN_SECRET: 'none' }, here).login).toMatchObject({ secret: undefined });
  });

  test.each([
    [{ PROXY_LOGIN_EMAIL_HEADER: 'Cookie' }, 'EMAIL_HEADER cannot be cookie.'],
    [{ PROXY_LOGIN_EMAIL_HEADER: 'X-Forwarded-For' }, 'EMAIL_HEADER cannot be x-forwarded-for.'],
    [{ PROXY_LOGIN_EMAIL_HEADER: 'X-Streamlit-Host-Email' }, 'EMAIL_HEADER cannot be x-streamlit-host-email.'],
    [{ ...ONE, PROXY_LOGIN_NAME_HEADER: 'a b' }, 'NAME_HEADER cannot be a b.'],
    [{ ...ONE, PROXY_LOGIN_ADMIN_GROUP: 'ops' }, 'GROUPS_HEADER must be set to use'],
    [{ ...ONE, PROXY_LOGIN_ACCOUNTS: 'all' }, 'ACCOUNTS must be create or invited (found all).'],
    [{ ...ONE, PROXY_LOGIN_SECRET: 'short' }, 'SECRET must be "none" or 16 to 256 printable characters'],
    [{ ...ONE, PROXY_LOGIN_LOGOUT_URL: 'javascript:alert(1)' }, 'LOGOUT_URL must be a URL, or a path'],
    [{ ...ONE, PROXY_LOGIN_LOGOUT_URL: '//elsewhere.example' }, 'LOGOUT_URL must be a URL, or a path'],
  ])('that are wrong are named (%j)', (settings, sentence) => {
    const { login, mistakes } = read(settings);
    expect(login).toBeUndefined();
    expect(mistakes).toEqual([expect.stringContaining(`STREAMLIT_HOST_PROXY_LOGIN_${sentence}`)]);
  });
});

describe('whom the headers of a proxy name', () => {
  const headers = { email: 'x-forwarded-email', name: 'x-name', groups: 'x-groups' };
  const bytes = (text: string): string => Buffer.from(text).toString('latin1');

  test('is a person with an email address, a name and groups', () => {
    const raw = ['Host', 'x', 'X-Forwarded-EMAIL', ' Ada@Example.com ', 'x-name', bytes('Ada Løvelace 愛')];
    const ada = { issuer: 'trusted-proxy', subject: undefined, email: 'ada@example.com', emailVerified: undefined };
    expect(personIn([...raw, 'X-Groups', 'Sales, North East|ops;sales'], { headers })).toEqual({
      ...ada,
      ...{ name: 'Ada Løvelace 愛', groups: ['sales', 'north-east', 'ops'] },
    });
    expect(personIn(raw, { headers: { ...headers, name: undefined, groups: undefined } })).toEqual({
      ...ada,
      ...{ name: undefined, groups: undefined },
    });
    // No header is no group: nobody keeps those that the proxy does not name any more.
    expect(personIn(raw, { headers })).toMatchObject({ groups: [] });
    expect(personIn([...raw.slice(0, 4), 'X-Name', 'Ad\xe9'], { headers })).toMatchObject({ name: '' });
  });

  test('is nobody without the header', () => {
    expect(personIn([], { headers })).toBeUndefined();
    expect(personIn(['X-Name', 'Ada', 'X-Groups', 'ops'], { headers })).toBeUndefined();
    expect(personIn(['X-Forwarded-Email', ''], { headers })).toBeUndefined();
  });

  test.each([
    ['a name instead of an address', ['X-Forwarded-Email', 'ada'], 'X-Forwarded-Email'],
    ['two addresses', ['X-Forwarded-Email', 'ada@example.com, eve@example.com'], 'X-Forwarded-Email'],
    ['letters that only look like others', ['X-Forwarded-Email', bytes('аda@example.com')], 'X-Forwarded-Email'],
    ['the header twice', ['X-Forwarded-Email', 'a@b.c', 'x-forwarded-email', 'a@b.c'], 'X-Forwarded-Email'],
    ['the groups twice', ['X-Forwarded-Email', 'a@b.c', 'X-Groups', '', 'x-groups', 'ops'], 'X-Groups'],
    ['the name twice', ['X-Forwarded-Email', 'a@b.c', 'X-Name', 'A', 'x-name', 'B'], 'X-Name'],
    ['groups beyond ASCII', ['X-Forwarded-Email', 'a@b.c', 'X-Groups', bytes('ops\u212a')], 'X-Groups'],
  ])('is refused with %s', (_what, raw, name) => {
    expect(() => personIn(raw, { headers })).toThrow(
      `The proxy in front of this server sent no valid ${name} header. Ask an admin of this server.`,
    );
  });
});
