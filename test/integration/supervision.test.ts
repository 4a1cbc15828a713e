import { existsSync } from 'node:fs';
import { readdir, readFile, readlink, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { isRunning, startTimeOf, type ProcessIdentity } from '../../src/runtime/process/proc.js';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { socketOf } from '../helpers/sockets.js';
import { onMachine, pushLive } from '../helpers/pushing.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';

const MB = 1024 * 1024;

/** An app that, on request, brings children into the world that do not want to go, or talks without end. */
const FILES = {
  'requirements.txt': 'streamlit\n',
  'app.py': `import os, subprocess, sys, time
import streamlit as st

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(sys.argv[1], "w").write(str(os.getpid()))
        time.sleep(600)
os._exit(0)
"""

@st.cache_resource
def family():
    note = os.path.join(os.environ["STREAMLIT_HOST_STORAGE"], "daemon-" + os.urandom(8).hex())
    plain = subprocess.Popen([sys.executable, "-c", STUBBORN])
    bare = subprocess.Popen([sys.executable, "-c", STUBBORN], env={})
    subprocess.run([sys.executable, "-c", DAEMON, note])
    while not os.path.exists(note) or not open(note).read():
        time.sleep(0.01)
    return "%d,%d,%s" % (plain.pid, bare.pid, open(note).read())

if "family" in st.query_params:
    st.text("family=" + family())
if "flood" in st.query_params:
    line = "a line of a flood " * 50
    for number in range(int(st.query_params["flood"]) * 1024 * 1024 // len(line)):
        print(line)
    print("the last words")
st.text("pid=%d" % os.getpid())
`,
};

let host: TestHost;
let project: Project;

beforeAll(async () => {
  host = await startHost();
  project = await Project.create(FILES);
  for (const id of ['steady', 'second']) await pushLive(project, host, id);
});

beforeEach(async () => {
  for (const id of ['steady', 'second']) await host.api(`/apps/${id}/start`, { method: 'POST' });
  for (const id of ['steady', 'second']) await running(id);
});

interface Running {
  pid: number;
  /** Where it answers. */
  socket: string;
}

/** Waits until an app serves. */
function running(id: string, other?: (app: Running) => boolean): Promise<Running> {
  return until(`${id} runs`, async () => {
    const app = await host.app(id);
    if (app.state !== 'running') return false;
    const found = { pid: Number(app.pid), socket: await socketOf(host, id) };
    return other?.(found) !== false && found;
  });
}

function identity(pid: number): ProcessIdentity {
  return { pid, startTime: startTimeOf(pid) ?? 'gone' };
}

async function post(path: string): Promise<number> {
  return (await host.api(path, { method: 'POST' })).status;
}

function address(id: string): string {
  return `${host.url}/apps/${id}/`;
}

/** Everything that carries our mark for an app. */
async function marked(id: string): Promise<number[]> {
  const pids: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '');
    if (environment.includes(`STREAMLIT_HOST_STORAGE=${join(host.data, 'apps', id)}/`)) pids.push(Number(name));
  }
  return pids;
}

function runLog(id: string): Promise<string> {
  return readFile(join(host.data, 'apps', id, 'run.log'), 'utf8');
}

test('an app that crashes is restarted unchanged, and watchers see each state', async () => {
  const before = await running('steady');
  const other = await running('second');
  const cwd = await readlink(`/proc/${before.pid}/cwd`);
  const events = new AbortController();
  const stream = await host.api('/events', { signal: events.signal });
  let heard = '';
  const listening = (async () => {
    for await (const chunk of stream.body ?? []) heard += Buffer.from(chunk as Uint8Array).toString();
  })().catch(() => undefined);
  process.kill(before.pid, 'SIGKILL');
  const after = await running('steady', (app) => app.pid !== before.pid);
  expect(await readlink(`/proc/${after.pid}/cwd`)).toBe(cwd);
  await until('all states were told', () =>
    ['crashed', 'starting', 'running'].every((state) => heard.includes(`"state":"${state}"`)),
  );
  const told = [...heard.matchAll(/"state":"(crashed|starting|running)"/g)].map((match) => match[1]);
  expect(told.indexOf('crashed')).toBeLessThan(told.indexOf('starting', told.indexOf('crashed')));
  expect(told.at(-1)).toBe('running');
  events.abort();
  await listening;
  expect((await host.app('steady')).restarts).toBe(1);
  expect(await runLog('steady')).toMatch(/the app was killed by SIGKILL \(pid \d+, after [\d.]+ s\)/);
  expect(await running('second')).toEqual(other);
});

test('processes that a crashed app had started are stopped before it is restarted', async () => {
  const page = await StreamlitClient.connect(address('steady'));
  await page.run('family=1');
  const before = await running('steady');
  const family = page.text('family=').split(',').map(Number);
  const [plain, , daemon] = (await onMachine(before.pid, family)).map(identity);
  if (plain === undefined || daemon === undefined) throw new Error('the family is not whole');
  expect([plain, daemon].map(isRunning)).toEqual([true, true]);
  process.kill(before.pid, 'SIGKILL');
  await running('steady', (app) => app.pid !== before.pid);
  expect([plain, daemon].map(isRunning)).toEqual([false, false]);
});

test('an app that cannot start is retried less and less often, and recovers by itself', async () => {
  const before = await running('second');
  const source = await readlink(`/proc/${before.pid}/cwd`);
  await rename(join(source, 'app.py'), join(source, 'away.py'));
  const offset = (await runLog('second')).length;
  process.kill(before.pid, 'SIGKILL');
  const starts = async (): Promise<number[]> =>
    [...(await runLog('second')).slice(offset).matchAll(/\[([^\]]+)\] started pid/g)].map((match) =>
      Date.parse(match[1] ?? ''),
    );
  const times = await until('it was tried three times', async () => {
    const all = await starts();
    return all.length >= 3 && all;
  });
  const gaps = times.slice(1).map((time, number) => time - (times[number] ?? 0));
  expect(gaps[0]).toBeGreaterThan(1_000);
  expect(gaps[1]).toBeGreaterThan(2_000);
  await until('it waits', async () => (await host.app('second')).state === 'crashed');

  await rename(join(source, 'away.py'), join(source, 'app.py'));
  const after = await running('second');
  expect(after.socket).not.toBe(before.socket);
  expect(await (await fetch(`${address('second')}_stcore/health`)).text()).toBe('ok');
  // What the earlier ones were reached by is gone with them.
  expect(await readdir(join(host.data, 'run/app'))).toHaveLength(2);
});

test('stop ends every process of an app: children, hidden ones, and those that ignore signals', async () => {
  const page = await StreamlitClient.connect(address('steady'));
  await page.run('family=1');
  const other = await running('second');
  const { pid } = await running('steady');
  const family = (await onMachine(pid, page.text('family=').split(',').map(Number))).map(identity);
  const all = [identity(pid), ...family];
  expect(all.map(isRunning)).toEqual([true, true, true, true]);
  // It cannot even hear TERM any more.
  process.kill(pid, 'SIGSTOP');
  expect(await post('/apps/steady/stop')).toBe(200);
  expect(all.map(isRunning)).toEqual([false, false, false, false]);
  expect(await marked('steady')).toEqual([]);
  expect((await host.app('steady')).state).toBe('stopped');
  expect(await running('second')).toEqual(other);
  await until('its pages are closed', () => !page.isOpen);
});

test('two concurrent starts start one process', async () => {
  await post('/apps/steady/stop');
  const statuses = await Promise.all(Array.from({ length: 5 }, () => post('/apps/steady/start')));
  expect(statuses).toEqual([200, 200, 200, 200, 200]);
  const { pid } = await running('steady');
  expect(await marked('steady')).toEqual([pid]);
});

test('a restart keeps serving, finishes pending responses, and leaves one process', async () => {
  const before = await running('steady');
  const failures: unknown[] = [];
  let asked = 0;
  let done = false;
  const visitor = async (): Promise<void> => {
    while (!done) {
      try {
        const answer = await fetch(`${address('steady')}_stcore/health`);
        const text = await answer.text();
        if (answer.status !== 200 || text !== 'ok') failures.push(`${answer.status} ${text}`);
      } catch (error) {
        failures.push(error);
      }
      asked += 1;
    }
  };
  const visitors = [visitor(), visitor(), visitor(), visitor()];
  for (let round = 0; round < 3; round += 1) expect(await post('/apps/steady/restart')).toBe(200);
  await until('the old ones have ended', async () => (await marked('steady')).length === 1);
  done = true;
  await Promise.all(visitors);
  expect(failures).toEqual([]);
  expect(asked).toBeGreaterThan(20);
  const after = await running('steady');
  expect(after.pid).not.toBe(before.pid);
  expect(isRunning(identity(after.pid))).toBe(true);
  const page = await StreamlitClient.connect(address('steady'));
  await page.run();
  expect(await onMachine(after.pid, [Number(page.text('pid='))])).toEqual([after.pid]);
  await page.close();
});

test('a restart of an unknown app touches no other', async () => {
  const before = await Promise.all(['steady', 'second'].map((id) => running(id)));
  for (const id of ['nobody', 'stead', 'steady-', '..%2fsteady', '%2A'])
    expect([404, 422]).toContain(await post(`/apps/${id}/restart`));
  expect(await Promise.all(['steady', 'second'].map((id) => running(id)))).toEqual(before);
  expect(new Set(before.map((app) => app.socket)).size).toBe(2);
});

test("an app that prints 60 MB at once fills neither the disk nor the server's memory", async () => {
  const memory = async (): Promise<number> => {
    const status = await readFile(`/proc/${host.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
  };
  const before = await memory();
  const page = await StreamlitClient.connect(address('steady'));
  await page.run('flood=60');
  const log = join(host.data, 'apps', 'steady', 'run.log');
  await until('the log is small again', async () => (await stat(log)).size < 11 * MB);
  const folder = join(host.data, 'apps', 'steady', 'releases', '1');
  let total = 0;
  for (const name of await readdir(folder))
    if (name.startsWith('run.log')) total += (await stat(join(folder, name))).size;
  expect(total).toBeLessThan(35 * MB);
  expect((await memory()) - before).toBeLessThan(60 * MB);
  const kept = await Promise.all(
    [log, join(folder, 'run.log.1')].filter((path) => existsSync(path)).map((path) => readFile(path, 'utf8')),
  );
  expect(kept.join('')).toContain('the last words');
  await page.close();
});
