import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ProcessState } from '../../src/domain/app/process.js';
import { ask } from '../../src/lib/ask.js';
import { LogFile } from '../../src/logs/log-file.js';
import { findMarked } from '../../src/runtime/process/marked.js';
import { Ports } from '../../src/runtime/process/ports.js';
import { ProcessRuntime } from '../../src/runtime/process/process-runtime.js';
import { listeningPorts, startTimeOf } from '../../src/runtime/process/proc.js';
import { AppProcess } from '../../src/runtime/app-process.js';
import type { ProcessSpec } from '../../src/runtime/process-spec.js';
import { portRange } from '../helpers/ports.js';

// A small server in the place of Streamlit: it is up in a moment once it has its order, and does as a test wishes.
const SERVER = `
const { createServer } = require('node:http');
let text = '';
process.stdin.on('data', (part) => (text += part)).on('end', () => {
  console.log('hello from the app');
  const { listener } = JSON.parse(text);
  const server = createServer((_, response) => response.end('ok'));
  if (listener === undefined) server.listen(Number(process.env.PORT), '127.0.0.1');
  else server.listen({ fd: listener });
});
`;

let folder: string;
let mark: string;
let ports: Ports;
let runtime: ProcessRuntime;
let states: ProcessState[];
/** What happens at each change. */
let changed: (one: AppProcess) => void;
const made: AppProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'process-'));
  mark = `test-${process.pid}-${Date.now()}`;
  ports = new Ports(portRange(10));
  runtime = new ProcessRuntime({ mark, data: folder, tmp: folder, sockets: folder, ports });
  states = [];
  changed = () => undefined;
  await writeFile(join(folder, 'app.cjs'), SERVER);
});

afterEach(async () => {
  await Promise.all(made.splice(0).map((one) => one.stop()));
  expect(await findMarked(mark)).toEqual([]);
  await rm(folder, { recursive: true, force: true });
});

function prepare(changes: Partial<ProcessSpec> = {}): AppProcess {
  const one = new AppProcess(
    {
      app: 'demo',
      release: 1,
      command: [process.execPath, './app.cjs'],
      order: ['app'],
      cwd: folder,
      environment: ({ port }) => ({ PORT: String(port) }),
      port: 'any',
      healthPath: '/health',
      startLimitMs: 120_000,
      log: new LogFile(join(folder, 'run.log')),
      ...changes,
    },
    runtime,
    (one) => {
      if (states.at(-1) !== one.state) states.push(one.state);
      changed(one);
    },
  );
  made.push(one);
  return one;
}

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    if (await what()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`waited in vain for ${what.toString()}`);
}

async function hold(port: number): Promise<Server> {
  const stranger = createServer((_, response) => response.end('stranger'));
  stranger.listen(port, '127.0.0.1');
  await once(stranger, 'listening');
  return stranger;
}

const log = (): Promise<string> => readFile(join(folder, 'run.log'), 'utf8');

test('a process starts, serves, logs both, and releases its port when it ends', async () => {
  const app = prepare();
  await app.start();
  await app.whenReady();
  expect(app.state).toBe('ready');
  expect(app.record).toMatchObject({
    release: 1,
    pid: app.pid,
    port: app.port,
    startTime: startTimeOf(app.pid ?? 0),
  });
  const { pid } = app;
  const { port } = app;
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('ok');
  await app.stop();
  expect([app.state, app.pid, app.record]).toEqual(['stopped', undefined, undefined]);
  expect(startTimeOf(pid ?? 0)).toBeUndefined();
  expect(states).toEqual(['starting', 'ready', 'stopped']);
  expect(await log()).toMatch(/started pid=\d+ port=\d+\n[^]*hello from the app\n[^]*stopping pid=\d+\n[^]*stopped\n/);
  const given = await Promise.all(Array.from({ length: 10 }, () => ports.reserve()));
  expect(given).toContain(port);
});

test('a process that exits at once says how, and is not restarted before it is kept', async () => {
  await writeFile(join(folder, 'app.cjs'), 'process.exit(3)');
  const app = prepare();
  await app.start();
  await expect(app.whenReady()).rejects.toMatchObject({ code: 'app-exited', message: 'The app exited with code 3.' });
  expect([app.state, app.restarts]).toEqual(['crashed', 0]);
});

test('a process that listens on another port is reported with that port', async () => {
  const elsewhere = await ports.reserve();
  await writeFile(join(folder, 'app.cjs'), SERVER.replace('Number(process.env.PORT)', String(elsewhere)));
  const app = prepare();
  await app.start();
  await expect(app.whenReady({ timeoutMs: 1_500 })).rejects.toThrow(`within 2 s (listening on ${elsewhere} instead)`);
});

test("another program's answer on its port does not count as its own", async () => {
  await writeFile(join(folder, 'app.cjs'), 'setInterval(() => undefined, 1_000)');
  const app = prepare();
  await app.start();
  const stranger = await hold(app.port ?? 0);
  await expect(app.whenReady({ timeoutMs: 1_000 })).rejects.toMatchObject({ code: 'app-not-listening' });
  await once(stranger.close(), 'close');
});

test('a port that was taken only briefly is tried again, even if it is free by the time we look', async () => {
  const tried = JSON.stringify(join(folder, 'tried'));
  const first = `const fs = require('node:fs');
if (!fs.existsSync(${tried})) { fs.writeFileSync(${tried}, ''); console.error('Port ' + process.env.PORT + ' is not available'); process.exit(1); }`;
  await writeFile(join(folder, 'app.cjs'), `${first}\n${SERVER}`);
  const app = prepare();
  await app.start();
  await app.whenReady();
  expect(app.state).toBe('ready');
  // What an app says of another port is its own affair.
  await writeFile(join(folder, 'app.cjs'), "console.error('Port 5432 is already in use'); process.exit(1)");
  const other = prepare({ log: new LogFile(join(folder, 'other.log')) });
  await other.start();
  await expect(other.whenReady()).rejects.toMatchObject({ code: 'app-exited' });
});

test('a command that cannot be run is refused, and its port can be given back', async () => {
  const app = prepare({ command: [join(folder, 'nothing-here')] });
  await expect(app.start()).rejects.toMatchObject({ code: 'app-not-started' });
  await app.stop();
  expect(
    (await Promise.allSettled(Array.from({ length: 10 }, () => ports.reserve()))).filter(
      (one) => one.status === 'fulfilled',
    ),
  ).toHaveLength(10);
});

test('a kept process is restarted after a crash, at once and on the same port', async () => {
  const app = prepare();
  await app.run();
  const { pid } = app;
  const { port } = app;
  process.kill(pid ?? 0, 'SIGKILL');
  await until(() => app.state === 'ready' && app.pid !== pid);
  expect([app.restarts, app.port]).toEqual([1, port]);
});

test('a crashed process is started once, even if a person starts it while its backoff ends', async () => {
  const app = prepare({ port: undefined });
  await app.run();
  const { pid } = app;
  changed = ({ state }) => {
    if (state === 'crashed') app.retry();
  };
  process.kill(pid ?? 0, 'SIGKILL');
  await until(() => app.state === 'ready' && app.pid !== pid);
  expect((await findMarked(mark)).map((one) => one.mark)).toEqual([app.mark]);
  expect(app.restarts).toBe(1);
});

test('a process that exceeds its own memory limit is stopped and restarted', async () => {
  const app = prepare({ memoryLimit: 100_000_000 });
  await app.run();
  const { pid } = app;
  await app.holdToLimits({ memory: 100_000_000, processes: 1, cpuSeconds: 0 });
  expect([app.state, app.pid]).toEqual(['ready', pid]);
  await app.holdToLimits({ memory: 130_000_000, processes: 1, cpuSeconds: 0 });
  await until(() => app.state === 'ready' && app.pid !== pid);
  expect([app.restarts, app.lastExit]).toEqual([1, 'the app used 130 MB of memory; its limit is 100 MB']);
  process.kill(app.pid ?? 0, 'SIGKILL');
  await until(() => app.restarts === 2);
  expect(app.lastExit).toBe('the app was killed by SIGKILL');
});

test('a process that finds no free port after a crash keeps trying', async () => {
  const { min, max } = portRange(1);
  ports = new Ports({ min, max });
  runtime = new ProcessRuntime({ mark, data: folder, tmp: folder, sockets: folder, ports });
  const app = prepare();
  await app.run();
  await writeFile(join(folder, 'app.cjs'), 'process.exit(1)');
  process.kill(app.pid ?? 0, 'SIGKILL');
  await until(() => app.restarts === 1 && app.state === 'crashed');
  const stranger = await hold(min);
  await writeFile(join(folder, 'app.cjs'), SERVER);
  await until(async () => (await log()).includes('not started: all ports'));
  await once(stranger.close(), 'close');
  await until(() => app.state === 'ready');
});

test('a stop during a start leaves neither a process nor a port behind', async () => {
  for (let delay = 0; delay < 5; delay += 1) {
    const app = prepare();
    const started = app.start();
    for (let tick = 0; tick < delay; tick += 1) await new Promise((resolve) => setImmediate(resolve));
    await app.stop();
    await started;
    expect(await findMarked(mark)).toEqual([]);
    expect(app.state).toBe('stopped');
    await app.start();
    expect(app.pid).toBeUndefined();
  }
  const given = await Promise.allSettled(Array.from({ length: 10 }, () => ports.reserve()));
  expect(given.filter((one) => one.status === 'fulfilled')).toHaveLength(10);
});

test('a released process keeps running, and everyone who waits for it is told at once', async () => {
  await writeFile(join(folder, 'app.cjs'), 'setInterval(() => undefined, 1_000)');
  const app = prepare();
  await app.start();
  const waiting = app.whenReady();
  await app.leave();
  await expect(waiting).rejects.toMatchObject({ code: 'app-start-aborted' });
  expect(startTimeOf(app.pid ?? 0)).toBeDefined();
});

test('the start time of a process that was started ahead counts from its order', async () => {
  const ahead = await runtime.begin({
    app: 'demo',
    release: 1,
    command: [process.execPath, './app.cjs'],
    cwd: folder,
    environment: {},
  });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const begun = Date.now();
  const app = prepare({ ahead: () => Promise.resolve(ahead) });
  await app.start();
  expect(app.pid).toBe(ahead.record.pid);
  expect(app.startedAt.getTime()).toBeGreaterThanOrEqual(begun);
  expect(app.record?.startedAt).toBe(app.startedAt.toISOString());
});

test("an earlier server's process is adopted, watched, and restarted when it ends", async () => {
  const first = prepare();
  await first.start();
  await first.whenReady();
  const { record } = first;
  if (record === undefined) throw new Error('it has no record');
  await first.leave();
  const next = prepare();
  expect(await next.adopt(record)).toBe(true);
  await next.run();
  expect([next.state, next.pid, next.port]).toEqual(['ready', record.pid, record.port]);
  process.kill(record.pid ?? 0, 'SIGKILL');
  await until(() => next.state === 'ready' && next.pid !== record.pid);
  expect(next.lastExit).toBe('the app exited');
});

test("a process that only looks like an earlier server's is neither adopted nor touched", async () => {
  const first = prepare();
  await first.start();
  const { record } = first;
  if (record === undefined) throw new Error('it has no record');
  const next = prepare();
  for (const wrong of [
    { startTime: '1' },
    { mark: '' },
    { mark: `${mark}/other/1/x` },
    { mark: `${mark}/demo/2/x` },
    { healthPath: '/another/base/health' },
    { runtime: 'another' },
  ]) {
    expect(await next.adopt({ ...record, ...wrong })).toBe(false);
  }
  await next.stop();
  expect(startTimeOf(record.pid ?? 0)).toBe(record.startTime);
});

test('a process with a socket serves on it and on no port, and after its end nothing listens there', async () => {
  const app = prepare({ port: undefined });
  await app.run();
  expect(await ask(app.address, '/', 5_000)).toEqual({ status: 200, body: 'ok' });
  const [address, { pid, record }] = [app.address, app];
  expect([app.port, record?.port, record?.key]).toEqual([undefined, undefined, app.key]);
  expect(await listeningPorts(pid ?? 0)).toEqual([]);
  expect(await log()).toMatch(/started pid=\d+\n/);
  // The next instance has a socket of its own.
  process.kill(pid ?? 0, 'SIGKILL');
  await until(() => app.state === 'ready' && app.pid !== pid);
  expect(app.address).not.toEqual(address);
  await expect(ask(address, '/', 5_000)).rejects.toMatchObject({ code: 'ENOENT' });
  expect(await ask(app.address, '/', 5_000)).toMatchObject({ status: 200 });
  await app.stop();
  await expect(ask(app.address, '/', 5_000)).rejects.toMatchObject({ code: 'ENOENT' });
  expect(await readdir(folder)).toEqual(['app.cjs', 'run.log']);
});

test('a request to a socket is answered once its process serves, and by no other server', async () => {
  const ready = join(folder, 'ready');
  await writeFile(
    join(folder, 'app.cjs'),
    `const { existsSync } = require('node:fs');
const timer = setInterval(() => { if (existsSync(${JSON.stringify(ready)})) { clearInterval(timer); serve(); } }, 10);
function serve() {${SERVER}}`,
  );
  const app = prepare({ port: undefined });
  await app.start();
  const asked = ask(app.address, '/', 20_000);
  await writeFile(ready, '');
  expect(await asked).toEqual({ status: 200, body: 'ok' });
});

test("an earlier server's process with a socket is adopted only with that socket", async () => {
  const first = prepare({ port: undefined });
  await first.run();
  const { record, address } = first;
  if (record === undefined || !('socket' in address)) throw new Error('it has no socket');
  await first.leave();
  const next = prepare({ port: undefined });
  await runtime.sweep(new Set([record.mark]));
  expect(await next.adopt(record)).toBe(true);
  await next.run();
  expect([next.state, next.pid, next.address, next.key]).toEqual(['ready', record.pid, address, record.key]);
  await next.leave();
  await rm(address.socket);
  const last = prepare({ port: undefined });
  expect(await last.adopt(record)).toBe(false);
  await runtime.discard(record);
});

test("an older server's process keeps its port when adopted, and its next one has none", async () => {
  const first = prepare();
  await first.run();
  const { record, port, pid } = first;
  if (record === undefined || port === undefined) throw new Error('it has no port');
  await first.leave();
  const next = prepare({ port: undefined });
  const { key: _, ...older } = record;
  expect(await next.adopt(older)).toBe(true);
  await next.run();
  expect([next.state, next.pid, next.port, next.key]).toEqual(['ready', pid, port, String(port)]);
  process.kill(pid ?? 0, 'SIGKILL');
  await until(() => next.state === 'ready' && next.pid !== pid);
  expect([next.port, next.address]).toEqual([undefined, { socket: expect.any(String) as string }]);
});
