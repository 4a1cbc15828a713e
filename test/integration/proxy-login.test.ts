import { request } from 'node:https';
import { beforeAll, describe, expect, test } from 'vitest';
import { startHost, TOKEN, type TestHost } from '../helpers/host.js';
import { startNginx } from '../helpers/nginx.js';
import { portRange } from '../helpers/ports.js';
import { Project } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';
import { ask, type Answer } from '../helpers/web.js';

// A proxy in front has logged somebody in: what its headers open at every door, and what they do not.

const SECRET = 'the-secret-of-the-proxy';
const SCRIPT = `import streamlit as st
st.text("user " + str(st.user.to_dict().get("email")))
st.text("headers " + ",".join(sorted(name.lower() for name in st.context.headers)))
`;
const SETTINGS = {
  STREAMLIT_HOST_PROXY_LOGIN_EMAIL_HEADER: 'X-Forwarded-Email',
  STREAMLIT_HOST_PROXY_LOGIN_GROUPS_HEADER: 'X-Forwarded-Groups',
  STREAMLIT_HOST_PROXY_LOGIN_SECRET: SECRET,
  STREAMLIT_HOST_PROXY_LOGIN_ADMIN_GROUP: 'ops',
  STREAMLIT_HOST_PROXY_LOGIN_LOGOUT_URL: '/oauth2/sign_out',
  // Whatever apps are given, these headers are not.
  STREAMLIT_HOST_APP_HEADERS: 'X-Forwarded-*, X-Streamlit-Host-Secret',
};
const PAGE = { accept: 'text/html' };
const by = (name: string, groups = ''): Record<string, string> => ({
  'X-Forwarded-Email': `${name}@example.com`,
  'X-Streamlit-Host-Secret': SECRET,
  ...(groups === '' ? {} : { 'X-Forwarded-Groups': groups }),
});
const cookieOf = (answer: Answer): string => answer.headers['set-cookie']?.at(-1)?.split(';')[0] ?? '';

let host: TestHost;
const open = (path: string, headers: Record<string, string>): Promise<Answer> =>
  ask(`${host.url}${path}`, { headers: { ...PAGE, ...headers } });
const connect = (headers: Record<string, string>): Promise<StreamlitClient> =>
  StreamlitClient.connect(`${host.url}/apps/shop/`, { headers });

beforeAll(async () => {
  host = await startHost({ env: { ...SETTINGS, STREAMLIT_HOST_TRUSTED_PROXIES: '127.0.0.1' } });
  await pushLive(await Project.create({ 'requirements.txt': 'streamlit\n', 'app.py': SCRIPT }), host, 'shop');
  expect((await host.send('PATCH', '/apps/shop/access', { opens: 'people' })).status).toBe(200);
  expect((await host.send('POST', '/users', { email: 'ada@example.com' })).status).toBe(201);
  expect((await host.send('PUT', '/apps/shop/roles/ada@example.com', { role: 'viewer' })).status).toBe(200);
});

describe('behind a trusted proxy', () => {
  test('a private app opens at once, and knows its visitor and no header of the proxy', async () => {
    const page = await open('/apps/shop/', by('ada'));
    expect(page.status).toBe(200);
    const cookie = cookieOf(page);
    const client = await connect({ ...by('ada'), cookie });
    await client.run();
    expect(client.text('user ')).toBe('ada@example.com');
    const headers = client.text('headers ');
    expect(headers).toContain('x-streamlit-host-email');
    for (const name of ['x-forwarded-email', 'x-forwarded-groups', 'x-streamlit-host-secret'])
      expect(headers).not.toContain(name);
    await client.close();
    // The session alone opens nothing: neither a page nor a WebSocket.
    await expect(connect({ cookie })).rejects.toThrow('401');
    expect((await open('/apps/shop/', { cookie })).status).toBe(302);
    await expect(connect({ ...by('ada'), 'X-Streamlit-Host-Secret': 'another-secret', cookie })).rejects.toThrow('401');
  });

  test('an open WebSocket closes once the proxy names another person in the same browser', async () => {
    const cookie = cookieOf(await open('/apps/shop/', by('ada')));
    const client = await connect({ ...by('ada'), cookie });
    await client.run();
    const closed = new Promise((resolve) => client.socket.once('close', resolve));
    // Eve has no role in the app, so there is none for her.
    expect((await open('/apps/shop/', { ...by('eve'), cookie })).status).toBe(404);
    await closed;
    await expect(connect({ ...by('ada'), cookie })).rejects.toThrow('401');
  });

  test('the gallery, the console and the API of its pages are those of the person', async () => {
    const gallery = await open('/', by('ada'));
    expect(gallery.text).toContain('/apps/shop/');
    expect((await open('/', by('bob'))).text).not.toContain('/apps/shop/');
    const cookie = cookieOf(gallery);
    const account = await open('/console/account', { ...by('ada'), cookie });
    expect([account.status, account.text.includes('ada@example.com')]).toEqual([200, true]);
    const [, csrf = ''] = /<meta name="csrf" content="([^"]+)"/.exec(account.text) ?? [];
    expect(csrf).not.toBe('');
    const me = (headers: Record<string, string>): Promise<Answer> => ask(`${host.url}/api/me`, { headers });
    const own = { cookie, 'x-csrf-token': csrf };
    expect((await me({ ...by('ada'), ...own })).json.name).toBe('ada@example.com');
    expect((await me(own)).status).toBe(401);
    // The last admin would stay one.
    const root = { email: 'root@example.com', admin: true, password: 'correct horse battery' };
    expect((await host.send('POST', '/users', root)).status).toBe(201);
    // A change of groups is a login of its own: who becomes an admin gets a new session.
    expect((await me({ ...by('ada', 'ops'), ...own })).status).toBe(401);
    const admin = await open('/console/people', { ...by('ada', 'ops'), cookie });
    expect([admin.status, cookieOf(admin) === cookie]).toEqual([200, false]);
    await open('/console/', by('ada'));
    expect((await (await host.api('/users/ada@example.com')).json()) as object).toMatchObject({ admin: false });
  });

  test('headers alone open neither the API nor git, and leave tokens as they are', async () => {
    expect((await ask(`${host.url}/api/apps`, { headers: by('ada') })).status).toBe(401);
    expect(
      (await ask(`${host.url}/git/shop.git/info/refs?service=git-upload-pack`, { headers: by('ada') })).status,
    ).toBe(401);
    const token = await ask(`${host.url}/api/me`, { headers: { ...by('ada'), authorization: `Bearer ${TOKEN}` } });
    expect(token.json).toMatchObject({ name: 'admin' });
  });

  test('logging out stays so, and leads to the page of the proxy', async () => {
    const cookie = cookieOf(await open('/console/', by('ada')));
    const left = await open('/console/login?left=trusted-proxy', by('ada'));
    expect(left.headers['set-cookie']?.join()).not.toMatch(/streamlit_host_session/);
    expect(left.text).toContain('href="/oauth2/sign_out"');
    expect(left.text).toContain('Log in with single sign-on');
    const again = await open('/console/login?next=%2Fapps%2Fshop%2F', { ...by('ada'), cookie });
    expect([again.status, again.headers.location]).toEqual([303, '/apps/shop/']);
  });

  test.each([
    ['no email address', { ...by('ada'), 'X-Forwarded-Email': 'ada' }, 403],
    ['a wrong secret', { ...by('ada'), 'X-Streamlit-Host-Secret': 'another-secret' }, 403],
    ['a disabled account', by('dora'), 409],
  ])('%s is refused with a sentence', async (_what, headers, status) => {
    if (status === 409) {
      await host.send('POST', '/users', { email: 'dora@example.com' });
      await host.send('PATCH', '/users/dora@example.com', { disabled: true });
    }
    const away = await open('/apps/shop/', headers);
    expect([away.status, away.headers['set-cookie']]).toEqual([302, undefined]);
    const login = await open('/console/login', headers);
    expect(login.status).toBe(status);
    expect(login.text).toMatch(/The proxy in front of this server sent no valid|is disabled\. Ask an admin/);
    expect(login.headers['set-cookie']?.join() ?? '').not.toContain('streamlit_host_session');
  });
});

test('from any other address, the headers are dropped', async () => {
  const env = { ...SETTINGS, STREAMLIT_HOST_TRUSTED_PROXIES: '192.0.2.1' };
  const other = await startHost({ env });
  for (const path of ['/', '/console/', '/console/login', '/apps/shop/']) {
    const answer = await ask(`${other.url}${path}`, { headers: { ...PAGE, ...by('ada') } });
    expect(answer.headers['set-cookie']?.join() ?? '').not.toContain('streamlit_host_session');
  }
  expect((await (await other.api('/users')).json()) as object).toMatchObject({ users: [] });
  await other.stop();
});

test('the sessions of the proxy end with its setting', async () => {
  const env = { ...SETTINGS, STREAMLIT_HOST_TRUSTED_PROXIES: '127.0.0.1' };
  const before = await startHost({ env });
  const page = await ask(`${before.url}/console/account`, { headers: { ...PAGE, ...by('ada') } });
  const headers = { ...PAGE, cookie: cookieOf(page) };
  await before.stop({ keepData: true });
  const after = await startHost({ data: before.data });
  const answer = await ask(`${after.url}/console/account`, { headers });
  expect([answer.status, answer.headers.location]).toEqual([302, '/console/login?next=%2Fconsole%2Faccount']);
});

test('nginx logs people in, whatever they send themselves', async () => {
  const ports = portRange(2);
  const name = 'proxy.test';
  const more = `proxy_set_header X-Forwarded-Email ada@example.com;
  proxy_set_header X-Forwarded-Groups "";
  proxy_set_header X-Streamlit-Host-Secret ${SECRET};`;
  await startNginx({ name, port: ports.max, to: ports.min, more });
  await startHost({
    env: {
      ...SETTINGS,
      STREAMLIT_HOST_TRUSTED_PROXIES: '127.0.0.1',
      STREAMLIT_HOST_PORT: String(ports.min),
      STREAMLIT_HOST_PUBLIC_BASE: `https://${name}:${ports.max}`,
    },
  });
  const [status, cookies] = await new Promise<[number, string[]]>((resolve, reject) => {
    const headers = { ...PAGE, ...by('eve', 'ops'), host: `${name}:${ports.max}` };
    const options = { host: '127.0.0.1', port: ports.max, servername: name, path: '/console/account', headers };
    const asked = request({ ...options, rejectUnauthorized: false }, (answer) => {
      answer.resume().on('end', () => resolve([answer.statusCode ?? 0, answer.headers['set-cookie'] ?? []]));
    });
    asked.on('error', reject).end();
  });
  expect([status, cookies.join()]).toEqual([200, expect.stringMatching(/^__Host-Http-streamlit_host_session=/)]);
  const url = `http://localhost:${ports.min}/api/users`;
  const users = await ask(url, { headers: { authorization: `Bearer ${TOKEN}` } });
  expect(users.json.users).toMatchObject([{ email: 'ada@example.com', admin: false }]);
});
