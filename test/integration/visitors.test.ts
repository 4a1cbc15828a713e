import { beforeAll, describe, expect, test } from 'vitest';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';
import { ask, type Answer } from '../helpers/web.js';
import { OPENED, shownForm } from '../helpers/forms.js';

// Who may open an app, and whom the app takes its visitor for.

const PASSWORD = 'correct horse battery';
const SCRIPT = `import streamlit as st
from urllib.parse import quote
user = st.user.to_dict()
st.text("user " + quote(",".join(f"{key}={user[key]}" for key in sorted(user))))
st.text("header " + str(st.context.headers.get("X-Streamlit-Host-Email")))
`;

let host: TestHost;
let app: string;
const cookies = new Map<string, string>();

beforeAll(async () => {
  host = await startHost();
  app = `${host.url}/apps/shop/`;
  await pushLive(await Project.create({ 'requirements.txt': 'streamlit\n', 'app.py': SCRIPT }), host, 'shop');
  for (const name of ['ada', 'eve']) {
    const user = { email: `${name}@example.com`, name: 'Ada Løvelace', groups: ['sales', 'north'], password: PASSWORD };
    expect((await host.send('POST', '/users', user)).status).toBe(201);
    cookies.set(name, cookieOf(await logIn(name)));
  }
  await host.send('PUT', '/apps/shop/roles/ada@example.com', { role: 'viewer' });
});

function logIn(name: string, next = ''): Promise<Answer> {
  const url = `${host.url}/console/login`;
  return ask(url, shownForm(url, { email: `${name}@example.com`, password: PASSWORD, next }));
}

const cookieOf = (answer: Answer): string => answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
const headersOf = (name?: string): Record<string, string> =>
  name === undefined ? {} : { cookie: cookies.get(name) ?? '' };
const opens = async (mode: string): Promise<void> => {
  expect((await host.send('PATCH', '/apps/shop/access', { opens: mode })).status).toBe(200);
};
const open = (path: string, name?: string): Promise<Answer> =>
  ask(`${host.url}${path}`, { headers: { accept: 'text/html', ...headersOf(name) } });
const connect = (name?: string, more: Record<string, string> = {}): Promise<StreamlitClient> =>
  StreamlitClient.connect(app, { headers: { ...headersOf(name), ...more } });

/** What the app knows of its visitor. */
async function seen(client: StreamlitClient): Promise<{ user: string; header: string }> {
  await client.run();
  const found = { user: decodeURIComponent(client.text('user ')), header: client.text('header ') };
  await client.close();
  return found;
}

describe('the app is told who its visitor is', () => {
  const NOBODY = { user: 'email=None,groups=None,name=None,sub=None', header: 'None' };
  const FORGED = {
    'X-Streamlit-Host-Email': 'boss@example.com',
    'x-streamlit-host-groups': 'admins',
    'X-STREAMLIT-HOST-ID': '1',
  };

  test('where they are logged in, without any code in the app', async () => {
    const { id } = (await (await host.api('/users/ada@example.com')).json()) as { id: string };
    expect(await seen(await connect('ada'))).toEqual({
      user: `email=ada@example.com,groups=sales,north,name=Ada Løvelace,sub=${id}`,
      header: 'ada@example.com',
    });
  });

  test('and nothing where they are not, or as the admin token', async () => {
    expect(await seen(await connect())).toEqual(NOBODY);
    const admin = cookieOf(await ask(host.loginUrl, { headers: OPENED }));
    expect(await seen(await StreamlitClient.connect(app, { headers: { cookie: admin } }))).toEqual(NOBODY);
  });

  test('whatever they send themselves', async () => {
    expect(await seen(await connect(undefined, FORGED))).toEqual(NOBODY);
    expect((await seen(await connect('eve', FORGED))).user).toContain('email=eve@example.com');
  });
});

describe.each([
  ['public', [undefined, 'ada', 'eve']],
  ['signed-in', ['ada', 'eve']],
  ['people', ['ada']],
] as const)('an app that is %s', (mode, allowed) => {
  test.each([undefined, 'ada', 'eve'] as const)('opens, or does not, for %s', async (name) => {
    await opens(mode);
    const may = (allowed as readonly (string | undefined)[]).includes(name);
    const page = await open('/apps/shop/some/page?x=1&y=%20', name);
    const gallery = (await open('/', name)).text;
    // Every path below the app, and the WebSocket.
    const paths = ['/_stcore/health', '/_stcore/host-config', '/_host/live', '/~1/media/x.png', '/any/path.json'];
    const statuses = await Promise.all(
      paths.map((path) => ask(`${app.slice(0, -1)}${path}`, { headers: headersOf(name) })),
    );
    if (may) {
      expect(page.status).toBe(200);
      expect(statuses.map(({ status }) => status)).not.toContain(401);
      expect(gallery).toContain('/apps/shop/');
      await (await connect(name)).close();
      return;
    }
    expect(gallery).not.toContain('/apps/shop/');
    const refused = name === undefined ? 401 : 404;
    expect(statuses.map(({ status }) => status)).toEqual(paths.map(() => refused));
    await expect(connect(name)).rejects.toThrow(`refused with ${refused}`);
    if (name === undefined) {
      expect(page.status).toBe(302);
      expect(page.headers.location).toBe(
        `${host.url}/console/login?next=${encodeURIComponent('/apps/shop/some/page?x=1&y=%20')}`,
      );
    } else {
      // As for an app that does not exist.
      expect(page.status).toBe(404);
      const absent = await open('/apps/no-such-app/some/page?x=1&y=%20', name);
      expect(page.text).toBe(absent.text.replaceAll('no-such-app', 'shop'));
    }
  });
});

describe('an app with a password', () => {
  const enter = (password: string): Promise<Answer> => {
    const url = `${host.url}/console/open/shop`;
    return ask(url, shownForm(url, { password, next: '/apps/shop/page?x=1' }));
  };

  test('opens for who knows it, and closes when it is changed', async () => {
    await host.send('PATCH', '/apps/shop/access', { opens: 'password', password: PASSWORD });
    const page = `${host.url}/console/open/shop?next=${encodeURIComponent('/apps/shop/page?x=1')}`;
    for (const name of [undefined, 'eve'])
      expect((await open('/apps/shop/page?x=1', name)).headers.location).toBe(page);
    expect((await open('/apps/shop/page', 'ada')).status).toBe(200);
    await expect(connect()).rejects.toThrow('refused with 401');
    const entered = await enter(PASSWORD);
    expect([entered.status, entered.headers.location]).toEqual([303, '/apps/shop/page?x=1']);
    const cookie = cookieOf(entered);
    const client = await StreamlitClient.connect(app, { headers: { cookie } });
    // The app sees neither who it is nor what opened it.
    expect(await seen(client)).toEqual({ user: 'email=None,groups=None,name=None,sub=None', header: 'None' });
    const stays = await StreamlitClient.connect(app, { headers: { cookie } });
    await host.send('PATCH', '/apps/shop/access', { opens: 'password', password: 'another password' });
    await until('the page is closed', () => !stays.isOpen, 5_000);
    await expect(StreamlitClient.connect(app, { headers: { cookie } })).rejects.toThrow('refused with 401');
  });
});

test('a share link opens its app alone, leaves the address, and ends when it is revoked', async () => {
  await opens('people');
  await host.send('PATCH', '/apps/shop/access', { frames: ['https://wiki.example.com'] });
  const made = (await (await host.send('POST', '/apps/shop/shares', { name: 'Client', embed: true })).json()) as {
    url: string;
    share: { id: string };
  };
  const link = made.url.slice(host.url.length);
  const entered = await open(`${link}&x=1`);
  expect([entered.status, entered.headers.location]).toEqual([303, '/apps/shop/?embed=true&x=1']);
  const cookie = cookieOf(entered);
  const page = await ask(app, { headers: { accept: 'text/html', cookie } });
  expect([page.status, page.headers['content-security-policy']]).toEqual([
    200,
    "frame-ancestors 'self' https://wiki.example.com",
  ]);
  // Of who comes with a role, no other page may frame it.
  expect((await open('/apps/shop/', 'ada')).headers['content-security-policy']).toBe("frame-ancestors 'self'");
  const client = await StreamlitClient.connect(app, { headers: { cookie } });
  await client.run();
  await host.api(`/apps/shop/shares/${made.share.id}`, { method: 'DELETE' });
  await until('the page is closed', () => !client.isOpen, 5_000);
  expect((await open(link)).headers.location).toBe(`${host.url}/console/open/shop?ended`);
  const { entries } = (await (await host.api('/audit?app=shop&q=client')).json()) as { entries: { who: string }[] };
  expect(entries.map(({ who }) => who)).toContain('share link Client');
  // Everybody may frame a public app, as before.
  await opens('public');
  expect((await open('/apps/shop/')).headers).not.toHaveProperty('content-security-policy');
});

test('visits to a private app, and attempts at them, are in the audit log', async () => {
  await opens('people');
  await (await connect('ada')).close();
  await expect(connect('eve')).rejects.toThrow('refused');
  const found = (await (await host.api('/audit?app=shop&q=open')).json()) as { entries: Record<string, unknown>[] };
  const opened = found.entries
    .filter(({ verb }) => verb === 'open')
    .map(({ who, door, result }) => [who, door, result]);
  expect(opened).toContainEqual(['ada@example.com', 'app', 'ok']);
  expect(opened).toContainEqual(['eve@example.com', 'app', 'refused']);
  expect(opened.flat()).not.toContain('nobody');
});

test('a deep link leads through the login to the exact address', async () => {
  await opens('people');
  const there = '/apps/shop/some/page?x=1&y=%20';
  const login = await open(there);
  const next = new URL(login.headers.location ?? '').searchParams.get('next') ?? '';
  const answer = await logIn('ada', next);
  expect([answer.status, answer.headers.location]).toEqual([303, there]);
  // Nobody is led to an app that needs no login: it could imitate this page.
  await opens('public');
  expect((await logIn('ada', next)).headers.location).toBe('/console/');
});

describe('an open page loses its connection within a second', () => {
  const closes = async (withdraw: () => Promise<unknown>): Promise<void> => {
    await opens('people');
    const client = await connect('ada');
    await client.run();
    const admin = await StreamlitClient.connect(app, { headers: { cookie: cookieOf(await freshAdmin()) } });
    await withdraw();
    const begun = performance.now();
    await until('the page is closed', () => !client.isOpen, 5_000);
    expect(performance.now() - begun).toBeLessThan(1_000);
    await expect(connect('ada')).rejects.toThrow(/refused with 40[14]/);
    expect(admin.isOpen).toBe(true);
    await admin.close();
  };
  const freshAdmin = async (): Promise<Answer> => {
    const link = (await (await host.send('POST', '/login-links', {})).json()) as { url: string };
    return ask(link.url, { headers: OPENED });
  };

  test('when the role is taken away', async () => {
    await closes(() => host.api('/apps/shop/roles/ada@example.com', { method: 'DELETE' }));
    await host.send('PUT', '/apps/shop/roles/group:sales', { role: 'viewer' });
  });

  test('when the person leaves the group that gave the role', async () => {
    await closes(() => host.send('PATCH', '/users/ada@example.com', { groups: [] }));
    await host.send('PATCH', '/users/ada@example.com', { groups: ['sales'] });
  });

  test('when the account is disabled', async () => {
    await closes(() => host.send('PATCH', '/users/ada@example.com', { disabled: true }));
    await host.send('PATCH', '/users/ada@example.com', { disabled: false });
    cookies.set('ada', cookieOf(await logIn('ada')));
  });
});
