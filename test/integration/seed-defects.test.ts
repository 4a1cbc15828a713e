import { chmod, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { startTimeOf } from '../../src/runtime/process/proc.js';
import { scratch } from '../helpers/ends.js';
import { ROOT, startHost, TOKEN, until, type TestHost } from '../helpers/host.js';
import { below, fileApp, freePorts, Installation } from '../helpers/installation.js';
import { run } from '../helpers/project.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';

// What was broken where folders of apps come from, and must hold here; one test for each. One server lives through all of it.

interface AppAnswer {
  state: string;
  pid: number | null;
  port: number | null;
  name: string;
  restarts: number;
  folder: string | null;
}

/** Leaves a child behind that its process does not wait for, and says good-bye where it is asked to end. */
const PARENT = `import atexit, subprocess, sys
import streamlit as st

if not hasattr(sys, "child"):
    sys.child = subprocess.Popen(["sleep", "600"])
    atexit.register(lambda: open("goodbye.txt", "w").write("asked"))
st.text("child=%d" % sys.child.pid)
`;

let place: Installation;
let home: string;
let host: TestHost;
let ports: number[];

beforeAll(async () => {
  [place, home, ports] = [await Installation.create(), await scratch('home-'), await freePorts(2)];
  await place.write({
    ...below('apps/reports', fileApp('a report')),
    ...below('apps/parent', { 'app.py': PARENT, 'requirements.txt': 'streamlit\n' }),
  });
  await place.setConfig({
    apps: {
      reports: { name: 'Reports', url: '/reports/', dir: 'apps/reports', port: ports[0], restart_on_crash: true },
    },
  });
  host = await startHost({ env: env() });
  await Promise.all(['reports', 'parent'].map(running));
});

/** A page that was closed is not waited for, so that old processes end at once. */
function env(): Record<string, string> {
  return { ...place.env, HOME: home, STREAMLIT_HOST_SESSION_TTL_SECONDS: '1' };
}

async function app(id: string): Promise<AppAnswer> {
  return (await host.app(id)) as unknown as AppAnswer;
}

async function running(id: string, but?: number): Promise<AppAnswer & { pid: number }> {
  return until(`${id} runs`, async () => {
    const answer = await app(id);
    return answer.state === 'running' && answer.pid !== null && answer.pid !== but && { ...answer, pid: answer.pid };
  });
}

async function post(path: string): Promise<Response> {
  return host.api(path, { method: 'POST' });
}

async function refresh(): Promise<Record<string, string>> {
  const { apps } = (await (await post('/refresh')).json()) as { apps: { app: string; outcome: string }[] };
  return Object.fromEntries(apps.map(({ app: id, outcome }) => [id, outcome]));
}

async function shown(id: string): Promise<string> {
  const client = await StreamlitClient.connect(`${host.url}/apps/${id}/`);
  try {
    return (await client.run()).join('\n');
  } finally {
    await client.close();
  }
}

/** The addresses at which something listens on a port, as the kernel writes them. */
async function listening(port: number): Promise<string[]> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const rows = (
    await Promise.all(['tcp', 'tcp6'].map((table) => readFile(`/proc/net/${table}`, 'utf8').catch(() => '')))
  )
    .join('\n')
    .split('\n');
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter((fields) => fields[3] === '0A' && fields[1]?.endsWith(`:${hex}`))
    .map((fields) => fields[1] ?? '');
}

async function environmentOf(pid: number): Promise<string[]> {
  return (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0');
}

/** Everything that runs for an app. */
async function processesOf(id: string): Promise<number[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    names.map(async (name) => {
      const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '');
      const ours = environment.includes(`\0STREAMLIT_HOST_STORAGE=${host.data}/apps/${id}/`);
      return ours && startTimeOf(Number(name)) !== undefined ? Number(name) : undefined;
    }),
  );
  return found.filter((pid) => pid !== undefined);
}

test("1: apps are reached through the server's one port, and never directly", async () => {
  const { port } = await running('reports');
  expect(await listening(port ?? 0)).toEqual([expect.stringMatching(/^0100007F:/)]);
  const answer = await fetch(`${host.url}/reports/`, { headers: { accept: 'text/html' } });
  const html = await answer.text();
  expect(answer.url).toBe(`${host.url}/apps/reports/`);
  expect(html).not.toMatch(/<iframe|:\d{4,5}\//);
  expect(await shown('reports')).toContain('a report');
});

test('2: a virtual environment is found by each of its usual names, and a configured one that is missing is reported', async () => {
  await place.makeVenv(place.path('apps/with-env/env'), host, 'reports');
  await place.makeVenv(place.path('apps/with-venv/venv'), host, 'reports');
  const files = { 'app.py': 'import streamlit as st\nst.text("ok")\n' };
  await place.write({ ...below('apps/with-env', files), ...below('apps/with-venv', files) });
  expect(await refresh()).toMatchObject({ 'with-env': 'added', 'with-venv': 'added' });
  for (const [id, name] of [
    ['with-env', 'env'],
    ['with-venv', 'venv'],
  ] as const) {
    const { pid } = await running(id);
    expect(await readFile(`/proc/${pid}/cmdline`, 'utf8')).toContain(place.path('apps', id, name, 'bin/python'));
  }
  const config = await place.config();
  config.apps['with-env'] = { ...config.apps['with-env'], venv: place.path('apps/with-env/venv') };
  await place.setConfig(config);
  const { apps } = (await (await post('/refresh')).json()) as {
    apps: { app: string; outcome: string; sentence: string }[];
  };
  expect(apps.find(({ app: id }) => id === 'with-env')).toMatchObject({
    outcome: 'failed',
    sentence: expect.stringContaining(`There is one in ${place.path('apps/with-env/env')}`) as unknown,
  });
  expect((await app('with-env')).state).toBe('running');
});

test('3: an unknown id is an error that names the closest app, and stops nothing', async () => {
  const before = await Promise.all(['reports', 'parent'].map(async (id) => (await running(id)).pid));
  const asked = await run(process.execPath, [join(ROOT, 'scripts/streamlit-host.js'), 'restart', 'reprots'], home, {
    STREAMLIT_HOST_URL: host.url,
    STREAMLIT_HOST_TOKEN: TOKEN,
    HOME: home,
  });
  expect(asked).toEqual({ code: 5, output: expect.stringContaining('Did you mean "reports"?') as unknown });
  expect(await Promise.all(['reports', 'parent'].map(async (id) => (await app(id)).pid))).toEqual(before);
});

test('4: config.json is found wherever the server runs, and deleting it stops nothing', async () => {
  expect(await readlink(`/proc/${host.pid}/cwd`)).not.toBe(place.folder);
  const before = (await running('reports')).pid;
  const good = await readFile(place.path('config.json'), 'utf8');
  await rm(place.path('config.json'));
  const answer = await post('/refresh');
  expect([answer.status, ((await answer.json()) as { notes: string[] }).notes]).toEqual([
    200,
    [expect.stringContaining('config.json no longer exists')],
  ]);
  expect((await running('reports')).pid).toBe(before);
  await place.write({ 'config.json': good });
});

test('5: after a refresh an app has one process: the old one is stopped, and no other app has its port', async () => {
  const { pid, port } = await running('reports');
  const config = await place.config();
  config.apps.reports = { ...config.apps.reports, port: ports[1] };
  await place.setConfig(config);
  expect((await refresh()).reports).toBe('restarted');
  const after = await running('reports', pid);
  expect(after.port).toBe(ports[1]);
  await until('the old one has ended', () => startTimeOf(pid) === undefined);
  expect(await listening(port ?? 0)).toEqual([]);
  expect(await processesOf('reports')).toEqual([after.pid]);
  // The same port again, and code that changed: both are fine.
  await place.write({ 'apps/reports/more.py': 'x = 1\n' });
  expect((await refresh()).reports).toBe('restarted');
  const last = await running('reports', after.pid);
  await until('the second one has ended', () => startTimeOf(after.pid) === undefined);
  expect(await processesOf('reports')).toEqual([last.pid]);
});

test('6: a refresh starts nothing that was stopped, picks up names, removes missing apps, and does not restart the server', async () => {
  await post('/apps/with-venv/stop');
  const config = await place.config();
  config.apps.reports = { ...config.apps.reports, name: 'All reports', url: '/all-reports/' };
  await place.setConfig(config);
  await rm(place.path('apps/with-env'), { recursive: true });
  const { 'with-env': _gone, ...rest } = (await place.config()).apps;
  await place.setConfig({ apps: rest });
  const server = host.pid;
  const before = (await running('reports')).pid;
  expect(await refresh()).toMatchObject({ 'with-venv': 'unchanged', reports: 'changed', 'with-env': 'removed' });
  expect((await app('with-venv')).state).toBe('stopped');
  expect(await running('reports')).toMatchObject({ pid: before, name: 'All reports' });
  expect((await fetch(`${host.url}/all-reports`, { redirect: 'manual' })).status).toBe(302);
  expect((await fetch(`${host.url}/reports/`, { redirect: 'manual' })).status).toBe(404);
  expect([host.pid, (await host.api('/apps/with-env')).status]).toEqual([server, 404]);
});

test('7: a crash is followed by a counted restart in the same folder, or by none if config.json says so', async () => {
  const { pid } = await running('reports');
  process.kill(pid, 'SIGKILL');
  const again = await running('reports', pid);
  expect(again.restarts).toBe(1);
  expect(await readlink(`/proc/${again.pid}/cwd`)).toBe(place.path('apps/reports'));
  expect(await shown('reports')).toContain('a report');

  const config = await place.config();
  config.apps.reports = { ...config.apps.reports, restart_on_crash: false };
  await place.setConfig(config);
  expect((await refresh()).reports).toBe('changed');
  process.kill(again.pid, 'SIGKILL');
  await until('it has crashed', async () => (await app('reports')).state === 'crashed');
  expect(await readFile(place.path('logs/reports.log'), 'utf8')).toContain('the app was killed by SIGKILL');
  // Long after another one would have been started: the first start after a crash does not wait.
  await until('the other app was asked', async () => (await shown('parent')).includes('child='));
  expect(await app('reports')).toMatchObject({ state: 'crashed', pid: null });
  await post('/apps/reports/start');
  await running('reports');
});

test('8: the end of a process is noticed at once, by its own identity, and leaves no zombie', async () => {
  const { pid } = await running('parent');
  process.kill(pid, 'SIGKILL');
  await until('its end is seen', async () => (await app('parent')).pid !== pid, 5_000);
  await running('parent', pid);
  const zombies: string[] = [];
  for (const name of await readdir('/proc')) {
    const line = /^\d+$/.test(name) ? await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '') : '';
    const [state, parent] = line.slice(line.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z' && Number(parent) === host.pid) zombies.push(line);
  }
  expect(zombies).toEqual([]);
});

test('9: a stop asks first, and stops everything that the app has started', async () => {
  const child = Number(/child=(\d+)/.exec(await shown('parent'))?.[1]);
  expect(await processesOf('parent')).toEqual(expect.arrayContaining([(await running('parent')).pid, child]));
  await post('/apps/parent/stop');
  expect(startTimeOf(child)).toBeUndefined();
  expect(await processesOf('parent')).toEqual([]);
  expect(await readFile(place.path('apps/parent/goodbye.txt'), 'utf8')).toBe('asked');
});

test('10: records of an earlier boot are not trusted: nothing that is gone is shown as running', async () => {
  const { pid } = await running('reports');
  await host.signal('SIGKILL');
  process.kill(pid, 'SIGKILL');
  await until('it is gone', () => startTimeOf(pid) === undefined);
  host = await startHost({ data: host.data, env: env() });
  const first = await app('reports');
  expect(first.pid).not.toBe(pid);
  // A page for each state, also for an app that has no process yet.
  expect((await fetch(`${host.url}/`)).status).toBe(200);
  expect((await running('reports')).pid).not.toBe(pid);
  expect(await app('with-venv')).toMatchObject({ state: 'stopped', pid: null });
});

test('11: config.json is replaced atomically, with its permissions, order and other content, and never created from nothing', async () => {
  const config = await place.config();
  await place.setConfig({ note: 'mine', apps: config.apps, website_port: 5001 });
  await chmod(place.path('config.json'), 0o640);
  const before = await stat(place.path('config.json'));
  await place.write(below('apps/late', fileApp('late')));
  expect((await refresh()).late).toBe('added');
  const after = await stat(place.path('config.json'));
  expect([after.ino === before.ino, after.mode]).toEqual([false, before.mode]);
  const text = await readFile(place.path('config.json'), 'utf8');
  expect(text).toMatch(/^\{\n {4}"note": "mine",\n {4}"apps": \{\n {8}"reports": /);
  expect(Object.keys((await place.config()).apps)).toEqual([...Object.keys(config.apps), 'late']);
  expect((await readdir(place.folder)).sort()).toEqual(['apps', 'config.json', 'logs']);
});

test('12: control is HTTP with a token, on the one port, and without a token nothing changes', async () => {
  const before = (await running('reports')).pid;
  for (const path of ['/refresh', '/import', '/apps/reports/stop', '/server/stop']) {
    expect((await fetch(`${host.url}/api${path}`, { method: 'POST' })).status).toBe(401);
  }
  expect((await running('reports')).pid).toBe(before);
  const second = await startHost({ data: host.data, env: place.env }).then(
    () => 'it started',
    (error: unknown) => (error as Error).message,
  );
  expect(second).toContain('A server is already running on');
  expect((await running('reports')).pid).toBe(before);
});

test('13: an app asks for no e-mail address, looks up no address of its own, and listens where it is told', async () => {
  await expect(stat(join(home, '.streamlit'))).rejects.toThrow('ENOENT');
  const { pid } = await running('late');
  expect(await environmentOf(pid)).toEqual(
    expect.arrayContaining([
      'STREAMLIT_SERVER_HEADLESS=true',
      'STREAMLIT_SERVER_ADDRESS=127.0.0.1',
      'STREAMLIT_BROWSER_GATHER_USAGE_STATS=false',
      `HOME=${home}`,
    ]),
  );
  expect(await readFile(place.path('logs/late.log'), 'utf8')).not.toMatch(/e-?mail|External URL|Network URL/i);
});

test('14: an app without an environment gets one, its secrets reach it alone, the console needs a login, and no log is held open', async () => {
  const log = (await (await host.api('/apps/late/logs?source=build')).json()) as { lines: string[] };
  expect(log.lines.join('\n')).toMatch(/Dependencies (?:already )?installed/);
  const { pid } = await running('late');
  const set = await host.send('PATCH', '/apps/late/config', { vars: { PASSWORD: 'only-for-late' } });
  expect(set.status).toBe(200);
  const after = await running('late', pid);
  expect(await environmentOf(after.pid)).toContain('PASSWORD=only-for-late');
  const other = await environmentOf((await running('reports')).pid);
  expect(other.join('\n')).not.toMatch(new RegExp(`only-for-late|${TOKEN}`));
  expect(await readFile(place.path('logs/controller.log'), 'utf8')).not.toContain('only-for-late');
  // `fetch` says that a script asks, which is told nothing; this is an old browser's way.
  expect(await statusOf(`${host.url}/console/`)).toBe(302);
  for (let look = 0; look < 5; look += 1) await refresh();
  // A line that is just being written has its log open for that moment.
  await until('no log is open', async () => {
    const fds = await readdir(`/proc/${host.pid}/fd`);
    const open = await Promise.all(fds.map((fd) => readlink(`/proc/${host.pid}/fd/${fd}`).catch(() => '')));
    return !open.some((path) => path.endsWith('.log'));
  });
});

/** The status of the answer to a request that says nothing of who asks. */
async function statusOf(url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(url, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    }).once('error', reject);
  });
}
