import { afterEach, beforeEach, expect, it } from 'vitest';
import { MAX_SHOWN, onItsWay, RepositorySource } from '../../../src/apps/repository-source.js';
import { system } from '../../../src/domain/access/principal.js';
import { newApp, type App } from '../../../src/domain/app/app.js';
import type { Release } from '../../../src/domain/app/release.js';
import { TakenDeploys, TestData } from '../../helpers/data.js';
import { releaseOf } from '../../helpers/release.js';

const ADA = system('ada');
let data: TestData;
let deploys: TakenDeploys;
/** What was started and restarted, as its record was then. */
let ran: [string, App][];
let source: RepositorySource;

beforeEach(async () => {
  data = await TestData.open();
  deploys = new TakenDeploys();
  ran = [];
  source = new RepositorySource({
    ...data,
    deploys,
    serving: {
      start: async (app) => void ran.push(['start', app]),
      restart: async (app) => void ran.push(['restart', app]),
    },
  });
});
afterEach(() => data.close());

/** An app with these releases, of which one may be live. */
const app = (releases: Release[], live: number | null = null, facts: Partial<App> = {}): Promise<App> =>
  data.app('shop', { deployBranch: 'main', releases, live, lastRelease: releases.length, ...facts });

it('an app without pushes has no commit and no files', async () => {
  const shop = await app([]);
  await data.repository('shop');
  expect(await source.newest(shop)).toBeUndefined();
  expect(await source.files(shop)).toEqual([]);
});

it('people see the files of the deploy branch, even if another branch is pushed', async () => {
  const commit = await data.commit('shop', { 'app.py': 'one', 'lib/näme.py': 'three' });
  await data.commit('shop', { 'app.py': 'other' }, 'other');
  const shop = await app([releaseOf(1, 'retired'), releaseOf(2, 'live', { commit })], 2);
  expect(await source.newest(shop)).toBe(commit);
  expect(await source.files(shop)).toEqual([
    { path: 'app.py', size: 3 },
    { path: 'lib/näme.py', size: 5 },
  ]);
  expect((await source.read(shop, 'app.py')).toString()).toBe('one');
});

it('people see a change that is being deployed, but not a rollback in progress', async () => {
  const first = await data.commit('shop', { 'app.py': '1' });
  const second = await data.commit('shop', { 'app.py': '2' }, 'aside');
  const live = releaseOf(1, 'live', { commit: first });
  const shop = await app([live], 1);
  const edit = releaseOf(2, 'building', { commit: second, source: 'edit' });
  expect(await source.newest({ ...shop, releases: [live, edit] })).toBe(second);
  expect(await source.newest({ ...shop, releases: [live, { ...edit, source: 'rollback' }] })).toBe(first);
  expect(await source.newest({ ...shop, releases: [live, { ...edit, state: 'failed' }] })).toBe(first);
});

it('people see the newest release if its branch is gone', async () => {
  await data.repository('shop');
  const shop = await app([releaseOf(1, 'failed', { commit: 'a'.repeat(40) })]);
  expect(await source.newest(shop)).toBe('a'.repeat(40));
});

it('only a release that moves the branch counts as a pending change', () => {
  const shop = (release: Release): App => ({ ...newApp('shop', 'Shop', new Date(0)), releases: [release] });
  const queued = releaseOf(1, 'queued');
  expect(onItsWay(shop(queued))).toBe(queued);
  expect(onItsWay(shop(releaseOf(1, 'queued', { source: 'config' })))).toBeUndefined();
  expect(onItsWay(shop(releaseOf(1, 'live')))).toBeUndefined();
});

it('reading a missing file or a folder is refused', async () => {
  await data.commit('shop', { 'lib/a.py': '' });
  const shop = await app([]);
  for (const path of ['b.py', 'lib', '../meta.json', '']) {
    await expect(source.read(shop, path)).rejects.toMatchObject({ code: 'file-not-found' });
  }
});

it('a file too large to show is refused, but still listed', async () => {
  await data.commit('shop', { 'data.csv': 'x'.repeat(MAX_SHOWN + 1), 'fits.csv': 'x'.repeat(MAX_SHOWN) });
  const shop = await app([]);
  await expect(source.read(shop, 'data.csv')).rejects.toMatchObject({ code: 'file-too-large' });
  expect(await source.read(shop, 'fits.csv')).toHaveLength(MAX_SHOWN);
  expect((await source.files(shop)).map(({ size }) => size)).toEqual([MAX_SHOWN + 1, MAX_SHOWN]);
});

it.each(['start', 'restart'] as const)('to %s an app sets its desired state to running, and wakes it', async (what) => {
  const shop = await app([releaseOf(1, 'live')], 1, { wanted: 'stopped', asleep: true });
  await source[what](shop, system());
  expect(data.store.get('shop')).toMatchObject({ wanted: 'running', asleep: false, live: 1 });
  expect(ran).toEqual([[what, data.store.get('shop')]]);
  expect(deploys.asked).toEqual([]);
});

it('an app whose environment is missing, as after a restore, is built when it is started', async () => {
  const shop = await app([releaseOf(1, 'live', { environment: 'gone' })], 1, { wanted: 'stopped' });
  await source.start(shop, system('ada'));
  expect(data.store.get('shop').wanted).toBe('running');
  expect(deploys.asked).toMatchObject([{ app: 'shop', source: 'rollback', of: { number: 1 }, by: { name: 'ada' } }]);
  expect(ran).toEqual([]);
});

it.each(['start', 'restart'] as const)('an app without a live release cannot %s, and stays stopped', async (what) => {
  const shop = await app([releaseOf(1, 'failed')], null, { wanted: 'stopped' });
  await expect(source[what](shop, system())).rejects.toMatchObject({ code: 'nothing-deployed' });
  expect(data.store.get('shop').wanted).toBe('stopped');
  expect(ran).toEqual([]);
});

it("a redeploy takes the branch's commit, even if it is newer than the live one", async () => {
  const commit = await data.commit('shop', { 'app.py': '' });
  await source.redeploy(await app([releaseOf(1, 'live')], 1), ADA, true);
  expect(deploys.asked).toEqual([{ app: 'shop', commit, branch: 'main', by: ADA, source: 'redeploy', fresh: true }]);
});

it('a redeploy takes the live commit if its branch is gone', async () => {
  await data.repository('shop');
  const live = releaseOf(1, 'live', { commit: 'a'.repeat(40) });
  await source.redeploy(await app([live, releaseOf(2, 'failed', { commit: 'b'.repeat(40) })], 1), ADA, false);
  expect(deploys.asked).toMatchObject([{ commit: 'a'.repeat(40), source: 'redeploy' }]);
});

it('a redeploy of a commit that was never live moves the branch, as a first upload does', async () => {
  await data.repository('shop');
  await source.redeploy(await app([releaseOf(1, 'failed', { commit: 'b'.repeat(40) })]), ADA, false);
  expect(deploys.asked).toMatchObject([{ commit: 'b'.repeat(40), source: 'upload' }]);
});

it('an app that was never deployed cannot be redeployed', async () => {
  await data.repository('shop');
  await expect(source.redeploy(await app([]), ADA, false)).rejects.toMatchObject({ code: 'nothing-deployed' });
  expect(deploys.asked).toEqual([]);
});
