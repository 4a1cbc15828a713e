import { execFileSync } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { checkout } from '../../src/environments/checkout.js';
import { scratch } from '../helpers/ends.js';
import { startHost, TOKEN, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { askRaw } from '../helpers/raw.js';
import { OPENED } from '../helpers/forms.js';

// Small ways in, one test for each.

let host: TestHost;
let cookie: string;

beforeAll(async () => {
  host = await startHost();
  const { pathname, search } = new URL(host.loginUrl);
  const answer = await askRaw(host.url, pathname + search, { headers: OPENED });
  cookie = answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
});

test('an unknown method is refused, and not logged as a defect', async () => {
  for (const path of [
    '/',
    '/console/',
    '/api/apps',
    '/healthz',
    '/git/demo.git/info/refs',
    '/_streamlit/1.0/static/x.js',
  ])
    for (const method of ['TRACE', 'PROPFIND', 'QUERY', 'MKCOL', 'SEARCH'])
      expect([path, method, (await askRaw(host.url, path, { method, headers: { cookie } })).status]).toEqual([
        path,
        method,
        405,
      ]);
  expect((await askRaw(host.url, '/apps/demo/x', { method: 'TRACE' })).status).toBe(405);
});

test('a body that would pollute prototypes or is nested endlessly is refused', async () => {
  const deep = `${'[{"a":'.repeat(20_000)}1${'}]'.repeat(20_000)}`;
  const bodies = ['{"__proto__":{"admin":true}}', '{"name":{"__proto__":{"a":1}}}', '[', deep, `{"name":${deep}}`];
  for (const body of bodies) {
    const headers = { 'content-type': 'application/json', origin: host.url };
    const ask = (path: string, more: Record<string, string>): Promise<number> =>
      askRaw(host.url, path, { method: 'POST', body, headers: { ...headers, ...more } }).then(({ status }) => status);
    for (const [path, more] of [
      ['/api/apps', { authorization: `Bearer ${TOKEN}` }],
      ['/console/apps/demo/stop', { cookie }],
      ['/console/login', {}],
    ] as const) {
      const status = await ask(path, more);
      expect([path, body.slice(0, 20), status < 500]).toEqual([path, body.slice(0, 20), true]);
    }
  }
  expect(host.output).not.toContain('a request failed');
});

test('a client that guesses tokens waits for each answer after some wrong ones', async () => {
  const guess = (): Promise<number> =>
    askRaw(host.url, '/api/apps', { headers: { authorization: 'Bearer wrong' } }).then(({ status }) => status);
  const first = await Promise.all(Array.from({ length: 20 }, guess));
  expect(new Set(first)).toEqual(new Set([401]));
  const begun = performance.now();
  const later = await Promise.all(Array.from({ length: 20 }, guess));
  expect(later).toContain(429);
  expect(performance.now() - begun).toBeGreaterThan(1_900);
});

test('a link in an app cannot save a console page', async () => {
  const saved = { cookie, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'empty', 'sec-fetch-site': 'same-origin' };
  for (const path of ['/console/', '/console/new'])
    expect((await askRaw(host.url, path, { headers: saved })).status).toBe(403);
  expect((await askRaw(host.url, '/api/apps', { headers: saved })).status).toBe(200);
});

test("the data folder and the cache are for the server's user only", async () => {
  for (const folder of [host.data, join(host.data, 'cache')]) expect((await stat(folder)).mode & 0o077).toBe(0);
});

test("no commit moves the pusher's cursor, rings the bell or sets a title", async () => {
  const evil = 'Begin \u001b]0;owned\u0007\u001b[2J\u009b31m\u202egnp';
  const project = await Project.create({
    'requirements.txt': 'no-such-package-anywhere==99\n',
    'app.py': 'print(1)\n',
  });
  await project.commit({}, evil);
  const { output } = await project.git('push', host.remote('terminal'), 'main');
  // eslint-disable-next-line no-control-regex -- it is what is looked for
  expect(output.replace(/\u001b\[K/g, '')).not.toMatch(/[\u0007\u001b\u009b\u202e]/);
});

describe('cookies', () => {
  test("planted for the console's paths neither hide the session nor cause a redirect loop", async () => {
    const planted = Array.from(
      { length: 60 },
      (_, place) => `streamlit_host_session=${String(place).padEnd(43, 'x')}; `,
    ).join('');
    const headers = { cookie: planted + cookie, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    expect((await askRaw(host.url, '/console/', { headers })).status).toBe(200);
    const without = { ...headers, cookie: planted };
    expect((await askRaw(host.url, '/console/', { headers: without })).headers.location).toContain('/console/login');
    expect((await askRaw(host.url, '/console/login?next=/console/', { headers: without })).status).toBe(200);
  });
});

test('the inspected files are the ones checked out, whatever .gitattributes says', async () => {
  const source = 'import streamlit as st\n# $Id$\n';
  const project = await Project.create({ 'app.py': source });
  await project.write({ '.gitattributes': '*.py working-tree-encoding=UTF-16 ident eol=crlf\n' });
  // That alone: git here would not take the file for UTF-16, and so not commit it.
  await project.git('add', '.gitattributes');
  expect((await project.git('commit', '--quiet', '--message', 'Change what is written')).code).toBe(0);
  const commit = (await project.git('rev-parse', 'HEAD')).output.trim();
  const folder = await scratch('checkout-');
  const repository = join(folder, 'repo.git');
  execFileSync('git', ['clone', '--quiet', '--bare', project.folder, repository]);
  const to = join(folder, 'releases/source');
  await checkout({ repository, commit, to, path: process.env.PATH ?? '' });
  expect(await readFile(join(to, 'app.py'), 'utf8')).toBe(source);
});
