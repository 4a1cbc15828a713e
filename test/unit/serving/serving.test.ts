import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Serving } from '../../../src/serving/serving.js';
import { newApp } from '../../../src/domain/app/app.js';
import { RouteTable } from '../../../src/gateway/routes.js';
import { LogFile } from '../../../src/logs/log-file.js';
import { Ports } from '../../../src/runtime/process/ports.js';
import { ProcessRuntime } from '../../../src/runtime/process/process-runtime.js';
import { AppProcess } from '../../../src/runtime/app-process.js';
import { AppStore } from '../../../src/store/apps.js';
import { Paths } from '../../../src/store/paths.js';
import { portRange } from '../../helpers/ports.js';
import { releaseOf } from '../../helpers/release.js';

let paths: Paths;
let store: AppStore;
let serving: Serving;
let runtime: ProcessRuntime;
/** What it warns of. */
let warned: string[];
/** What happens while a process is prepared. */
let meanwhile: () => Promise<unknown>;

beforeEach(async () => {
  paths = new Paths(await mkdtemp(join(tmpdir(), 'serving-')));
  store = new AppStore(paths);
  await store.load();
  await store.create({
    ...newApp('hello', 'Hello', new Date(0)),
    live: 1,
    wanted: 'running',
    releases: [releaseOf(1, 'live')],
  });
  meanwhile = () => Promise.resolve();
  warned = [];
  runtime = new ProcessRuntime({
    mark: paths.data,
    data: paths.data,
    tmp: paths.tmp,
    sockets: paths.appSockets,
    ports: new Ports(portRange(20)),
  });
  serving = new Serving({
    store,
    paths,
    routes: new RouteTable(),
    processes: {
      async prepare(app, release, changed) {
        await meanwhile();
        const log = new LogFile(paths.runLog(app, release.number));
        const spec = {
          app,
          release: release.number,
          command: ['/bin/sleep', '60'],
          order: [],
          cwd: '/',
          environment: () => ({}),
          healthPath: '/',
          startLimitMs: 60_000,
          log,
        };
        return new AppProcess(spec, runtime, changed);
      },
    },
    runtime,
    drain: { ttlMs: 0, limitMs: 0 },
    config: { clear: () => Promise.resolve() },
    logger: { info: () => undefined, warn: (_facts, text) => void warned.push(text) },
  });
});

afterEach(async () => {
  await serving.end();
  expect(warned).toEqual([]);
  await rm(paths.data, { recursive: true, force: true });
});

it('serving starts one process, however often it is asked to', async () => {
  await Promise.all([serving.start(store.get('hello')), serving.start(store.get('hello'))]);
  const process = serving.process('hello');
  expect(process).toBeDefined();
  await serving.start(store.get('hello'));
  expect(serving.process('hello')).toBe(process);
});

it('serving starts no process for an app that is being stopped', async () => {
  meanwhile = async () => {
    await store.update('hello', (app) => ({ ...app, wanted: 'stopped' }));
    await serving.stop('hello');
  };
  await serving.start(store.get('hello'));
  expect(serving.process('hello')).toBeUndefined();
});

it('serving starts no process once the server has left its apps to the next one', async () => {
  meanwhile = () => serving.leave();
  await serving.start(store.get('hello'));
  expect(serving.process('hello')).toBeUndefined();
});

it('a process that cannot be adopted is ended and is no longer on record', async () => {
  const log = new LogFile(paths.runLog('hello', 1));
  await mkdir(dirname(log.path), { recursive: true });
  const spec = { app: 'hello', release: 1, command: ['/bin/sleep', '60'], cwd: '/', environment: {}, log };
  const instance = await runtime.begin({ ...spec, listener: true });
  const record = { ...instance.record, release: 1, startedAt: new Date(0).toISOString() };
  const releases = [releaseOf(1, 'live', { environment: 'abc' })];
  await store.update('hello', (app) => ({ ...app, releases, processes: [record] }));
  meanwhile = () => Promise.reject(new Error('too many files are open'));
  await serving.adopt(store.get('hello'));
  await vi.waitFor(() => expect(instance.running).toBe(false));
  expect(store.get('hello').processes).toEqual([]);
  expect(warned.splice(0)).toEqual(['an app process could not be adopted']);
});

it('serving retires a release whose process ended while no server ran', async () => {
  const gone = {
    release: 1,
    runtime: 'process',
    pid: 999_999_999,
    startTime: '1',
    port: 20_000,
    mark: `${paths.data}/hello/1/x`,
    startedAt: new Date(0).toISOString(),
  };
  await store.update('hello', (app) => ({
    ...app,
    live: 2,
    processes: [gone],
    releases: [releaseOf(1, 'draining'), releaseOf(2, 'live')],
  }));
  await serving.adopt(store.get('hello'));
  expect(store.get('hello')).toMatchObject({
    processes: [],
    releases: [
      { number: 1, state: 'retired' },
      { number: 2, state: 'live' },
    ],
  });
});

it("serving tells subscribers about a process's new state until they unsubscribe", async () => {
  const heard: string[] = [];
  const unsubscribe = serving.subscribe((app) => heard.push(`${app} ${serving.process(app)?.state ?? 'gone'}`));
  await serving.start(store.get('hello'));
  await expect.poll(() => heard).toContain('hello starting');
  unsubscribe();
  const before = heard.length;
  await serving.stop('hello');
  expect(heard).toHaveLength(before);
});
