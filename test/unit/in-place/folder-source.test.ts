import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { MAX_SHOWN } from '../../../src/apps/repository-source.js';
import type { Deploy } from '../../../src/deploys/ongoing.js';
import { system } from '../../../src/domain/access/principal.js';
import type { App } from '../../../src/domain/app/app.js';
import type { ProcessState } from '../../../src/domain/app/process.js';
import { FolderSource, type FolderSourceOptions } from '../../../src/in-place/folder-source.js';
import { NO_COMMIT } from '../../../src/store/repository.js';
import { TakenDeploys, TestData } from '../../helpers/data.js';
import { writeFiles } from '../../helpers/files.js';
import { releaseOf } from '../../helpers/release.js';

const ADA = system('ada');
let data: TestData;
let dir: string;
let deploys: TakenDeploys;
let underWay: Deploy | undefined;
/** The state of what runs of the app. */
let state: ProcessState | undefined;
/** What was done besides, in its order. */
let done: string[];
let warned: object[];
let source: FolderSource;

beforeEach(async () => {
  data = await TestData.open();
  dir = join(data.paths.data, 'sales');
  await writeFiles(dir, { 'app.py': 'one', 'data.csv': '1,2', 'venv/lib/x.py': '', '.git/config': '' });
  deploys = new TakenDeploys();
  underWay = undefined;
  state = undefined;
  done = [];
  warned = [];
  source = new FolderSource({
    store: data.store,
    deploys: {
      request: deploys.request,
      find: () => underWay,
      abandon: async (id) => void done.push(`abandon ${id}`),
    },
    serving: {
      process: () => (state === undefined ? undefined : { state }),
      stop: async (id) => void done.push(`stop ${id}`),
    } as FolderSourceOptions['serving'],
    logger: { warn: (facts) => void warned.push(facts) },
  });
});
afterEach(() => data.close());

const app = (facts: Partial<App> = {}): Promise<App> =>
  data.app('sales', { place: { key: 'sales', dir, restartOnCrash: true, watch: false }, ...facts });
const LIVE: Partial<App> = { live: 1, lastRelease: 1, releases: [releaseOf(1, 'live')] };

it("an in-place app shows its folder's files, without environments and .git", async () => {
  const sales = await app();
  expect(await source.files(sales)).toEqual([
    { path: 'app.py', size: 3 },
    { path: 'data.csv', size: 3 },
  ]);
  expect((await source.read(sales, 'app.py')).toString()).toBe('one');
  expect(await source.newest()).toBeUndefined();
});

it('nothing outside of the listed files can be read', async () => {
  const sales = await app();
  await writeFiles(data.paths.data, { 'admin-token': 'secret' });
  for (const path of [
    '../admin-token',
    '.git/config',
    'venv/lib/x.py',
    'none.py',
    join(data.paths.data, 'admin-token'),
  ])
    await expect(source.read(sales, path)).rejects.toMatchObject({ code: 'file-not-found' });
});

it('a file that is too large is refused by its size', async () => {
  const sales = await app();
  await truncate(join(dir, 'data.csv'), MAX_SHOWN + 1);
  await expect(source.read(sales, 'data.csv')).rejects.toMatchObject({ code: 'file-too-large' });
});

it('a missing folder has no files', async () => {
  const sales = await app({ place: { key: 'sales', dir: join(dir, 'gone'), restartOnCrash: true, watch: false } });
  expect(await source.files(sales)).toEqual([]);
});

it("a folder's deploy is identified by a digest of its code, which data does not change", async () => {
  const sales = await app();
  await source.deploy('sales', ADA, 'added');
  await writeFiles(dir, { 'data.csv': '3,4' });
  await source.deploy('sales', ADA, 'again');
  await writeFiles(dir, { 'app.py': 'two' });
  await source.deploy('sales', ADA, 'its code changed');
  const [first, second, third] = deploys.asked;
  expect(first).toMatchObject({
    app: 'sales',
    branch: 'folder',
    by: ADA,
    source: 'folder',
    folder: { dir, why: 'added' },
  });
  expect(first?.commit).toMatch(/^[0-9a-f]{40}$/);
  expect(second?.commit).toBe(first?.commit);
  expect(third?.commit).not.toBe(first?.commit);
  expect(await source.hasChanged(sales, releaseOf(1, 'live', { commit: first?.commit ?? '' }))).toBe(true);
  expect(await source.hasChanged(sales, releaseOf(3, 'live', { commit: third?.commit ?? '' }))).toBe(false);
});

it('a missing folder is deployed, so that the deploy reports it, and counts as unchanged', async () => {
  const sales = await app({ place: { key: 'sales', dir: join(dir, 'gone'), restartOnCrash: true, watch: false } });
  expect(await source.hasChanged(sales, releaseOf(1, 'live'))).toBe(false);
  await source.deploy('sales', ADA, 'added');
  expect(deploys.asked).toMatchObject([{ commit: NO_COMMIT }]);
});

it('an app with its own repository is not deployed from a folder', async () => {
  await data.app('shop');
  await expect(source.deploy('shop', ADA, 'added')).rejects.toMatchObject({ code: 'not-in-place' });
  expect(deploys.asked).toEqual([]);
});

it('a failed deploy is logged, and a successful one is not', async () => {
  await app();
  await (
    await source.deploy('sales', ADA, 'added')
  ).done;
  expect(warned).toEqual([]);
  deploys.end = { state: 'failed', reason: 'no main file' };
  await source.deploy('sales', ADA, 'added');
  await vi.waitFor(() => expect(warned).toEqual([{ app: 'sales', release: 2 }]));
});

it.each([
  ['that is stopped', 'ready', { ...LIVE, wanted: 'stopped' }],
  ['that has crashed', 'crashed', LIVE],
  ['of which nothing runs', undefined, LIVE],
] as const)(
  'an app %s is started by a new release of its folder, and the old one becomes history',
  async (_what, runs, facts) => {
    const sales = await app(facts);
    state = runs;
    await source.start(sales, ADA);
    expect(data.store.get('sales')).toMatchObject({ wanted: 'running', live: null, releases: [{ state: 'retired' }] });
    expect(done).toEqual(runs === undefined ? [] : ['stop sales']);
    expect(deploys.asked).toMatchObject([{ app: 'sales', source: 'folder', folder: { dir } }]);
  },
);

it('a running app is not started again', async () => {
  const sales = await app(LIVE);
  state = 'ready';
  await source.start(sales, ADA);
  expect(data.store.get('sales')).toBe(sales);
  expect([done, deploys.asked]).toEqual([[], []]);
});

it('a start joins the one in progress', async () => {
  await app({ lastRelease: 1, releases: [releaseOf(1, 'building')] });
  underWay = { app: 'sales', release: 1, follow: () => () => undefined, done: Promise.resolve(releaseOf(1, 'live')) };
  expect(await source.bringUp('sales', ADA, 'started')).toBe(underWay);
  expect(deploys.asked).toEqual([]);
});

it('a running app is restarted next to its old process, which stays recorded until then', async () => {
  const sales = await app(LIVE);
  state = 'ready';
  await source.restart(sales, ADA);
  expect(data.store.get('sales').live).toBe(1);
  expect(done).toEqual([]);
  expect(deploys.asked).toMatchObject([{ app: 'sales', source: 'folder', folder: { dir } }]);
});

it('a restart that fails is refused with the reason, and the old release stays live', async () => {
  const sales = await app(LIVE);
  state = 'ready';
  deploys.end = { state: 'failed', reason: 'it does not compile' };
  await expect(source.restart(sales, ADA)).rejects.toMatchObject({ code: 'not-restarted' });
  expect(data.store.get('sales').live).toBe(1);
});

it('a start is cancelled by cancelling its deploy', async () => {
  await source.callOffStart(await app());
  expect(done).toEqual(['abandon sales']);
});
