import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { adminToken } from '../../src/domain/access/principal.js';
import { formToken } from '../../src/web/form-token.js';
import { startConsole } from '../helpers/console.js';
import { ask, form, type Answer, type TestWeb } from '../helpers/web.js';

// What somebody typed is there again after they had to log in.

const HEADERS = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'same-origin' };
const FILE = '/console/apps/demo/files/app.py';
const CONFIG = '/console/apps/demo/config';
const LOGGED_OUT = 'You were logged out while you edited, so nothing was saved.';

let web: TestWeb;
/** A session of the admin token, as its browser has it. */
let session: { id: string; cookie: string; csrf: string };

beforeAll(async () => {
  web = await startConsole();
  await web.api('/apps', {
    method: 'POST',
    ...(await form([
      ['name', 'demo'],
      ['app', 'import streamlit', 'app.py'],
      ['requirements', 'streamlit', 'requirements.txt'],
    ])),
  });
});
beforeEach(async () => {
  session = await logIn();
});

async function logIn(): Promise<typeof session> {
  const id = await web.sessions.begin({ name: 'admin' });
  return { id, cookie: `streamlit_host_session=${id}`, csrf: web.sessions.find(id)?.csrf ?? '' };
}

async function open(path: string, cookie: string): Promise<Answer> {
  const answer = await ask(web.url + path, { headers: { ...HEADERS, cookie } });
  // The templates write it so.
  return { ...answer, text: answer.text.replaceAll('&#x3D;', '=') };
}

function post(path: string, csrf: string, fields: Record<string, string>, cookie = ''): Promise<Answer> {
  const type = { 'content-type': 'application/x-www-form-urlencoded', origin: web.url };
  const body = new URLSearchParams({ csrf: formToken(csrf, path), ...fields }).toString();
  return ask(web.url + path, { method: 'POST', body, headers: { ...HEADERS, ...type, cookie } });
}

/** Where the login that an answer leads to leads in turn. */
function afterLogin({ status, headers }: Answer): string {
  expect(status).toBe(303);
  const { pathname, searchParams } = new URL(headers.location ?? '', web.url);
  expect(pathname).toBe('/console/login');
  return searchParams.get('next') ?? '';
}

/** The value of a hidden field. */
const hidden = (page: string, name: string): string =>
  new RegExp(`name="${name}" value="([^"]*)"`).exec(page)?.[1] ?? '';

describe('an edit that is saved after the session has ended', () => {
  test('leads through the login back to the editor, with its text, and can be saved there', async () => {
    const { text } = await open(FILE, session.cookie);
    const was = hidden(text, 'was');
    await web.sessions.end(session.id);
    const next = afterLogin(
      await post(FILE, session.csrf, { content: 'typed = "<b>"', message: 'My change', was }, session.cookie),
    );
    expect(next).toMatch(/^\/console\/apps\/demo\/files\/app\.py\?draft=[\w-]+$/);

    const again = await logIn();
    const page = await open(next, again.cookie);
    expect(page.status).toBe(200);
    expect(page.text).toContain(LOGGED_OUT);
    expect(page.text).toContain('typed = &quot;&lt;b&gt;&quot;</textarea>');
    expect(page.text).toContain('value="My change"');
    // Whether it was changed is measured by what is stored.
    expect(page.text).toMatch(/<textarea hidden data-stored>\s*import streamlit<\/textarea>/);
    const saved = await post(FILE, again.csrf, { content: 'typed = 1', was: hidden(page.text, 'was') }, again.cookie);
    expect([saved.status, web.apps.committed?.content['app.py']]).toEqual([303, 'typed = 1']);
  });

  test('says so if someone else has changed the file in the meantime', async () => {
    await web.sessions.end(session.id);
    const next = afterLogin(await post(FILE, session.csrf, { content: 'typed', was: 'another' }));
    const page = await open(next, (await logIn()).cookie);
    expect(page.text).toContain('Someone else changed app.py while you edited it');
    expect(page.text).toContain('typed</textarea>');
  });

  test('comes back at once if the person has logged in again in another tab', async () => {
    await web.sessions.end(session.id);
    const again = await logIn();
    const { status, headers } = await post(FILE, session.csrf, { content: 'typed' }, again.cookie);
    expect([status, headers.location]).toEqual([
      303,
      expect.stringMatching(/^\/console\/apps\/demo\/files\/app\.py\?draft=/),
    ]);
    expect((await open(headers.location ?? '', again.cookie)).text).toContain('typed</textarea>');
  });
});

test.each([
  [
    'a new file',
    '/console/apps/demo/new-file',
    { path: 'pages/new.py', content: 'typed = 1' },
    ['pages/new.py', 'typed = 1</textarea>'],
  ],
  ['a config var', CONFIG, { do: 'set', name: 'KEY', value: 'typed value' }, ['value="KEY"', 'typed value</textarea>']],
  ['several vars', CONFIG, { do: 'env', env: 'KEY=typed' }, ['KEY=typed</textarea>']],
])('%s comes back as well', async (_name, path, fields, shown) => {
  await web.sessions.end(session.id);
  const page = await open(afterLogin(await post(path, session.csrf, fields)), (await logIn()).cookie);
  expect(page.status).toBe(200);
  for (const text of [LOGGED_OUT, ...shown]) expect(page.text).toContain(text);
  // They are not what is stored.
  expect(page.text).toContain('data-unsaved');
});

test('secrets come back as well, whether they were typed or chosen as a file', async () => {
  for (const [toml, file] of [
    ['key = "typed"', ''],
    ['', 'key = "typed"'],
  ] as const) {
    const { id, csrf } = await logIn();
    await web.sessions.end(id);
    const sent = await form([
      ['csrf', formToken(csrf, CONFIG)],
      ['do', 'secrets'],
      ['was', ''],
      ['toml', toml],
      ['file', file, 'secrets.toml'],
    ]);
    const answer = await ask(web.url + CONFIG, {
      method: 'POST',
      body: sent.body,
      headers: { ...HEADERS, ...sent.headers },
    });
    const page = await open(afterLogin(answer), (await logIn()).cookie);
    expect(page.text).toContain('key = &quot;typed&quot;</textarea>');
    expect(page.text).toContain(LOGGED_OUT);
  }
});

test('a form without its text does not empty the file', async () => {
  const { text } = await open(FILE, session.cookie);
  const before = web.apps.committed;
  const answer = await post(FILE, session.csrf, { was: hidden(text, 'was') }, session.cookie);
  expect([answer.status, web.apps.committed]).toEqual([422, before]);
});

describe('nothing is kept', () => {
  test.each([
    ['without the token of a page', (csrf: string) => ({ path: FILE, csrf: `not ${csrf}` })],
    ["with another page's token", (csrf: string) => ({ path: FILE, csrf, of: CONFIG })],
    ['of a form without texts', (csrf: string) => ({ path: '/console/apps/demo/delete', csrf })],
  ])('%s', async (_name, make: (csrf: string) => { path: string; csrf: string; of?: string }) => {
    await web.sessions.end(session.id);
    const { path, csrf, of = path } = make(session.csrf);
    const body = new URLSearchParams({ csrf: formToken(csrf, of), content: 'typed' }).toString();
    const type = { 'content-type': 'application/x-www-form-urlencoded', origin: web.url };
    const answer = await ask(web.url + path, { method: 'POST', body, headers: { ...HEADERS, ...type } });
    expect(answer.status).toBe(401);
  });

  test('for another account', async () => {
    await web.sessions.end(session.id);
    const next = afterLogin(await post(FILE, session.csrf, { content: 'typed by the admin' }));
    const { account } = await web.people.add(
      { email: 'eve@example.com', password: 'correct horse', admin: true },
      adminToken('token'),
    );
    const id = await web.sessions.begin({ name: 'eve', account: account.id });
    const page = await open(next, `streamlit_host_session=${id}`);
    expect([page.status, page.text.includes('typed by the admin')]).toEqual([200, false]);
  });
});
