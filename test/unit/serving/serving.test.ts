import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
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
  const runtime = new ProcessRuntime({
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
    logger: { info: () => undefined, warn: (facts, text) => expect.fail(`${text} ${JSON.stringify(facts)}`) },
  });
});

afterEach(async () => {
  await serving.end();
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
