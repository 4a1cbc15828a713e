import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { newApp, type App } from '../../../src/domain/app/app.js';
import { AppStore } from '../../../src/store/apps.js';
import { Paths } from '../../../src/store/paths.js';

let paths: Paths;
let store: AppStore;

beforeEach(async () => {
  paths = new Paths(await mkdtemp(join(tmpdir(), 'store-')));
  store = new AppStore(paths);
  await store.load();
});
afterEach(() => rm(paths.data, { recursive: true, force: true }));

function make(id: string): Promise<App> {
  return store.create(newApp(id, id.toUpperCase(), new Date(0)));
}

async function onDisk(id: string): Promise<App> {
  return JSON.parse(await readFile(paths.meta(id), 'utf8')) as App;
}

it('an app in the store is on disk, readable by us only, before anyone is told', async () => {
  const heard: unknown[] = [];
  store.subscribe((id, app) => heard.push([id, app?.name, existsSync(paths.meta(id))]));
  await make('hello');
  expect(heard).toEqual([['hello', 'HELLO', true]]);
  expect(await onDisk('hello')).toEqual(store.get('hello'));
  expect((await stat(paths.meta('hello'))).mode & 0o777).toBe(0o600);
});

it('an app in the store is the same for the next server', async () => {
  await make('hello');
  await make('zebra');
  await make('apple');
  const changed = await store.update('hello', (app) => ({ ...app, description: 'now with words' }));
  const next = new AppStore(paths);
  expect(await next.load()).toEqual([]);
  expect(next.list().map((app) => app.id)).toEqual(['apple', 'hello', 'zebra']);
  expect(next.get('hello')).toEqual(changed);
});

it('an app in the store cannot be created twice, even at once', async () => {
  const both = await Promise.allSettled([make('hello'), make('hello')]);
  expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect(both[1]).toMatchObject({ reason: { code: 'app-exists' } });
});

it('an app in the store loses no concurrent change', async () => {
  await make('hello');
  await Promise.all(
    Array.from({ length: 50 }, () => store.update('hello', (app) => ({ ...app, lastRelease: app.lastRelease + 1 }))),
  );
  expect(store.get('hello').lastRelease).toBe(50);
  expect((await onDisk('hello')).lastRelease).toBe(50);
});

it('an app in the store is unchanged if a change fails, and accepts the next one', async () => {
  const before = await make('hello');
  const failing = store.update('hello', () => {
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  expect(store.get('hello')).toBe(before);
  expect((await store.update('hello', (app) => ({ ...app, name: 'Next' }))).name).toBe('Next');
});

it('an app in the store is not written, and nobody is told, if nothing changes', async () => {
  await make('hello');
  const before = (await stat(paths.meta('hello'))).ino;
  let told = 0;
  const leave = store.subscribe(() => (told += 1));
  await store.update('hello', (app) => app);
  expect(told).toBe(0);
  expect((await stat(paths.meta('hello'))).ino).toBe(before);
  leave();
  await store.update('hello', (app) => ({ ...app, name: 'New' }));
  expect(told).toBe(0);
});

it('an app in the store is deleted with all its files, and deleting it again is safe', async () => {
  await make('hello');
  await writeFile(join(paths.storage('hello'), 'file.txt'), 'x');
  const heard: unknown[] = [];
  store.subscribe((id, app) => heard.push([id, app]));
  await store.remove('hello');
  await store.remove('hello');
  expect(heard[0]).toEqual(['hello', undefined]);
  expect(existsSync(paths.app('hello'))).toBe(false);
  expect(() => store.get('hello')).toThrow('There is no app "hello".');
  await expect(store.update('hello', (app) => ({ ...app }))).rejects.toMatchObject({ code: 'app-not-found' });
});

it.each(['', '{"id": "hello", "na', undefined])(
  'an app in the store whose record says %j has its state before the last change, and reuses no release number',
  async (text) => {
    await make('hello');
    await store.update('hello', (app) => ({ ...app, lastRelease: 4, description: 'good' }));
    await store.update('hello', (app) => ({ ...app, lastRelease: 5, description: 'newer' }));
    await mkdir(paths.release('hello', 5), { recursive: true });
    if (text === undefined) await rm(paths.meta('hello'));
    else await writeFile(paths.meta('hello'), text);

    const next = new AppStore(paths);
    const [problem, ...more] = await next.load();
    expect(more).toEqual([]);
    expect(problem).toContain(`cannot read ${paths.meta('hello')}, so the previous version of its record is used`);
    expect(next.get('hello')).toMatchObject({ description: 'good', lastRelease: 5 });
    expect([...next.leftAlone]).toEqual([]);
    // What cannot be read must not take the place of the copy.
    await next.update('hello', (app) => ({ ...app, description: 'newest' }));
    const last = JSON.parse(await readFile(paths.lastMeta('hello'), 'utf8')) as App;
    expect([last.description, (await onDisk('hello')).description]).toEqual(['good', 'newest']);
  },
);

it('an app in the store that was being deleted when the server was killed does not come back', async () => {
  await make('hello');
  await store.update('hello', (app) => ({ ...app, description: 'good' }));
  await store.letGo('hello');
  const next = new AppStore(paths);
  expect(await next.load()).toEqual([]);
  expect([next.list(), existsSync(paths.app('hello'))]).toEqual([[], false]);
});

it('an app in the store loses the half-written records of a killed server', async () => {
  await make('hello');
  await writeFile(`${paths.meta('hello')}.0123456789ab.draft`, 'half');
  await new AppStore(paths).load();
  expect((await readdir(paths.app('hello'))).sort()).toEqual(['meta.json', 'storage']);
});

it('a damaged data folder loses the leftovers of interrupted creations and deletions, and nothing else', async () => {
  await make('whole');
  await mkdir(join(paths.app('half'), 'repo.git'), { recursive: true });
  await mkdir(join(paths.apps, 'Not An App'));
  const next = new AppStore(paths);
  expect(await next.load()).toEqual([]);
  expect((await readdir(paths.apps)).sort()).toEqual(['Not An App', 'whole']);
  expect(next.list().map((app) => app.id)).toEqual(['whole']);
});

it.each([
  ['a record that is cut off', '{"id": "broken", "na'],
  ['a record of something else', '{"id": "broken"}'],
  ['a record of another app', JSON.stringify(newApp('other', 'Other', new Date(0)))],
  ['an empty record', ''],
])('a damaged data folder reports which app has %s, leaves it alone, and serves the others', async (_name, text) => {
  await make('whole');
  await mkdir(paths.app('broken'));
  await writeFile(paths.meta('broken'), text);
  const next = new AppStore(paths);
  const problems = await next.load();
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(`cannot read ${paths.meta('broken')}, so the app is skipped`);
  expect(next.list().map((app) => app.id)).toEqual(['whole']);
  expect(await readFile(paths.meta('broken'), 'utf8')).toBe(text);
});

it('once another server owns the records, nothing is written', async () => {
  const before = await make('hello');
  const writing = store.update('hello', (app) => ({ ...app, description: 'on its way' }));
  await store.handOver();
  expect((await writing).description).toBe('on its way');
  const refused = { code: 'handed-over' };
  await expect(store.update('hello', (app) => ({ ...app, description: 'too late' }))).rejects.toMatchObject(refused);
  await expect(store.want('hello', 'stopped')).rejects.toMatchObject(refused);
  await expect(store.remove('hello')).rejects.toMatchObject(refused);
  await expect(make('other')).rejects.toMatchObject(refused);
  expect(await onDisk('hello')).toMatchObject({
    ...before,
    description: 'on its way',
    updatedAt: expect.any(String) as string,
  });
});
