import { beforeAll, expect, test } from 'vitest';
import { shownForm } from '../helpers/forms.js';
import { startHost, TOKEN, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { ask, type Answer } from '../helpers/web.js';

// Whatever can be guessed at a real server is limited, by the visitor's own address, and for passwords by account, too.

const PASSWORD = 'correct horse battery';
let host: TestHost;

beforeAll(async () => {
  // The tests are the proxy, so each visitor has an address of its own.
  host = await startHost({ env: { STREAMLIT_HOST_TRUSTED_PROXIES: '127.0.0.1' } });
  await pushLive(await Project.create({ 'requirements.txt': 'streamlit\n', 'app.py': '' }), host, 'shop');
  expect((await host.send('PATCH', '/apps/shop/access', { opens: 'people' })).status).toBe(200);
  for (const name of ['ada', 'eve']) {
    const person = { email: `${name}@example.com`, password: PASSWORD };
    expect((await host.send('POST', '/users', person)).status).toBe(201);
  }
});

const get = (path: string, address: string, headers: Record<string, string> = {}): Promise<Answer> =>
  ask(`${host.url}${path}`, { headers: { accept: 'text/html', 'x-forwarded-for': address, ...headers } });

async function logIn(name: string, password: string, address: string, known = ''): Promise<Answer> {
  const url = `${host.url}/console/login`;
  const form = shownForm(url, { email: `${name}@example.com`, password });
  const cookie = [form.headers?.cookie ?? '', known].filter((one) => one !== '').join('; ');
  return ask(url, { ...form, headers: { ...form.headers, cookie, 'x-forwarded-for': address } });
}

/** Asks until it is too much. @returns how often it was answered otherwise */
async function untilRefused(guess: (count: number) => Promise<Answer>, most: number): Promise<number> {
  for (let count = 0; count <= most; count += 1) {
    const answer = await guess(count);
    if (answer.status !== 429) continue;
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(answer.text).toMatch(/Too many login attempts/);
    return count;
  }
  return Infinity;
}
/** Tries of one address, and what may have come back in the meantime. */
const FEW = 30;

test('passwords, by address, and another address may still try', async () => {
  expect(await untilRefused((count) => logIn('bob', `wrong ${count}`, '203.0.113.1'), FEW)).toBeGreaterThanOrEqual(20);
  expect((await logIn('eve', PASSWORD, '203.0.113.2')).status).toBe(303);
});

test('passwords, by account, from however many addresses, but not in a browser that is known', async () => {
  const first = await logIn('ada', PASSWORD, '203.0.113.3');
  const [known = ''] = first.headers['set-cookie']?.filter((one) => one.includes('browser=')) ?? [];
  expect(known).toMatch(/; HttpOnly; SameSite=Lax; Max-Age=15552000/);
  const guess = (count: number) => logIn('ada', `wrong ${count}`, `198.51.100.${count}`);
  expect(await untilRefused(guess, 60)).toBeGreaterThanOrEqual(50);
  // Nobody who only knows the address of Ada can keep her out.
  expect((await logIn('ada', PASSWORD, '203.0.113.4')).status).toBe(429);
  expect((await logIn('ada', PASSWORD, '203.0.113.4', known.split(';')[0])).status).toBe(303);
  expect((await logIn('eve', PASSWORD, '203.0.113.4', known.split(';')[0])).status).toBe(303);
});

test('invitations and reset links, and the right one still works', async () => {
  const answer = await host.send('POST', '/users', { email: 'dora@example.com' });
  const { url } = ((await answer.json()) as { invitation: { url: string } }).invitation;
  const guess = (count: number) => get(`/console/join?code=${'x'.repeat(30)}${count}`, '203.0.113.5');
  expect(await untilRefused(guess, FEW)).toBeGreaterThanOrEqual(20);
  expect((await get(`/console/join${new URL(url).search}`, '203.0.113.5')).status).toBe(200);
});

test('share links, and the right one still works', async () => {
  const made = await host.send('POST', '/apps/shop/shares', { name: 'Client', days: 1 });
  const { url } = (await made.json()) as { url: string };
  const wrong = (count: number) => `${'x'.repeat(30)}${String(count).padStart(2, '0')}`;
  const guess = (count: number) => get(`/apps/shop/?_share=${wrong(count)}`, '203.0.113.6');
  expect(await untilRefused(guess, FEW)).toBeGreaterThanOrEqual(20);
  const right = await get(`/apps/shop/${new URL(url).search}`, '203.0.113.6');
  expect([right.status, right.headers.location]).toEqual([303, '/apps/shop/']);
});

test('tokens, over the API and by git, and the right one still works', async () => {
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  expect(
    await untilRefused((count) => get('/api/me', '203.0.113.7', bearer(`wrong ${count}`)), FEW),
  ).toBeGreaterThanOrEqual(20);
  expect((await get('/api/me', '203.0.113.7', bearer(TOKEN))).json).toMatchObject({ name: 'admin' });
  const basic = (token: string) => ({ authorization: `Basic ${Buffer.from(`x:${token}`).toString('base64')}` });
  const refs = '/git/shop.git/info/refs?service=git-receive-pack';
  expect(await untilRefused((count) => get(refs, '203.0.113.8', basic(`wrong ${count}`)), FEW)).toBeGreaterThanOrEqual(
    20,
  );
  expect((await get(refs, '203.0.113.8', basic(TOKEN))).status).toBe(200);
});
