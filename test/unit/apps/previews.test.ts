import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { newApp, type App } from '../../../src/domain/app/app.js';
import { newPreview } from '../../../src/domain/app/preview.js';
import { Previews } from '../../../src/apps/previews.js';
import { RouteTable } from '../../../src/gateway/routes.js';
import { Target } from '../../../src/gateway/target.js';
import { AppStore } from '../../../src/store/apps.js';
import { Paths } from '../../../src/store/paths.js';

const DAY = 86_400_000;
let paths: Paths;
let store: AppStore;
let routes: RouteTable;
let previews: Previews | undefined;

beforeEach(async () => {
  paths = new Paths(await mkdtemp(join(tmpdir(), 'previews-')));
  store = new AppStore(paths);
  await store.load();
  await store.create(newApp('shop', 'Shop', new Date()));
  routes = new RouteTable();
});

afterEach(async () => {
  await previews?.close();
  vi.useRealTimers();
  await rm(paths.data, { recursive: true, force: true });
});

function open(idleMs: number, begin = async (app: App): Promise<void> => void (await store.create(app))): Previews {
  previews = new Previews({
    store,
    routes,
    newApps: { make: begin, demandBranch: () => Promise.resolve() },
    removal: { remove: (id) => store.remove(id) },
    settings: { on: true, idleMs },
    logger: { info: () => undefined, error: (facts) => expect.fail(JSON.stringify(facts)) },
  });
  return previews;
}

/** A preview that was last used so long ago (ms). */
async function used(id: string, ago: number): Promise<string> {
  await store.create(newPreview(id, store.get('shop'), id, new Date(Date.now() - ago)));
  return id;
}

const lastUse = (id: string): number => Date.parse(store.get(id).preview?.lastUsedAt ?? '');
const ids = (): string[] => store.list().map(({ id }) => id);

it('unused previews are deleted, and nothing else, however old it is', async () => {
  await store.create(newApp('old', 'Old', new Date(0)));
  await used('shop--idle', 15 * DAY);
  await used('shop--fresh', 13 * DAY);
  await open(14 * DAY).look();
  expect(ids()).toEqual(['old', 'shop', 'shop--fresh']);
});

it('no preview is created for an app that is being deleted', async () => {
  const begin = async (app: App): Promise<void> => {
    await store.remove('shop');
    await store.create(app);
  };
  await expect(open(0, begin).ensure('shop', 'late')).rejects.toThrow('There is no app "shop".');
  expect(ids()).toEqual([]);
});

it('unused previews are checked for at regular intervals', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] });
  await used('shop--soon', 0);
  open(100);
  vi.advanceTimersByTime(249);
  await new Promise(setImmediate);
  expect(ids()).toEqual(['shop', 'shop--soon']);
  vi.advanceTimersByTime(1);
  await vi.waitFor(() => expect(ids()).toEqual(['shop']), { interval: 2 });
});

it('previews without a limit are all kept', async () => {
  await used('shop--idle', 1_000 * DAY);
  await open(0).look();
  expect(ids()).toEqual(['shop', 'shop--idle']);
});

it('a visit to a preview is recorded at most once an hour, and the start of its process is not a visit', async () => {
  const id = await used('shop--visited', 15 * DAY);
  const started = await used('shop--started', 15 * DAY);
  for (const each of [id, started])
    routes.swap(each, [new Target({ release: 1, address: { host: '127.0.0.1', port: 1 }, state: 'ready' })]);
  routes.live(id)?.touch();
  await open(14 * DAY).look();
  expect(ids()).toEqual(['shop', id]);
  const noted = lastUse(id);
  expect(Date.now() - noted).toBeLessThan(60_000);
  // The next visit is too soon after it to be worth a write.
  await vi.waitFor(() => {
    routes.live(id)?.touch();
    expect(routes.live(id)?.visitedAt).toBeGreaterThan(noted);
  });
  await previews?.look();
  expect(lastUse(id)).toBe(noted);
});

it('a preview is not deleted during a push to it', async () => {
  const id = await used('shop--branch', 15 * DAY);
  await store.update(id, (app) => ({
    ...app,
    preview: { of: 'shop', branch: 'branch', lastUsedAt: app.preview?.lastUsedAt ?? '' },
  }));
  const open14 = open(14 * DAY);
  const [taken] = await Promise.all([open14.ensure('shop', 'branch'), open14.look()]);
  expect(taken).toBe(id);
  expect(ids()).toEqual(['shop', id]);
});

it('two pushes at once create one preview, and an id of another kind is refused', async () => {
  const open14 = open(14 * DAY);
  const both = await Promise.all([open14.ensure('shop', 'a/b'), open14.ensure('shop', 'a/b')]);
  expect(both).toEqual(['shop--a-b', 'shop--a-b']);
  expect(() => open14.demandPushable('shop--a-b')).toThrow('shop--a-b is a preview. Push a/b to shop instead.');
  expect(() => open14.demandPushable('shop--other')).toThrow('only previews have "--" in their ids');
  open14.demandPushable('shop');
  open14.demandPushable('new');
  expect(await open14.removeOf('shop', 'a/b')).toBe('shop--a-b');
  expect(await open14.removeOf('shop', 'a/b')).toBeUndefined();
  expect(ids()).toEqual(['shop']);
});
