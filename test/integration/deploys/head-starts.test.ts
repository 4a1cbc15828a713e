import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HeadStarts } from '../../../src/deploys/head-starts.js';
import { newApp, type App } from '../../../src/domain/app/app.js';
import { findMarked } from '../../../src/runtime/process/marked.js';
import { Ports } from '../../../src/runtime/process/ports.js';
import { ProcessRuntime } from '../../../src/runtime/process/process-runtime.js';
import type { Instance } from '../../../src/runtime/runtime.js';
import type { ExpectedRelease } from '../../../src/serving/processes.js';
import { releaseOf } from '../../helpers/release.js';

const LIVE = releaseOf(3, 'live', { environment: 'abc', config: 1 });
const NEXT = releaseOf(4, 'starting', { environment: 'abc', config: 2 });

let folder: string;
let app: App;
let started: (ExpectedRelease & { instance: Instance })[];
let headStarts: HeadStarts;
let woken: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'head-starts-'));
  app = { ...newApp('hello', 'Hello', new Date(0)), live: 3, lastRelease: 3, config: 2, releases: [LIVE] };
  [started, woken] = [[], 0];
  headStarts = new HeadStarts({
    store: { find: (id) => (id === 'gone' ? undefined : { ...app, id }) },
    limit: 2,
    wake: () => void (woken += 1),
    start: begin,
  });
});
afterEach(async () => {
  vi.useRealTimers();
  await headStarts.close();
  for (const { instance } of started) await instance.end(0);
  expect(await findMarked(folder)).toEqual([]);
  await rm(folder, { recursive: true, force: true });
});

/** What runs them. */
function runtime(): ProcessRuntime {
  return new ProcessRuntime({
    mark: folder,
    data: folder,
    tmp: folder,
    sockets: folder,
    ports: new Ports({ min: 1, max: 1 }),
  });
}

/** Something that waits for its order, as an interpreter does. */
async function begin(id: string, expected: ExpectedRelease): Promise<Instance> {
  const instance = await runtime().begin({
    app: id,
    release: expected.number,
    command: ['/bin/cat'],
    cwd: folder,
    environment: { ZONE: 'north' },
  });
  started.push({ ...expected, instance });
  return instance;
}

const take = (
  release = NEXT,
  environment: Record<string, string> = { ZONE: 'north', STREAMLIT_SERVER_PORT: '1' },
): Promise<Instance | undefined> => headStarts.take('hello', release, environment);
const begun = (count: number): Promise<void> => vi.waitFor(() => expect(started).toHaveLength(count));

it('a head start runs what the next release is expected to be, once, and hands it over once', async () => {
  headStarts.begin('hello');
  headStarts.begin('hello');
  const instance = await take();
  expect(started).toEqual([expect.objectContaining({ number: 4, environment: 'abc', config: 2, instance })]);
  expect(instance?.running).toBe(true);
  expect(await take()).toBeUndefined();
});

it('a head start expects the config of the release that is rolled back to', async () => {
  headStarts.begin('hello', { ...LIVE, environment: 'older', config: 0 });
  await begun(1);
  expect(started[0]).toMatchObject({ number: 4, environment: 'older', config: 0 });
});

it('a head start of which it cannot be seen whether it runs is stopped', async () => {
  headStarts.begin('hello');
  await begun(1);
  const { instance } = started[0] ?? expect.fail('nothing was started');
  Object.defineProperty(instance, 'running', {
    get: () => {
      throw new Error('too many files are open');
    },
  });
  expect(await take()).toBeUndefined();
  await vi.waitFor(async () => expect(await findMarked(folder)).toEqual([]));
});

it.each([
  ['has another number', releaseOf(5, 'starting', { environment: 'abc' }), undefined],
  ['has another environment', releaseOf(4, 'starting', { environment: 'new' }), undefined],
  ['has other config vars', NEXT, { ZONE: 'south' }],
  ['asks for another cage', { ...NEXT, cage: { network: false, readOnly: [], devices: [] } }, undefined],
])('a head start is stopped if the release %s', async (_, release, environment) => {
  headStarts.begin('hello');
  expect(await take(release, environment)).toBeUndefined();
  await started[0]?.instance.ended;
});

it('a head start does not touch that of a newer push', async () => {
  headStarts.begin('hello');
  expect(await take(LIVE)).toBeUndefined();
  expect(await take()).toBe(started[0]?.instance);
});

it('a head start is not handed over if it has exited', async () => {
  headStarts.begin('hello');
  await begun(1);
  await started[0]?.instance.end(0);
  expect(await take()).toBeUndefined();
});

it('a head start is stopped only if no deploy waits for it', async () => {
  headStarts.begin('hello');
  app = { ...app, lastRelease: 4, releases: [LIVE, { ...NEXT, state: 'queued' }] };
  headStarts.settle('hello');
  expect((await take())?.running).toBe(true);
  headStarts.begin('hello');
  await begun(2);
  headStarts.settle('hello');
  await started[1]?.instance.ended;
});

it('a head start that cannot be started leaves no file behind', async () => {
  const command = [join(folder, 'no-interpreter')];
  const begins = runtime().begin({ app: 'hello', release: 4, command, cwd: folder, environment: {}, listener: true });
  await expect(begins).rejects.toMatchObject({ code: 'app-not-started' });
  expect(await readdir(folder)).toEqual([]);
});

it('a head start that cannot be stopped because too many files are open is stopped later', async () => {
  headStarts.begin('hello');
  await begun(1);
  const instance = started[0]?.instance ?? expect.fail();
  vi.spyOn(instance, 'end').mockRejectedValueOnce(Object.assign(new Error('open'), { code: 'EMFILE' }));
  headStarts.settle('hello');
  await instance.ended;
  await vi.waitFor(async () => expect(await readdir(folder)).toEqual([]), 10_000);
});

it('a head start is stopped if a different release is expected by now', async () => {
  headStarts.begin('hello');
  app = { ...app, config: 3 };
  headStarts.begin('hello');
  await started[0]?.instance.ended;
  expect((await take())?.running).toBe(true);
});

it('a head start is stopped if its deploy does not come in time', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  headStarts.begin('hello');
  vi.advanceTimersByTime(60_000);
  vi.useRealTimers();
  await begun(1);
  await started[0]?.instance.ended;
  expect(await take()).toBeUndefined();
});

it('a head start does not start for an unknown app, above the limit or after closing', async () => {
  headStarts.begin('gone');
  app = { ...app, live: null };
  headStarts.begin('hello');
  app = { ...app, live: 3, releases: [{ ...LIVE, folder: { dir: '/srv' } }] };
  headStarts.begin('hello');
  app = { ...app, releases: [LIVE] };
  for (const id of ['one', 'two', 'three']) headStarts.begin(id);
  await begun(2);
  await headStarts.close();
  headStarts.begin('hello');
  expect(started.map(({ instance }) => instance.running)).toEqual([false, false]);
});

it('a head start that cannot start fails nothing', async () => {
  headStarts = new HeadStarts({
    store: { find: () => app },
    limit: 1,
    wake: () => undefined,
    start: () => Promise.reject(new Error('no Python')),
  });
  headStarts.begin('hello');
  expect(await take()).toBeUndefined();
});

it('a first push wakes what will read it, though there is nothing to start', () => {
  app = { ...app, live: null, releases: [] };
  headStarts.begin('hello');
  expect([woken, started]).toEqual([1, []]);
});
