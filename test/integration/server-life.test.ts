import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { App } from '../../src/domain/app/app.js';
import { UNCOMPILED } from '../../src/environments/compiler.js';
import { isRunning, startTimeOf } from '../../src/runtime/process/proc.js';
import { scratch } from '../helpers/ends.js';
import { readMeta, startHost, until, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';

// One data folder and one app live through all of it: servers come and go.

const APP = `import os
import streamlit as st

st.session_state.n = st.session_state.get("n", 0) + 1
st.text("count=%d" % st.session_state.n)
st.text("release=" + os.environ["STREAMLIT_HOST_RELEASE"])
`;

let host: TestHost;
let data: string;
let mark: string;
let project: Project;
const strangers: ChildProcess[] = [];

beforeAll(async () => {
  host = await startHost();
  data = host.data;
  mark = createHash('sha256')
    .update(await realpath(data))
    .digest('hex')
    .slice(0, 16);
  project = await Project.create({ 'app.py': APP, 'requirements.txt': 'streamlit\n' });
  await pushLive(project, host, 'demo');
});

afterAll(async () => {
  for (const stranger of strangers) stranger.kill('SIGKILL');
});

async function pid(): Promise<number> {
  return until('the app runs', async () => {
    const app = await host.app('demo');
    return app.state === 'running' && Number(app.pid);
  });
}

function page(session?: string, path?: string): Promise<StreamlitClient> {
  return StreamlitClient.connect(`${host.url}/apps/demo/`, { ...(session && { session }), ...(path && { path }) });
}

/** Everything in the process table that carries this server's mark. */
async function marked(): Promise<number[]> {
  const pids: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '');
    if (environment.includes(`STREAMLIT_HOST_CHILD=${mark}`)) pids.push(Number(name));
  }
  return pids;
}

/** A process that is not the platform's child. */
function stranger(env: Record<string, string> = {}): number {
  const child = spawn('sleep', ['600'], {
    env: { PATH: process.env.PATH ?? '', ...env },
    detached: true,
    stdio: 'ignore',
  });
  strangers.push(child);
  return child.pid ?? 0;
}

async function edit(change: (app: App) => void): Promise<void> {
  const app = (await readMeta(host, 'demo')) as unknown as App;
  change(app);
  await writeFile(join(data, 'apps', 'demo', 'meta.json'), JSON.stringify(app));
}

/** What a server that cannot start says, and with what code it ends. */
async function failure(options: Parameters<typeof startHost>[0]): Promise<{ code: number; lines: string[] }> {
  const started = await startHost(options).then(
    (unexpected) => unexpected.stop({ keepData: true }).then(() => 'it started'),
    (error: unknown) => (error as Error).message,
  );
  const match = /^the server ended with (\d+):\n([^]*)$/.exec(started);
  if (match === null) throw new Error(started);
  const lines = (match[2] ?? '').split('\n').filter((line) => line !== '' && !line.startsWith('{'));
  return { code: Number(match[1]), lines };
}

test('an app and the sessions on its pages outlive a server that is killed', async () => {
  const before = await pid();
  const open = await page();
  await open.run();
  expect(await open.run()).toContain('count=2');
  const [{ environment = '' } = {}] = (await readMeta(host, 'demo')).releases as { environment?: string }[];
  const uncompiled = join(data, 'environments', environment, UNCOMPILED);
  await writeFile(uncompiled, '{"caged":true}');
  await host.signal('SIGKILL');
  await until('the page lost its connection', () => !open.isOpen);
  expect(isRunning({ pid: before, startTime: startTimeOf(before) ?? '' })).toBe(true);

  host = await startHost({ data });
  // No wait: it serves from its first moment on.
  const answer = await fetch(`${host.url}/apps/demo/_stcore/health`);
  expect([answer.status, await answer.text()]).toEqual([200, 'ok']);
  expect(await pid()).toBe(before);
  const again = await page(open.session);
  expect(await again.run()).toContain('count=3');
  expect(again.session).toBe(open.session);
  await until('what it had still to compile is done', () => !existsSync(uncompiled));
  await again.close();
});

test('a server that is told to stop leaves the apps running, and the next one adopts them', async () => {
  const before = await pid();
  const open = await page();
  await open.run();
  expect(await host.signal('SIGTERM')).toBe(0);
  expect(await marked()).toContain(before);
  host = await startHost({ data });
  expect(await pid()).toBe(before);
  const again = await page(open.session);
  expect(await again.run()).toContain('count=2');
  await again.close();
  // Although it is not a child of this server, its end is seen.
  process.kill(before, 'SIGKILL');
  await until('it was started again', async () => (await pid()) !== before);
});

test('a second server on the same data says that one is already running, and does it no harm', async () => {
  const before = await pid();
  const { code, lines } = await failure({ data });
  expect(code).toBe(1);
  expect(lines).toEqual([expect.stringMatching(/^streamlit-host: A server is already running on .*\(pid \d+\)\.$/)]);
  expect(await pid()).toBe(before);
  expect((await fetch(`${host.url}/apps/demo/_stcore/health`)).status).toBe(200);
});

test('an unrecorded process of an earlier server is stopped, and one that only looks like it is not touched', async () => {
  const before = await pid();
  await host.signal('SIGKILL');
  const orphan = stranger({ STREAMLIT_HOST_CHILD: `${mark}/demo/7/lost` });
  const build = stranger({ STREAMLIT_HOST_CHILD: `${mark}/build` });
  const left = stranger({ STREAMLIT_HOST_CHILD: `${mark}/demo/1/its-leader-is-gone` });
  const neighbour = stranger({ STREAMLIT_HOST_CHILD: '0123456789abcdef/demo/1/another-server' });
  const reused = stranger();
  const markless = stranger();
  const facts = { runtime: 'process', port: 1, startedAt: new Date().toISOString() };
  await edit((app) => {
    app.processes.push(
      { release: 1, pid: reused, startTime: '1', mark: `${mark}/demo/1/reused`, ...facts },
      { release: 1, pid: markless, startTime: startTimeOf(markless) ?? '', mark: '', ...facts },
      { release: 99, pid: reused, startTime: '2', mark: `${mark}/demo/99/unknown`, ...facts },
      { release: 1, pid: reused, startTime: '3', mark: `${mark}/demo/1/its-leader-is-gone`, ...facts },
    );
  });
  const runs = (one: number): boolean => startTimeOf(one) !== undefined;
  host = await startHost({ data });
  expect([orphan, build, left].map(runs)).toEqual([false, false, false]);
  expect([reused, markless, neighbour].map(runs)).toEqual([true, true, true]);
  expect(await pid()).toBe(before);
  await until('the record is true again', async () => {
    const { processes } = (await readMeta(host, 'demo')) as unknown as App;
    return processes.length === 1 && processes[0]?.pid === before;
  });
});

test('a page open on an older release stays on it when the server is killed and restarted', async () => {
  const open = await page();
  await open.run();
  await project.commit({ 'app.py': `${APP}st.text("changed")\n` }, 'Change');
  await pushLive(project, host, 'demo');
  expect(await open.run()).toEqual(['count=2', 'release=1']);
  await host.signal('SIGKILL');
  await until('the page lost its connection', () => !open.isOpen);
  host = await startHost({ data });
  const again = await page(open.session, '/apps/demo/~1');
  expect(await again.run()).toEqual(['count=3', 'release=1']);
  const fresh = await page();
  expect(await fresh.run()).toEqual(['count=1', 'release=2', 'changed']);
  await Promise.all([again.close(), fresh.close()]);
});

test("a server that is told to stop during an app's start does not wait for it, and the next one continues", async () => {
  const source = join(data, 'apps', 'demo', 'releases', '2', 'source');
  expect((await host.api('/apps/demo/stop', { method: 'POST' })).status).toBe(200);
  // An app that is a server itself is imported before it serves, so that it can take its time.
  const main = join(source, 'app.py');
  const before = await readFile(main, 'utf8');
  await writeFile(
    main,
    'import time\nimport streamlit as st\nprint("taking my time", flush=True)\ntime.sleep(600)\napp = st.App("page.py")\n',
  );
  await host.api('/apps/demo/start', { method: 'POST' });
  const starting = await until('it is being started', async () => Number((await host.app('demo')).pid) || undefined);
  await until('it takes its time', async () =>
    (await readFile(join(data, 'apps/demo/run.log'), 'utf8')).includes('taking my time'),
  );
  const begun = Date.now();
  expect(await host.signal('SIGTERM')).toBe(0);
  expect(Date.now() - begun).toBeLessThan(15_000);
  expect(startTimeOf(starting)).toBeDefined();
  await writeFile(main, before);
  host = await startHost({ data });
  expect((await host.app('demo')).state).toBe('starting');
  expect((await host.api('/apps/demo/stop', { method: 'POST' })).status).toBe(200);
  expect(startTimeOf(starting)).toBeUndefined();
  expect((await host.api('/apps/demo/start', { method: 'POST' })).status).toBe(200);
  await pid();
});

test('a server whose port is taken says so in one line, exits with 1, and has touched nothing', async () => {
  const folder = await scratch('streamlit-host-');
  const taken = createServer();
  taken.listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  try {
    expect(await failure({ data: folder, env: { STREAMLIT_HOST_PORT: String(port) } })).toEqual({
      code: 1,
      lines: [`streamlit-host: Port ${port} is already in use. Set STREAMLIT_HOST_PORT to another port.`],
    });
  } finally {
    await once(taken.close(), 'close');
  }
});

test('a server with an invalid data folder or settings says so, one line per mistake, without a stack', async () => {
  const folder = await scratch('streamlit-host-');
  await writeFile(join(folder, 'file'), '');
  const unwritable = await failure({ data: folder, env: { STREAMLIT_HOST_DATA: join(folder, 'file') } });
  expect(unwritable).toEqual({
    code: 1,
    lines: [expect.stringMatching(/^streamlit-host: Cannot write to the data folder .*file/)],
  });
  const wrong = await failure({
    data: folder,
    env: {
      STREAMLIT_HOST_PORT: 'eighty',
      STREAMLIT_HOST_PORT_MIN: '9000',
      STREAMLIT_HOST_PORT_MAX: '8000',
      STREAMLIT_HOST_TOKEN: 'short',
    },
  });
  expect(wrong.code).toBe(2);
  expect(wrong.lines).toHaveLength(3);
  for (const name of ['PORT ', 'PORT_MIN ', 'TOKEN '])
    expect(wrong.lines.join('\n')).toContain(`STREAMLIT_HOST_${name}`);
});

test('stopping the server with its apps leaves none of our processes', async () => {
  await pid();
  expect(await marked()).not.toEqual([]);
  await host.stop({ keepData: true });
  expect(await marked()).toEqual([]);
  host = await startHost({ data });
  // What was wanted is still wanted.
  await pid();
});
