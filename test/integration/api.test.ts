import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { startHost, TOKEN, until, type TestHost } from '../helpers/host.js';
import { Project, run, textApp } from '../helpers/project.js';
import { ask } from '../helpers/web.js';
import { zip } from '../unit/web/upload/archives.js';
import { OPENED } from '../helpers/forms.js';

interface Deploy {
  release: number;
  state: string;
  reason: string | null;
  url: string;
  log_url: string;
}

interface App {
  id: string;
  name: string;
  state: string;
  access_url: string;
  git_url: string;
  release: number | null;
  port: number | null;
  pid: number | null;
  uptime_seconds: number | null;
  deploy: Deploy;
}

let host: TestHost;
beforeAll(async () => {
  host = await startHost();
});

const bearer = { authorization: `Bearer ${TOKEN}` };

function formOf(parts: Record<string, string | [content: string | Buffer, name: string]>): FormData {
  const form = new FormData();
  for (const [field, value] of Object.entries(parts)) {
    if (typeof value === 'string') form.append(field, value);
    else form.append(field, new Blob([new Uint8Array(Buffer.from(value[0]))]), value[1]);
  }
  return form;
}

async function json<T>(answer: Promise<Response> | Response): Promise<T> {
  return (await (await answer).json()) as T;
}

const post = (path: string) => host.api(path, { method: 'POST' });

/** Follows a deploy's log to its end, as a script would. */
async function follow(deploy: Deploy): Promise<{ text: string; state: string }> {
  const answer = await fetch(deploy.log_url, { headers: bearer });
  const text = await answer.text();
  const end = /event: end\ndata: (.*)\n/.exec(text);
  return { text, state: (JSON.parse(end?.[1] ?? '{}') as Deploy).state };
}

const running = (id: string) =>
  until(`${id} runs`, async () => {
    const app = await json<App>(host.api(`/apps/${id}`));
    return app.state === 'running' ? app : undefined;
  });

const files = textApp('made by a form');
const twoFiles = {
  requirements: [files['requirements.txt'] ?? '', 'requirements.txt'] as [string, string],
  app: [files['app.py'] ?? '', 'demo_app.py'] as [string, string],
};

describe('an app created with a form', () => {
  let made: App;

  test('returns its URL and its deploy, whose log can be followed until it is live', async () => {
    const answer = await host.api('/apps', { method: 'POST', body: formOf({ name: 'demo', ...twoFiles }) });
    expect(answer.status).toBe(201);
    made = await json<App>(answer);
    expect(made).toMatchObject({ id: 'demo', access_url: `${host.url}/apps/demo/`, deploy: { release: 1 } });
    const { text, state } = await follow(made.deploy);
    expect(state, text).toBe('live');
    const app = await running('demo');
    expect(app.release).toBe(1);
    expect(app.port).toBeNull();
    expect(app.pid).toBeGreaterThan(0);
    expect(app.uptime_seconds).toBeGreaterThanOrEqual(0);
    expect((await fetch(app.access_url)).status).toBe(200);
  });

  test('can be cloned and pushed to', async () => {
    const project = await Project.create();
    const cloned = await run('git', ['clone', host.remote('demo'), 'clone'], project.folder);
    expect(cloned.code, cloned.output).toBe(0);
    const folder = join(project.folder, 'clone');
    expect((await readdir(folder)).sort()).toEqual(['.git', 'app.py', 'requirements.txt']);
    const clone = new Project(folder);
    expect((await clone.git('log', '--format=%an %s')).output).toBe('admin Upload app.py, requirements.txt\n');
    await clone.commit({ 'notes.txt': 'pushed' }, 'Push after a form');
    const pushed = await clone.git('push', 'origin', 'HEAD');
    expect(pushed.code, pushed.output).toBe(0);
    expect(
      (await json<{ files: { path: string }[] }>(host.api('/apps/demo/files'))).files.map(({ path }) => path),
    ).toContain('notes.txt');
  });

  test('is edited by PUT, one commit and one deploy each, and a stale editor cannot undo that', async () => {
    const before = await host.api('/apps/demo/files/app.py');
    const etag = before.headers.get('etag') ?? '';
    const put = (body: string) =>
      host.api('/apps/demo/files/app.py?message=Edit%20it', { method: 'PUT', body, headers: { 'if-match': etag } });
    const saved = await put(files['app.py']?.replace('made by a form', 'edited') ?? '');
    expect(saved.status).toBe(200);
    const { deploy } = await json<{ deploy: Deploy }>(saved);
    expect((await put('stale')).status).toBe(412);
    expect((await follow(deploy)).state).toBe('live');
    expect(await (await host.api('/apps/demo/files/app.py')).text()).toContain('edited');
    expect((await running('demo')).release).toBe(deploy.release);
  });

  test('is renamed without a restart', async () => {
    const before = await running('demo');
    const answer = await host.api('/apps/demo', {
      method: 'PATCH',
      body: JSON.stringify({ name: 'Übersicht 📈' }),
      headers: { 'content-type': 'application/json' },
    });
    expect(await json<App>(answer)).toMatchObject({
      id: 'demo',
      name: 'Übersicht 📈',
      deploy: null,
      pid: before.pid,
      release: before.release,
    });
  });

  test('keeps serving when an update cannot be built', async () => {
    const before = await running('demo');
    const answer = await host.api('/apps/demo', {
      method: 'PATCH',
      body: formOf({ requirements: ['streamlit\nno-such-package-of-these-tests==1\n', 'r.txt'] }),
    });
    const { text, state } = await follow((await json<App>(answer)).deploy);
    expect(state, text).toBe('failed');
    expect(text).toContain('no-such-package-of-these-tests');
    const after = await running('demo');
    expect([after.pid, after.release]).toEqual([before.pid, before.release]);
    expect((await fetch(after.access_url)).status).toBe(200);
  });

  test('lists its deploys, newest first, and cancelling a finished deploy does nothing', async () => {
    const { deploys } = await json<{ deploys: Deploy[] }>(host.api('/apps/demo/deploys'));
    expect(deploys.map(({ release }) => release)).toEqual([4, 3, 2, 1]);
    expect(deploys[0]).toMatchObject({ state: 'failed' });
    expect(deploys[0]?.reason).toMatch(/\S/);
    for (let i = 0; i < 2; i += 1)
      expect(await json<Deploy>(post('/apps/demo/deploys/4/cancel'))).toMatchObject({ release: 4, state: 'failed' });
    expect(
      (await json<{ log: { lines: string[] } }>(host.api('/apps/demo/deploys/1'))).log.lines.length,
    ).toBeGreaterThan(1);
  });

  test('never loses a folder to a file of the same name, or the reverse', async () => {
    const paths = async (): Promise<string[]> =>
      (await json<{ files: { path: string }[] }>(host.api('/apps/demo/files'))).files.map(({ path }) => path);
    const added = await host.api('/apps/demo/files/pages/1_More.py', { method: 'PUT', body: 'import streamlit\n' });
    expect((await follow((await json<{ deploy: Deploy }>(Promise.resolve(added))).deploy)).state).toBe('live');
    const before = await paths();
    for (const [path, why] of [
      ['pages', 'pages cannot be a file because it is a folder of the project'],
      ['app.py/x.txt', 'app.py/x.txt cannot be a file because app.py is a file of the project'],
    ] as const) {
      const refused = await host.api(`/apps/demo/files/${path}`, { method: 'PUT', body: 'text' });
      expect([refused.status, ((await refused.json()) as { detail: string }).detail]).toEqual([
        409,
        expect.stringContaining(why),
      ]);
    }
    expect(await paths()).toEqual(before);
  });

  test('stops, stays stopped, starts and restarts, and repeating each is safe', async () => {
    for (let i = 0; i < 2; i += 1) expect((await json<App>(post('/apps/demo/stop'))).state).toBe('stopped');
    expect(await json<App>(host.api('/apps/demo'))).toMatchObject({ state: 'stopped', uptime_seconds: null });
    for (let i = 0; i < 2; i += 1) expect((await post('/apps/demo/start')).status).toBe(200);
    const started = await running('demo');
    expect((await post('/apps/demo/restart')).status).toBe(200);
    await until('another process serves', async () => {
      const { pid, state } = await json<App>(host.api('/apps/demo'));
      return state === 'running' && pid !== started.pid;
    });
    expect((await fetch(started.access_url)).status).toBe(200);
  });

  test('has a log that can be read, searched and followed', async () => {
    const { lines } = await json<{ lines: string[] }>(host.api('/apps/demo/logs?tail=5'));
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThanOrEqual(5);
    expect((await host.api('/apps/demo/logs?tail=-1')).status).toBe(422);
    const leave = new AbortController();
    const stream = await host.api('/apps/demo/logs?follow=1&tail=1', { signal: leave.signal });
    expect(stream.headers.get('content-type')).toContain('text/event-stream');
    leave.abort();
  });

  test('can be redeployed, and streams each step', async () => {
    const leave = new AbortController();
    const stream = await host.api('/events', { signal: leave.signal });
    const log = await host.api('/apps/demo/logs?follow=1&tail=1', { signal: leave.signal });
    const answer = await post('/apps/demo/redeploy');
    expect(answer.status).toBe(202);
    const { deploy } = await json<App>(answer);
    let text = '';
    for await (const part of (stream.body ?? raise('the events have no body')).pipeThrough(new TextDecoderStream())) {
      text += part;
      if (eventsOf(text).some((event) => event.release === deploy.release)) break;
    }
    expect(eventsOf(text).at(-1)).toMatchObject({ id: 'demo', release: deploy.release });
    expect(text).toMatch(/^retry: 2000\n\nevent: snapshot\n/);
    expect(text).toContain('event: app\n');
    // Who follows what it prints goes on with the release that went live.
    const started = `id: ${deploy.release}-`;
    let printed = '';
    for await (const part of (log.body ?? raise('the log has no body')).pipeThrough(new TextDecoderStream())) {
      printed += part;
      if (printed.includes(started)) break;
    }
    expect(printed).toMatch(/data: \[[^\]]+\] started pid=\d+/);
    leave.abort();
  });

  test('is deleted with everything once the id is confirmed', async () => {
    expect((await host.api('/apps/demo', { method: 'DELETE' })).status).toBe(422);
    expect((await host.api('/apps/demo?confirm=demo', { method: 'DELETE' })).status).toBe(204);
    expect((await host.api('/apps/demo')).status).toBe(404);
    expect((await fetch(made.access_url)).status).toBe(404);
    expect(await readdir(join(host.data, 'apps'))).toEqual([]);
  });
});

describe('a refused request leaves nothing behind', () => {
  test.each([
    [
      'an archive that leads out',
      { archive: [zip([{ name: 'app.py' }, { name: '../../evil.py', content: 'x' }]), 'a.zip'] },
      422,
      'archive',
    ],
    [
      'an archive with a link',
      { archive: [zip([{ name: 'app.py' }, { name: 'x', content: '/etc/passwd', mode: 0o120777 }]), 'a.zip'] },
      422,
      'archive',
    ],
    [
      'an archive without an entrypoint',
      { archive: [zip([{ name: 'readme.md', content: 'x' }, { name: 'data.csv' }]), 'a.zip'] },
      422,
      undefined,
    ],
    ['a form without a file', {}, 422, 'app'],
  ] as [string, Record<string, [Buffer, string]>, number, string | undefined][])(
    '%s',
    async (_what, parts, status, field) => {
      const answer = await host.api('/apps', { method: 'POST', body: formOf({ name: 'refused', ...parts }) });
      const problem = await json<{ status: number; detail: string; field?: string }>(answer);
      expect(problem.status, problem.detail).toBe(status);
      if (field !== undefined) expect(problem.field).toBe(field);
      expect((await json<{ total: number }>(host.api('/apps'))).total).toBe(0);
      expect(await readdir(join(host.data, 'apps'))).toEqual([]);
      expect((await readdir(join(host.data, 'tmp'))).filter((name) => name.startsWith('upload-'))).toEqual([]);
    },
  );

  test('a name that is taken, however it is sent', async () => {
    const create = (name: string) =>
      host.api('/apps', {
        method: 'POST',
        body: JSON.stringify({ name }),
        headers: { 'content-type': 'application/json' },
      });
    const ids = [];
    for (const name of ['Umsatz Übersicht', '売上 📈', 'two words']) {
      const answer = await create(name);
      expect(answer.status).toBe(201);
      const app = await json<App>(answer);
      expect(app.name).toBe(name);
      ids.push(app.id);
    }
    expect(ids[0]).toBe('umsatz-ubersicht');
    for (const id of ids) expect(id).toMatch(/^[a-z0-9][a-z0-9-]*[a-z0-9]$/);
    expect((await create('two words')).status).toBe(409);
    for (const id of ids) expect((await host.api(`/apps/${id}?confirm=${id}`, { method: 'DELETE' })).status).toBe(204);
  });
});

test('the printed login link opens the console once', async () => {
  // Node's fetch is a script, as one in an app's page would be: it neither logs in nor uses the link up.
  expect((await fetch(host.loginUrl, { redirect: 'manual' })).status).toBe(403);
  const first = await ask(host.loginUrl, { headers: OPENED });
  expect(first.status).toBe(303);
  const [cookie = ''] = first.headers['set-cookie']?.[0]?.split(';') ?? [];
  expect(
    (
      await ask(`${host.url}/console/`, {
        headers: { cookie, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
      })
    ).status,
  ).toBe(200);
  expect((await fetch(`${host.url}/console/`, { headers: { cookie } })).status).toBe(403);
  expect((await ask(host.loginUrl, { headers: OPENED })).status).toBe(401);
});

test('neither the token nor a login code appears in later output or in any log', () => {
  expect(host.output.replace(host.loginUrl, '')).not.toContain(TOKEN);
  expect(host.output.replace(host.loginUrl, '')).not.toContain(new URL(host.loginUrl).searchParams.get('code'));
});

/** What the whole events "app" of a stream say. */
function eventsOf(text: string): { id: string; release: number | null }[] {
  return [...text.matchAll(/^event: app\ndata: (.*)\n\n/gm)].map(
    ([, data]) => JSON.parse(data ?? '') as { id: string; release: number | null },
  );
}

function raise(what: string): never {
  throw new Error(what);
}
