import { afterEach, beforeEach, expect, test } from 'vitest';
import { newApp } from '../../src/domain/app/app.js';
import { passFor } from '../../src/domain/access/pass.js';
import { ask, startWeb, type Answer, type Ask, type TestWeb } from '../helpers/web.js';
import { shownForm } from '../helpers/forms.js';

const PASSWORD = 'open sesame please';

let web: TestWeb;
beforeEach(async () => {
  web = await startWeb();
  web.apps.put({ ...newApp('shop', 'Shop', new Date(0)), live: 1 });
});
afterEach(() => web.close());

function patch(body: object): Promise<Answer> {
  return web.api('/apps/shop/access', json('PATCH', body));
}

function json(method: string, body: object): Ask {
  return { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

function enter(password: string, next = '/apps/shop/page?x=1', headers: Record<string, string> = {}): Promise<Answer> {
  const url = `${web.url}/console/open/shop`;
  return ask(url, shownForm(url, { password, next }, headers));
}

/** Whether what an answer gives the browser opens an app. */
function opens(answer: Answer, id = 'shop'): boolean {
  const [, value = ''] = /^streamlit_host_pass=([^;]*)/.exec(answer.headers['set-cookie']?.[0] ?? '') ?? [];
  return passFor([value], id, web.apps.get('shop').app, Date.now()) !== undefined;
}

test('a password opens an app, and leads to the page that was asked for', async () => {
  expect((await patch({ opens: 'password', password: PASSWORD })).json).toMatchObject({ opens: 'password' });
  expect((await ask(`${web.url}/console/open/shop`)).text).toBe('<p>open Shop </p>');
  const wrong = await enter('another password');
  expect([wrong.status, wrong.text, wrong.headers['set-cookie']]).toEqual([
    401,
    '<p>open Shop Wrong password.</p>',
    undefined,
  ]);
  const right = await enter(PASSWORD);
  expect([right.status, right.headers.location]).toEqual([303, '/apps/shop/page?x=1']);
  expect(right.headers['set-cookie']?.[0]).toMatch(/; Path=\/apps\/shop\/; HttpOnly; SameSite=Lax; Max-Age=\d+$/);
  expect([opens(right), opens(right, 'other')]).toEqual([true, false]);
  expect(JSON.stringify((await web.api('/apps/shop')).json)).not.toContain('scrypt');

  // The old one ends with its change, and none is remembered where the app opens in another way for a while.
  await patch({ opens: 'password', password: 'another password' });
  expect(opens(right)).toBe(false);
  expect((await patch({ opens: 'people' })).status).toBe(200);
  expect((await patch({ opens: 'password' })).json).toMatchObject({ status: 422, code: 'visit-password-missing' });
});

test('a password is refused where it is too short, or not wanted', async () => {
  expect((await patch({ opens: 'password', password: 'short' })).json).toMatchObject({ code: 'password-weak' });
  expect((await patch({ opens: 'people', password: PASSWORD })).json).toMatchObject({ code: 'field-invalid' });
  expect(web.apps.get('shop').app.opens).toBeUndefined();
});

test('only an app with a password has a page that asks for it', async () => {
  for (const path of ['shop', 'no-such-app', 'shop?ended'])
    expect((await ask(`${web.url}/console/open/${path}`)).status, path).toBe(404);
  await patch({ opens: 'people' });
  expect((await ask(`${web.url}/console/open/shop`)).status).toBe(404);
  expect((await ask(`${web.url}/console/open/shop?ended`)).status).toBe(410);
  expect((await enter(PASSWORD)).status).toBe(404);
});

test('the password of an app cannot be guessed without end, nor entered by a script', async () => {
  await patch({ opens: 'password', password: PASSWORD });
  const script = { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', 'sec-fetch-site': 'same-origin' };
  expect((await enter(PASSWORD, '', script)).status).toBe(403);
  for (let count = 0; count < 20; count += 1) expect((await enter(`guess ${count}`)).status).toBe(401);
  expect((await enter(PASSWORD)).status).toBe(429);
});

test.each([
  'https://evil.example/',
  '//evil.example',
  '/apps/other/',
  '/apps/shop/../other/',
  '/apps/shop//evil.example',
  '/console/',
])('a password leads nowhere but to its app (%s)', async (next) => {
  await patch({ opens: 'password', password: PASSWORD });
  expect((await enter(PASSWORD, next)).headers.location).toBe('/apps/shop/');
});

test('share links are created, listed without their codes, and revoked', async () => {
  const made = await web.api('/apps/shop/shares', json('POST', { name: 'Client', embed: true, days: 7 }));
  expect(made.status).toBe(201);
  const { url, share } = made.json as { url: string; share: { id: string } };
  expect(url).toMatch(/\/apps\/shop\/\?embed=true&_share=[\w-]{32}$/);
  const listed = await patch({ frames: ['https://wiki.example.com'] });
  expect(listed.json).toMatchObject({
    shares: [{ name: 'Client', embed: true }],
    frames: ['https://wiki.example.com'],
  });
  expect(JSON.stringify(listed.json)).not.toContain(url.slice(-32));
  expect((await patch({ frames: ['https://wiki.example.com/page'] })).json).toMatchObject({ code: 'origin-invalid' });
  expect((await web.api(`/apps/shop/shares/${share.id}`, { method: 'DELETE' })).status).toBe(204);
  expect((await web.api(`/apps/shop/shares/${share.id}`, { method: 'DELETE' })).json).toMatchObject({
    code: 'share-not-found',
  });
  expect((await web.api('/apps/shop/shares', json('POST', { name: ' ' }))).json).toMatchObject({
    code: 'share-name-invalid',
  });
});
