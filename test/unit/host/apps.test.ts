import { afterEach, beforeEach, expect, it } from 'vitest';
import { Refusal } from '../../../src/errors.js';
import { NewApps } from '../../../src/apps/new-apps.js';
import { AppSources, type AppSource } from '../../../src/apps/source.js';
import { system } from '../../../src/domain/access/principal.js';
import { newPreview } from '../../../src/domain/app/preview.js';
import { Apps, type AppStatus } from '../../../src/host/apps.js';
import { TestData } from '../../helpers/data.js';
import { releaseOf } from '../../helpers/release.js';

const ADA = system('ada');
const PLACE = { key: 'local', dir: '/srv/local', restartOnCrash: true, watch: false };
let data: TestData;
/** What was done to the apps, in its order. */
let done: string[];
/** Why processes do not start. */
let broken: Error | undefined;
/** Who hears of the processes. */
let processListeners: Set<(app: string) => void>;
let apps: Apps;

beforeEach(async () => {
  data = await TestData.open();
  done = [];
  broken = undefined;
  processListeners = new Set();
  const wanted = (id: string): string => data.store.get(id).wanted;
  const kind = (name: string): AppSource => ({
    files: () => Promise.resolve([]),
    read: () => Promise.reject(new Error('no files')),
    newest: () => Promise.resolve(undefined),
    start: async ({ id }, by) => void done.push(`start ${name} ${id} by ${by.name}`),
    restart: async ({ id }, by) => void done.push(`restart ${name} ${id} by ${by.name}`),
    callOffStart: async ({ id }) => void done.push(`call off ${name} ${id}, ${wanted(id)}`),
    redeploy: () => Promise.reject(new Error('no deploys')),
  });
  apps = new Apps({
    ...data,
    newApps: new NewApps({ ...data, opens: 'public' }),
    removal: { remove: async (id) => void done.push(`remove ${id}`) },
    sources: new AppSources({ repository: kind('repository'), folder: kind('folder') }),
    serving: {
      process: () => undefined,
      replicas: () => [],
      scale: async (id) => {
        done.push(`scale ${id} to ${data.store.get(id).replicas ?? 1}`);
        if (broken !== undefined) throw broken;
      },
      stop: async (id) => void done.push(`stop ${id}`),
      subscribe: (listener) => {
        processListeners.add(listener);
        return () => processListeners.delete(listener);
      },
    },
    sleeper: { sleep: async (id) => void done.push(`sleep ${id}`) },
    previews: {
      find: (of, branch) => data.store.list().find(({ preview }) => preview?.of === of && preview.branch === branch),
    },
    chooseBranch: async (id, branch) => void done.push(`choose ${branch} for ${id}`),
  });
});
afterEach(() => data.close());

it('how many processes run an app is recorded, and what runs follows', async () => {
  const before = await data.app('shop');
  expect((await apps.describe('shop', { replicas: 3 })).app.replicas).toBe(3);
  // An app with one process is recorded as apps have always been.
  const { app } = await apps.describe('shop', { replicas: 1 });
  expect(app).toEqual({ ...before, updatedAt: app.updatedAt });
  expect(done).toEqual(['scale shop to 3', 'scale shop to 1']);
});

it('where new processes of an app do not start, nothing has changed', async () => {
  await data.app('shop', { replicas: 2 });
  broken = new Refusal('invalid', 'app-exited', 'The app exited with code 1.');
  await expect(apps.describe('shop', { replicas: 5 })).rejects.toMatchObject({
    code: 'not-scaled',
    message: 'shop was not scaled: the app exited with code 1.',
  });
  expect(data.store.get('shop').replicas).toBe(2);
});

it('every app is listed by its id, with its state', async () => {
  await data.app('shop', { live: 1, releases: [releaseOf(1, 'live')], wanted: 'stopped' });
  await data.app('blog');
  expect(apps.list().map(({ app, state, process }) => [app.id, state, process])).toEqual([
    ['blog', 'created', undefined],
    ['shop', 'stopped', undefined],
  ]);
  expect(() => apps.get('none')).toThrow(expect.objectContaining({ code: 'app-not-found' }));
});

it('a new description changes nothing else, and nothing is restarted', async () => {
  const before = await data.app('shop', { description: 'Things', tags: ['a'] });
  const { app } = await apps.describe('shop', { name: ' Store ', hidden: true });
  expect(app).toEqual({ ...before, name: 'Store', hidden: true, updatedAt: app.updatedAt });
  expect(done).toEqual([]);
});

it("an app cannot get another one's name, or an empty one", async () => {
  await data.app('shop', { name: 'Shop' });
  await data.app('blog', { name: 'Blog' });
  await expect(apps.describe('blog', { name: 'SHOP' })).rejects.toMatchObject({ code: 'app-name-taken' });
  await expect(apps.describe('blog', { name: '  ' })).rejects.toMatchObject({ code: 'app-name-missing' });
  expect(data.store.get('blog').name).toBe('Blog');
});

it('a preview has no previews, and its other fields can be changed', async () => {
  await data.app('shop');
  await data.store.create(newPreview('shop--x', data.store.get('shop'), 'x', new Date()));
  await expect(apps.describe('shop--x', { previews: true, hidden: true })).rejects.toMatchObject({
    code: 'preview-of-preview',
  });
  expect(data.store.get('shop--x').hidden).toBe(false);
  expect((await apps.describe('shop--x', { hidden: true })).app.hidden).toBe(true);
});

it('the name and description of an in-place app come from config.json, and its tags can be changed', async () => {
  await data.app('local', { place: PLACE, name: 'Local', description: 'one\ntwo' });
  for (const facts of [{ name: 'Other' }, { description: 'three' }]) {
    await expect(apps.describe('local', facts)).rejects.toMatchObject({ code: 'app-in-place' });
  }
  const { app } = await apps.describe('local', { name: 'Local', description: 'one\r\ntwo', tags: ['b'] });
  expect(app).toMatchObject({ name: 'Local', tags: ['b'] });
});

it('an app is started and restarted by its own source, on behalf of the requester', async () => {
  await data.app('shop');
  await data.app('local', { place: PLACE });
  for (const id of ['shop', 'local']) {
    await apps.start(id, ADA);
    await apps.restart(id, ADA);
  }
  expect(done).toEqual([
    'start repository shop by ada',
    'restart repository shop by ada',
    'start folder local by ada',
    'restart folder local by ada',
  ]);
});

it('an app is recorded as stopped before its start is cancelled and its process ends', async () => {
  await data.app('shop');
  await data.app('blog');
  expect((await apps.stop('shop')).app.wanted).toBe('stopped');
  expect(done).toEqual(['call off repository shop, stopped', 'stop shop']);
  expect(data.store.get('blog').wanted).toBe('running');
});

it('a stop waits for a start in progress, and does not delay other apps', async () => {
  await data.app('shop');
  await data.app('blog');
  let go = (): void => undefined;
  const busy = data.turns.take('shop', () => new Promise<void>((resolve) => (go = resolve)));
  const stopped = apps.stop('shop');
  await apps.start('blog', ADA);
  expect(done).toEqual(['start repository blog by ada']);
  expect(data.store.get('shop').wanted).toBe('running');
  go();
  await Promise.all([busy, stopped]);
  expect(done.at(-1)).toBe('stop shop');
});

it('deleting an unknown app, or one that is not ours, is refused', async () => {
  await data.app('local', { place: PLACE });
  await data.app('shop');
  await expect(apps.remove('none')).rejects.toMatchObject({ code: 'app-not-found' });
  await expect(apps.remove('local')).rejects.toMatchObject({ code: 'app-in-place' });
  expect(done).toEqual([]);
  await apps.remove('shop');
  expect(done).toEqual(['remove shop']);
});

it('subscribers get changes of records and processes and deletions, until they unsubscribe', async () => {
  await data.app('shop');
  const heard: [string, AppStatus['state'] | undefined][] = [];
  const leave = apps.subscribe((id, status) => heard.push([id, status?.state]));
  await apps.describe('shop', { hidden: true });
  for (const listener of processListeners) {
    listener('shop');
    // It ended after its app was removed.
    listener('gone');
  }
  await data.store.remove('shop');
  expect(heard).toEqual([
    ['shop', 'created'],
    ['shop', 'created'],
    ['shop', undefined],
  ]);
  leave();
  await data.app('blog');
  expect(heard).toHaveLength(3);
});

it('the deploy branch can be changed, and nothing is deployed', async () => {
  await data.app('shop', { deployBranch: 'master', live: 1, releases: [releaseOf(1, 'live')] });
  await apps.describe('shop', { deployBranch: 'master' });
  expect(done).toEqual([]);
  await apps.describe('shop', { deployBranch: 'main' });
  expect(done).toEqual(['choose main for shop']);
});

it('a branch with an invalid name or a preview cannot become the deploy branch', async () => {
  const shop = await data.app('shop', { deployBranch: 'main' });
  await data.app('shop--idea', { preview: { of: 'shop', branch: 'idea', lastUsedAt: shop.createdAt } });
  await data.app('local', { place: PLACE });
  for (const [id, deployBranch, code] of [
    ['shop', '--force', 'branch-invalid'],
    ['shop', 'idea', 'branch-has-preview'],
    ['shop--idea', 'main', 'branch-fixed'],
    ['local', 'main', 'app-in-place'],
    ['none', 'main', 'app-not-found'],
  ] as const)
    await expect(apps.describe(id, { deployBranch, hidden: true })).rejects.toMatchObject({ code });
  expect(done).toEqual([]);
  expect(apps.get('shop').app).toEqual(shop);
});
