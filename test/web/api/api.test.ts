import { once } from 'node:events';
import { appendFile, readdir, readlink, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newApp } from '../../../src/domain/app/app.js';
import { newPreview } from '../../../src/domain/app/preview.js';
import { Refusal } from '../../../src/errors.js';
import { zip } from '../../unit/web/upload/archives.js';
import { form, startWeb, TOKEN, type TestWeb } from '../../helpers/web.js';

let web: TestWeb;
beforeEach(async () => {
  web = await startWeb();
});
afterEach(() => web.close());

const send = async (method: string, path: string, parts: [string, string | Buffer, string?][]) =>
  web.api(path, { method, ...(await form(parts)) });
const sendJson = (method: string, path: string, body: unknown) =>
  web.api(path, { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
const APP: [string, string, string][] = [
  ['app', 'import streamlit', 'demo.py'],
  ['requirements', 'streamlit', 'reqs.txt'],
];
const make = (name = 'demo') => send('POST', '/apps', [['name', name], ...APP]);

describe('creating an app', () => {
  test('from two files commits and deploys them under the names that an app needs', async () => {
    const answer = await make('Demo Übersicht');
    expect(answer.status).toBe(201);
    expect(answer.headers.location).toBe(`${web.url}/api/apps/demo-ubersicht`);
    expect(answer.json).toMatchObject({
      id: 'demo-ubersicht',
      app_id: 'demo-ubersicht',
      name: 'Demo Übersicht',
      access_url: `${web.url}/apps/demo-ubersicht/`,
      deploy: {
        release: 1,
        url: `${web.url}/api/apps/demo-ubersicht/deploys/1`,
        log_url: `${web.url}/api/apps/demo-ubersicht/logs?source=build&release=1&follow=1`,
      },
    });
    expect(web.apps.committed).toMatchObject({
      change: { replace: true, remove: [] },
      content: { 'app.py': 'import streamlit', 'requirements.txt': 'streamlit' },
      by: 'admin',
      message: 'Upload app.py, requirements.txt',
    });
  });

  test('from a folder or an archive drops the top folder', async () => {
    await send('POST', '/apps', [
      ['name', 'one'],
      ['files', 'x', 'proj/app.py'],
      ['files', 'y', 'proj/pages/a.py'],
      ['files', 'no', 'proj/.git/config'],
    ]);
    expect(web.apps.committed?.content).toEqual({ 'app.py': 'x', 'pages/a.py': 'y' });
    const archive = zip([
      { name: 'proj/app.py', content: 'x' },
      { name: 'proj/run.sh', mode: 0o100755 },
    ]);
    await send('POST', '/apps', [
      ['name', 'two'],
      ['archive', archive, 'p.zip'],
    ]);
    expect(web.apps.committed?.content).toEqual({ 'app.py': 'x', 'run.sh': '' });
    expect(web.apps.committed?.change.set[1]?.executable).toBe(true);
  });

  test('from pages next to "app" keeps their folder', async () => {
    await send('POST', '/apps', [
      ['name', 'one'],
      ['app', 'x', 'x.py'],
      ['files', 'y', 'pages/a.py'],
    ]);
    expect(Object.keys(web.apps.committed?.content ?? {}).sort()).toEqual(['app.py', 'pages/a.py']);
  });

  test('from JSON creates one that waits for a push', async () => {
    const answer = await sendJson('POST', '/apps', { name: 'later' });
    expect([answer.status, answer.json.state, answer.json.deploy]).toEqual([201, 'created', null]);
  });

  test.each([
    ['no name', [...APP], 'name'],
    ['an empty name', [['name', '  '], ...APP], 'name'],
    ['a name that is too long', [['name', 'x'.repeat(101)], ...APP], 'name'],
    ['no file', [['name', 'x']], 'app'],
    ['a field that does not exist', [['name', 'x'], ['colour', 'red'], ...APP], 'colour'],
    ['a file in a field that does not exist', [['name', 'x'], ['main', 'x', 'x.py'], ...APP], 'main'],
    ['two files for one', [['name', 'x'], ...APP, ...APP], 'app'],
    [
      'a path that leads out',
      [
        ['name', 'x'],
        ['files', 'x', '../app.py'],
      ],
      'files',
    ],
    [
      'an archive and files',
      [
        ['name', 'x'],
        ['archive', zip([{ name: 'app.py' }]), 'a.zip'],
        ['files', 'x', 'app.py'],
      ],
      'files',
    ],
    [
      'an archive that leads out',
      [
        ['name', 'x'],
        ['archive', zip([{ name: '../app.py' }]), 'a.zip'],
      ],
      'archive',
    ],
    [
      'something that is no archive',
      [
        ['name', 'x'],
        ['archive', 'hello', 'a.zip'],
      ],
      'archive',
    ],
  ] as [string, [string, string | Buffer, string?][], string][])(
    'with %s is refused, naming the field, and nothing is created',
    async (_what, parts, field) => {
      const answer = await send('POST', '/apps', parts);
      expect(answer.json).toMatchObject({ status: 422, field });
      expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
      expect(web.apps.list()).toEqual([]);
      expect(await readdir(join(web.folder, 'tmp'))).toEqual([]);
    },
  );

  test('from files that do not make an app leaves no app', async () => {
    web.apps.refuse = new Refusal('invalid', 'no-entrypoint', 'There is no app.py.', { field: 'archive' });
    const answer = await make();
    expect(answer.json).toMatchObject({ status: 422, code: 'no-entrypoint' });
    expect(web.apps.list()).toEqual([]);
  });

  test('under a name that is taken is a conflict, and leaves the other app alone', async () => {
    await make();
    const before = web.apps.get('demo');
    expect((await make()).json).toMatchObject({ status: 409, field: 'name' });
    expect(web.apps.get('demo')).toEqual(before);
  });

  test('from a body that is not JSON, or of another type, is refused', async () => {
    const post = (body: string, type: string) =>
      web.api('/apps', { method: 'POST', body, headers: { 'content-type': type } });
    expect((await post('{"name":', 'application/json')).json).toMatchObject({ status: 400, code: 'bad-request' });
    expect((await post('name=x', 'application/x-www-form-urlencoded')).json).toMatchObject({ status: 415 });
    expect((await post(JSON.stringify({ name: 'x'.repeat(70_000) }), 'application/json')).status).toBe(413);
    expect((await post('{"name":"x","__proto__":{"a":1}}', 'application/json')).status).toBe(400);
  });
});

describe('changing an app', () => {
  beforeEach(() => make());

  test('with only a name commits nothing', async () => {
    web.apps.committed = undefined;
    const answer = await sendJson('PATCH', '/apps/demo', { name: 'New name' });
    expect(answer.json).toMatchObject({ name: 'New name', id: 'demo', deploy: null, release: 1 });
    expect(web.apps.committed).toBeUndefined();
  });

  test('turns previews on with JSON only, and the app lists its previews', async () => {
    expect((await web.api('/apps/demo')).json).toMatchObject({ preview: null, previews_on: false, previews: [] });
    const answer = await sendJson('PATCH', '/apps/demo', { previews_on: true });
    expect(answer).toMatchObject({ status: 200, json: { id: 'demo', deploy: null } });
    web.apps.put(newPreview('demo--a-b', web.apps.get('demo').app, 'a/b', new Date()));
    expect((await web.api('/apps/demo')).json).toMatchObject({
      previews_on: true,
      previews: [{ id: 'demo--a-b', branch: 'a/b', state: 'created', release: null, last_deploy: null }],
    });
    expect((await web.api('/apps/demo--a-b')).json).toMatchObject({
      preview: { of: 'demo', branch: 'a/b' },
      previews_on: false,
    });
    expect((await sendJson('PATCH', '/apps/demo', { previews_on: 'yes' })).json).toMatchObject({
      status: 422,
      field: 'previews_on',
    });
    expect((await send('PATCH', '/apps/demo', [['previews_on', 'true']])).json).toMatchObject({
      status: 422,
      field: 'previews_on',
    });
  });

  test('with one file keeps the others, and an archive replaces them all', async () => {
    const one = await send('PATCH', '/apps/demo', [
      ['app', 'new', 'x.py'],
      ['description', 'd'],
    ]);
    expect(one.json).toMatchObject({ description: 'd', deploy: { release: 2 } });
    expect(web.apps.committed?.content).toEqual({ 'app.py': 'new', 'requirements.txt': 'streamlit' });
    await send('PATCH', '/apps/demo', [['files', 'page', 'pages/a.py']]);
    expect(Object.keys(web.apps.committed?.content ?? {})).toContain('pages/a.py');
    await send('PATCH', '/apps/demo', [['archive', zip([{ name: 'app.py', content: 'z' }]), 'a.zip']]);
    expect(web.apps.committed?.content).toEqual({ 'app.py': 'z' });
  });

  test('sets its tags and its visibility in the gallery, as JSON or as a form', async () => {
    const json = await sendJson('PATCH', '/apps/demo', { tags: [' Sales', 'sales', 'North  West'], hidden: true });
    expect(json.json).toMatchObject({ tags: ['sales', 'north west'], hidden: true, deploy: null });
    const formed = await send('PATCH', '/apps/demo', [
      ['tags', 'One, TWO,, two'],
      ['hidden', 'false'],
    ]);
    expect(formed.json).toMatchObject({ tags: ['one', 'two'], hidden: false, name: 'demo', deploy: null });
    expect((await sendJson('PATCH', '/apps/demo', { tags: [] })).json).toMatchObject({ tags: [], hidden: false });
    for (const tags of [
      ['a'.repeat(25)],
      [''],
      Array.from({ length: 9 }, (_, place) => `tag ${place}`),
      'sales',
      ['a,b'],
    ]) {
      const refused = await sendJson('PATCH', '/apps/demo', { tags });
      expect(refused.json, JSON.stringify(tags)).toMatchObject({ status: 422, code: 'field-invalid' });
    }
    expect(web.apps.get('demo').app.tags).toEqual([]);
  });

  test.each([
    [{}, 'name', '"name" is required.'],
    [{ name: '  ' }, 'name', '"name" must not be empty.'],
    [{ name: 'x'.repeat(101) }, 'name', '"name" must have at most 100 characters.'],
    [{ name: 5 }, 'name', '"name" must be of type string.'],
  ])('says in plain words what is wrong with %j', async (body, field, detail) => {
    const refused = await sendJson('POST', '/apps', body);
    expect(refused.json).toMatchObject({ status: 422, code: 'field-invalid', field, detail });
  });

  test('with refused files does not change its text fields either', async () => {
    web.apps.refuse = new Refusal('invalid', 'no-entrypoint', 'no');
    expect(
      (
        await send('PATCH', '/apps/demo', [
          ['app', 'new', 'x.py'],
          ['name', 'other'],
          ['tags', 'other'],
        ])
      ).status,
    ).toBe(422);
    expect(web.apps.get('demo').app).toMatchObject({ name: 'demo', tags: [] });
  });

  test('that does not exist is a 404 before anything is read', async () => {
    expect((await send('PATCH', '/apps/none', APP)).json).toMatchObject({ status: 404, code: 'app-not-found' });
  });
});

describe('running an app', () => {
  beforeEach(() => make());

  test.each(['start', 'stop', 'restart'])('%s returns the app', async (verb) => {
    const answer = await web.api(`/apps/demo/${verb}`, { method: 'POST' });
    expect([answer.status, answer.json.id]).toEqual([200, 'demo']);
    expect(web.apps.asked).toContain(`${verb} demo`);
  });

  test('redeploy returns the deploy to follow', async () => {
    const answer = await web.api('/apps/demo/redeploy', { method: 'POST' });
    expect(answer.status).toBe(202);
    expect(answer.json).toMatchObject({ deploy: { release: 2, by: 'admin' } });
    expect(web.apps.asked).not.toContain('fresh demo');
  });

  test('redeploy installs all packages again on request', async () => {
    expect((await web.api('/apps/demo/redeploy?fresh=1', { method: 'POST' })).status).toBe(202);
    expect(web.apps.asked).toContain('fresh demo');
    expect((await web.api('/apps/demo/redeploy?fresh=maybe', { method: 'POST' })).status).toBe(422);
  });

  test('a previously pushed branch gets its preview, and the answer is the deploy to follow', async () => {
    web.apps.stored = ['feature/x'];
    expect((await web.api('/apps/demo')).json).toMatchObject({ stored_branches: ['feature/x'] });
    const json = { 'content-type': 'application/json' };
    const answer = await web.api('/apps/demo/previews', {
      method: 'POST',
      headers: json,
      body: '{"branch":"feature/x"}',
    });
    expect([answer.status, answer.json]).toMatchObject([202, { deploy: { by: 'admin' } }]);
    expect(web.apps.asked).toContain('preview demo feature/x admin');
    expect(
      (await web.api('/apps/demo/previews', { method: 'POST', headers: json, body: '{"branch":""}' })).status,
    ).toBe(422);
  });

  test('delete asks for confirmation', async () => {
    for (const query of ['', '?confirm=', '?confirm=other', '?confirm=demo&confirm=demo']) {
      expect((await web.api(`/apps/demo${query}`, { method: 'DELETE' })).json).toMatchObject({
        status: 422,
        field: 'confirm',
      });
    }
    expect(web.apps.asked).not.toContain('remove demo');
    expect((await web.api('/apps/demo?confirm=demo', { method: 'DELETE' })).status).toBe(204);
    expect((await web.api('/apps/demo?confirm=demo', { method: 'DELETE' })).status).toBe(404);
  });

  test('a deploy can be listed, read with its log, and cancelled', async () => {
    await writeFile(join(web.folder, 'demo-1.log'), 'one\ntwo\n');
    expect((await web.api('/apps/demo/deploys')).json).toMatchObject({
      total: 1,
      deploys: [{ release: 1, live: true, seconds: 0 }],
    });
    expect((await web.api('/apps/demo/deploys/1')).json).toMatchObject({
      release: 1,
      log: { lines: ['one', 'two'], truncated: false },
    });
    expect((await web.api('/apps/demo/deploys/1/cancel', { method: 'POST' })).json).toMatchObject({ release: 1 });
    expect((await web.api('/apps/demo/deploys/9')).json).toMatchObject({ status: 404, code: 'release-not-found' });
    for (const n of ['0', '-1', 'x', '1.5', '1e99'])
      expect((await web.api(`/apps/demo/deploys/${n}`)).json, n).toMatchObject({ status: 422, field: 'n' });
  });
});

test('a compressed body is decompressed, and only its sender is told if that fails', async () => {
  await make();
  const patch = async (encoding: string, body: string | Buffer) =>
    web.api('/apps/demo', {
      method: 'PATCH',
      body,
      headers: { 'content-type': 'application/json', 'content-encoding': encoding },
    });
  expect((await patch('gzip', gzipSync('{"description":"packed"}'))).status).toBe(200);
  expect(web.apps.get('demo').app.description).toBe('packed');
  for (const encoding of ['gzip', 'br', 'deflate', 'nonsense']) {
    expect((await patch(encoding, '{}')).json, encoding).toMatchObject({ status: 415, code: 'unsupported-media-type' });
  }
  expect((await patch('gzip', gzipSync(Buffer.alloc(100_000, ' ')))).status).toBe(413);
  expect(web.logged.join('')).not.toContain('"level":50');
});

describe('the list', () => {
  beforeEach(() => {
    for (const id of ['aa', 'bb', 'cc'])
      web.apps.put({
        ...newApp(id, `Name ${id}`, new Date(0)),
        ...(id === 'bb' ? { wanted: 'stopped' as const, live: 1 } : {}),
      });
  });
  const ids = async (query: string) =>
    ((await web.api(`/apps${query}`)).json.apps as { id: string }[]).map(({ id }) => id);

  test('is filtered, sorted and paginated with links', async () => {
    expect(await ids('')).toEqual(['aa', 'bb', 'cc']);
    expect(await ids('?q=NAME%20b')).toEqual(['bb']);
    expect(await ids('?state=stopped')).toEqual(['bb']);
    expect(await ids('?state=created,stopped&sort=-name')).toEqual(['cc', 'bb', 'aa']);
    expect(await ids('?per_page=2&page=2')).toEqual(['cc']);
    expect(await ids('?page=7')).toEqual([]);
    const { link } = (await web.api('/apps?q=name&per_page=1&page=2')).headers;
    const to = (page: number, rel: string) =>
      `<${web.url}/api/apps?q=name&sort=id&page=${page}&per_page=1>; rel="${rel}"`;
    expect(link).toBe([to(1, 'first'), to(3, 'last'), to(1, 'prev'), to(3, 'next')].join(', '));
  });

  test.each(['page=0', 'page=x', 'page=-1', 'per_page=101', 'sort=size', 'state=happy', 'page=1&page=2'])(
    '%s is refused, naming the parameter',
    async (query) => {
      expect((await web.api(`/apps?${query}`)).json).toMatchObject({ status: 422, field: query.split('=')[0] });
    },
  );
});

describe('logs', () => {
  beforeEach(async () => {
    await make();
    await writeFile(join(web.folder, 'demo.log'), 'one\ntwo apples\nthree\n');
    await writeFile(join(web.folder, 'demo-1.log'), 'built\n');
  });

  test('are read from the end, searched, and returned as text on request', async () => {
    expect((await web.api('/apps/demo/logs?tail=2')).json).toEqual({
      source: 'run',
      release: 1,
      lines: ['two apples', 'three'],
      offset: 21,
      truncated: true,
    });
    expect((await web.api('/apps/demo/logs?q=APPLES')).json).toMatchObject({ lines: ['two apples'] });
    expect((await web.api('/apps/demo/logs?source=build')).json).toMatchObject({
      source: 'build',
      release: 1,
      lines: ['built'],
    });
    expect((await web.api('/apps/demo/logs', { headers: { accept: 'text/plain' } })).text).toBe(
      'one\ntwo apples\nthree\n',
    );
    const file = await web.api('/apps/demo/logs?download=1');
    expect([file.text, file.headers['content-disposition']]).toEqual([
      'one\ntwo apples\nthree\n',
      'attachment; filename="demo.log"',
    ]);
  });

  test('that do not exist yet are empty', async () => {
    await sendJson('POST', '/apps', { name: 'empty' });
    expect((await web.api('/apps/empty/logs')).json).toMatchObject({ lines: [], offset: 0 });
    expect((await web.api('/apps/empty/logs?download=1')).text).toBe('');
    expect((await web.api('/apps/empty/logs?source=build')).json).toMatchObject({ status: 404 });
    expect((await web.api('/apps/none/logs')).status).toBe(404);
  });

  test('are not left open after a HEAD request', async () => {
    const head = await web.api('/apps/demo/logs?download=1', { method: 'HEAD' });
    expect([head.status, head.text]).toEqual([200, '']);
    const open = await Promise.all(
      (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
    );
    expect(open).not.toContain(join(web.folder, 'demo.log'));
  });

  test.each(['tail=-1', 'tail=1e9', 'tail=0', 'tail=x', 'tail=', 'source=both', 'release=0', 'follow=yes', 'q='])(
    '%s is refused, naming the parameter',
    async (query) => {
      expect((await web.api(`/apps/demo/logs?${query}`)).json).toMatchObject({
        status: 422,
        field: query.split('=')[0],
      });
    },
  );

  test('are followed from the end, and resumed after the last event', async () => {
    const first = await stream('/apps/demo/logs?follow=1&tail=1');
    expect(await first.until('three')).toContain('id: 1-21\ndata: three');
    await appendFile(join(web.folder, 'demo.log'), 'four\n');
    expect(await first.until('four')).toContain('id: 1-26\ndata: four');
    first.leave();
    await appendFile(join(web.folder, 'demo.log'), 'five\n');
    const second = await stream('/apps/demo/logs?follow=1&tail=1', { 'last-event-id': '1-26' });
    const text = await second.until('five');
    expect(text).toContain('id: 1-31\ndata: five');
    expect(text).not.toContain('four');
    second.leave();
  });

  test('show a progress bar before its line is complete, without what is secret', async () => {
    web.apps.mask = async () => (line) => line.replaceAll('hidden', '***');
    const followed = await stream('/apps/demo/logs?follow=1&tail=1');
    await followed.until('three');
    await appendFile(join(web.folder, 'demo.log'), '\r 10% hidden');
    expect(await followed.until('10%')).toContain('\n\nevent: redraw\ndata:  10% ***\n\n');
    await appendFile(join(web.folder, 'demo.log'), '\r100%\n');
    expect(await followed.until('100%')).toContain('id: 1-39\ndata: 100%\n\n');
    followed.leave();
  });

  test("of an app's output continue with its next release, unless one was named, and end with the app", async () => {
    const followed = await stream('/apps/demo/logs?follow=1&tail=1');
    const named = await stream('/apps/demo/logs?follow=1&tail=1&release=1');
    await Promise.all([followed.until('three'), named.until('three')]);
    await web.api('/apps/demo/redeploy', { method: 'POST' });
    await writeFile(join(web.folder, 'demo-run-2.log'), 'of the second\n');
    expect(await followed.until('second')).toContain('id: 2-14\ndata: of the second');
    await appendFile(join(web.folder, 'demo.log'), 'of the first\n');
    expect(await named.until('first')).not.toContain('second');
    // One that lost its connection before the change misses nothing of either.
    const again = await stream('/apps/demo/logs?follow=1', { 'last-event-id': '1-15' });
    expect(await again.until('second')).toContain(
      'data: three\n\nid: 1-34\ndata: of the first\n\nid: 2-14\ndata: of the second',
    );
    await web.api('/apps/demo?confirm=demo', { method: 'DELETE' });
    for (const each of [followed, named, again]) await each.end();
  });

  test('of a build end with the build', async () => {
    const build = await stream('/apps/demo/logs?follow=1&source=build');
    expect(await build.end()).toMatch(
      /data: built\n\nevent: end\ndata: \{"release":1,"state":"live","reason":null\}\n\n$/,
    );
  });

  test('are not followed for a reader who left before the first line', async () => {
    await sendJson('POST', '/apps', { name: 'empty' });
    web.apps.mask = async () => {
      reader.destroy();
      await delay(50);
      return (line) => line;
    };
    const reader = get(`${web.url}/api/apps/empty/logs?follow=1`, { headers: { authorization: `Bearer ${TOKEN}` } });
    await once(reader, 'error');
    await delay(200);
    expect(web.apps.listeners).toBe(0);
  });

  test('end when the server does', async () => {
    const log = await stream('/apps/demo/logs?follow=1');
    await log.until('three');
    web.closing.abort();
    await log.end();
  });
});

describe('files', () => {
  beforeEach(() => make());
  const put = (path: string, body: string | Buffer, headers: Record<string, string> = {}) =>
    web.api(`/apps/demo/files/${path}`, { method: 'PUT', body, headers });

  test('are listed and read as text that no browser runs', async () => {
    expect((await web.api('/apps/demo/files')).json.files).toContainEqual({
      path: 'app.py',
      size: 16,
      url: `${web.url}/api/apps/demo/files/app.py`,
    });
    const file = await web.api('/apps/demo/files/app.py');
    expect(file.text).toBe('import streamlit');
    expect(file.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
    });
    await put('page.html', '<script>alert(1)</script>');
    expect((await web.api('/apps/demo/files/page.html')).headers['content-type']).toBe('text/plain; charset=utf-8');
    await put('bytes', Buffer.from([0, 255, 1]));
    expect((await web.api('/apps/demo/files/bytes')).headers['content-type']).toBe('application/octet-stream');
  });

  test('are written by a commit with a message', async () => {
    const added = await put('pages/1_%C3%9Cberblick.py?message=Add%20a%20page', 'x = 1');
    expect(added.status).toBe(201);
    expect(added.json).toMatchObject({ path: 'pages/1_Überblick.py', deploy: { release: 2, message: 'Add a page' } });
    const edited = await put('pages%2F1_%C3%9Cberblick.py', 'x = 2', { 'content-type': 'application/json' });
    expect([edited.status, web.apps.committed?.message]).toEqual([200, 'Edit pages/1_Überblick.py']);
    expect(web.apps.committed?.content['pages/1_Überblick.py']).toBe('x = 2');
    expect(edited.headers.etag).toBe((await web.api('/apps/demo/files/pages/1_%C3%9Cberblick.py')).headers.etag);
  });

  test('are not written over a change that the sender has not seen', async () => {
    const { headers } = await web.api('/apps/demo/files/app.py');
    for (const [asked, status] of [
      [headers.etag ?? '', 304],
      [`W/${headers.etag ?? ''}, "x"`, 304],
      ['"x"', 200],
    ] as const) {
      const again = await web.api('/apps/demo/files/app.py', { headers: { 'if-none-match': asked } });
      expect([again.status, again.text === '']).toEqual([status, status === 304]);
      expect(again.headers.etag).toBe(headers.etag);
    }
    const { etag = '' } = (await web.api('/apps/demo/files/app.py')).headers;
    const answers = await Promise.all(['mine', 'yours'].map((text) => put('app.py', text, { 'if-match': etag })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
    const winner = answers[0]?.status === 200 ? 'mine' : 'yours';
    expect(web.apps.committed?.content['app.py']).toBe(winner);
    expect((await put('app.py', 'x', { 'if-none-match': '*' })).json).toMatchObject({
      status: 412,
      code: 'file-exists',
    });
    expect((await put('new.py', 'x', { 'if-match': '*' })).status).toBe(412);
    expect((await put('new.py', 'x', { 'if-none-match': '*' })).status).toBe(201);
  });

  test('are deleted by a commit', async () => {
    const answer = await web.api('/apps/demo/files/requirements.txt', { method: 'DELETE' });
    expect([answer.status, Object.keys(web.apps.committed?.content ?? {})]).toEqual([200, ['app.py']]);
    expect((await web.api('/apps/demo/files/requirements.txt', { method: 'DELETE' })).status).toBe(404);
  });

  test.each(['..%2f..%2fetc%2fpasswd', '%2fetc%2fpasswd', 'a%00b', 'a%5cb', '.git%2fconfig', '%2e%2e%2fx'])(
    '%s is refused, and nothing is committed',
    async (path) => {
      web.apps.committed = undefined;
      expect((await put(path, 'evil')).json).toMatchObject({ status: 422, field: 'path' });
      expect(web.apps.committed).toBeUndefined();
    },
  );

  test('of more than 5 MB are refused', async () => {
    expect((await put('big', Buffer.alloc(5_000_001))).json).toMatchObject({ status: 413 });
    expect(await readdir(join(web.folder, 'tmp'))).toEqual([]);
  });
});

test('every change of an app is streamed, after a snapshot of all apps', async () => {
  await make();
  const events = await stream('/events');
  expect(await events.until('snapshot')).toMatch(/event: snapshot\ndata: \{"apps":\[\{"id":"demo"/);
  await web.apps.describe('demo', { name: 'Renamed' });
  expect(await events.until('Renamed')).toMatch(/event: app\ndata: \{"id":"demo"/);
  await web.apps.remove('demo');
  expect(await events.until('removed')).toContain('event: removed\ndata: {"id":"demo"}');
  expect(web.apps.listeners).toBe(1);
  events.leave();
  while (web.apps.listeners > 0) await new Promise((resolve) => setImmediate(resolve));
});

test('the server stops after its answer, with its apps by default', async () => {
  expect((await web.api('/server/stop', { method: 'POST' })).json).toEqual({ stopping: true, keep_apps: false });
  expect((await sendJson('POST', '/server/stop', { keep_apps: true })).status).toBe(202);
  expect((await sendJson('POST', '/server/stop', { keep_apps: 'yes' })).json).toMatchObject({
    status: 422,
    field: 'keep_apps',
  });
  while (web.stopped.length < 2) await new Promise((resolve) => setImmediate(resolve));
  expect(web.stopped).toEqual([{ keepApps: false }, { keepApps: true }]);
});

describe('a request without a body', () => {
  test('replaces nothing, whatever it is sent to', async () => {
    await make();
    const stored = () => JSON.stringify([[...web.apps.configs], web.apps.get('demo'), web.apps.committed?.content]);
    await sendJson('PUT', '/apps/demo/secrets', { toml: 'key = 1' });
    await sendJson('PUT', '/apps/demo/config', { vars: { KEY: 'value' } });
    const before = stored();
    expect(before).toContain('key = 1');
    const { paths } = (await web.api('/openapi.json')).json as { paths: Record<string, Record<string, unknown>> };
    const replacing = Object.keys(paths).filter((path) => 'put' in (paths[path] ?? {}));
    expect(replacing).toEqual(expect.arrayContaining(['/apps/{id}/secrets', '/apps/{id}/files/{path}']));
    for (const path of replacing) {
      const to = path.replace('{id}', 'demo').replace('{path}', 'app.py').replace('{who}', 'group:sales');
      const refused = await web.api(to, { method: 'PUT' });
      expect([to, refused.status, refused.json.code]).toEqual([to, 422, 'body-missing']);
      expect(refused.json.detail).toContain('The request has no body, so nothing was changed.');
      expect(paths[path]?.put).toMatchObject({ requestBody: { required: true } });
    }
    expect(stored()).toBe(before);
  });

  test('is told from an empty file, and empty secrets from none', async () => {
    await make();
    const empty = await web.api('/apps/demo/files/pages/__init__.py', {
      method: 'PUT',
      body: '',
      headers: { 'content-type': 'text/plain' },
    });
    expect([empty.status, web.apps.committed?.content['pages/__init__.py']]).toEqual([201, '']);
    await sendJson('PUT', '/apps/demo/secrets', { toml: 'key = 1' });
    for (const body of ['', '\n', ' \r\n']) {
      const refused = await web.api('/apps/demo/secrets', {
        method: 'PUT',
        body,
        headers: { 'content-type': 'text/plain' },
      });
      expect([body, refused.status, refused.json.code]).toEqual([body, 422, 'secrets-empty']);
    }
    expect((await web.api('/apps/demo/secrets')).json.keys).toEqual(['key']);
    expect((await sendJson('PUT', '/apps/demo/secrets', { toml: '' })).json.keys).toEqual([]);
  });
});

describe('a body of another type', () => {
  test('is not taken for none', async () => {
    const stop = async (headers: Record<string, string>) =>
      web.api('/server/stop', { method: 'POST', body: '{"keep_apps":true}', headers });
    expect((await stop({ 'content-type': 'application/merge-patch+json' })).json).toMatchObject({ keep_apps: true });
    // Without a length, as a program sends what it makes on the way.
    const refused = await web.api('/server/stop', {
      method: 'POST',
      body: '{"keep_apps":true}',
      headers: { 'transfer-encoding': 'chunked' },
    });
    expect([refused.status, refused.json.code]).toEqual([415, 'unsupported-media-type']);
    while (web.stopped.length < 1) await new Promise((resolve) => setImmediate(resolve));
    expect(web.stopped).toEqual([{ keepApps: true }]);
  });

  test('is not stored as a file', async () => {
    await make();
    const refused = await web.api('/apps/demo/files/app.py', {
      method: 'PUT',
      ...(await form([['file', 'x = 1', 'app.py']])),
    });
    expect([refused.status, refused.json.detail]).toEqual([415, 'Send the file itself as the body, not in a form.']);
    expect(web.apps.committed?.content['app.py']).toBe('import streamlit');
  });
});

interface Stream {
  until(text: string): Promise<string>;
  end(): Promise<string>;
  leave(): void;
}

async function stream(path: string, headers: Record<string, string> = {}): Promise<Stream> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get(
      `${web.url}/api${path}`,
      { headers: { authorization: `Bearer ${TOKEN}`, ...headers }, agent: false },
      resolve,
    ).on('error', reject);
  });
  expect(answer.headers['content-type']).toBe('text/event-stream; charset=utf-8');
  let text = '';
  let heard = (): void => undefined;
  answer.setEncoding('utf8');
  answer.on('data', (chunk: string) => {
    text += chunk;
    heard();
  });
  const ended = new Promise<void>((resolve) => answer.on('close', resolve));
  return {
    async until(wanted) {
      while (!text.includes(wanted) || !text.endsWith('\n\n')) await new Promise<void>((resolve) => (heard = resolve));
      return text;
    },
    end: () => ended.then(() => text),
    leave: () => answer.destroy(),
  };
}
