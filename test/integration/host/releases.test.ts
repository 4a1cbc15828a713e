import { afterEach, beforeEach, expect, it } from 'vitest';
import { AppSources, type AppSource } from '../../../src/apps/source.js';
import { system } from '../../../src/domain/access/principal.js';
import type { App } from '../../../src/domain/app/app.js';
import type { Release, ReleaseState } from '../../../src/domain/app/release.js';
import { Refusal } from '../../../src/errors.js';
import { Releases, type ReleasesOptions } from '../../../src/host/releases.js';
import { TakenDeploys, TestData } from '../../helpers/data.js';
import { releaseOf } from '../../helpers/release.js';

const ADA = system('ada');
const NOTHING = { vars: { added: [], changed: [], removed: [] }, secrets: { added: [], changed: [], removed: [] } };
const FOLDER = { dir: '/srv/shop' };
let data: TestData;
let deploys: TakenDeploys;
/** What was done besides, in its order. */
let done: string[];
/** What the two versions of the config differ in. */
let difference: ReleasesOptions['configs']['diff'];
let releases: Releases;

beforeEach(async () => {
  data = await TestData.open();
  deploys = new TakenDeploys();
  done = [];
  difference = (id, from, to) => {
    done.push(`config ${id} ${from} ${to}`);
    return Promise.resolve(NOTHING as never);
  };
  const source = {
    redeploy: (app, by) => deploys.request({ app: app.id, commit: 'c', branch: 'main', by, source: 'redeploy' }),
  } as Pick<AppSource, 'redeploy'> as AppSource;
  releases = new Releases({
    ...data,
    deploys: {
      request: deploys.request,
      cancel: async (id, number) => {
        done.push(`cancel ${id} ${number}`);
        return releaseOf(number, 'cancelled');
      },
      find: () => undefined,
    },
    serving: {
      retire: async (id, number) => {
        done.push(`retire ${id} ${number}`);
        const state = (one: Release): Release => (one.number === number ? { ...one, state: 'retired' } : one);
        await data.store.update(id, (app) => ({ ...app, releases: app.releases.map(state) }));
      },
      openPages: () => new Map([[2, 1]]),
    },
    configs: { diff: (id, from, to) => difference(id, from, to) },
    sources: new AppSources({ repository: source, folder: source }),
  });
});
afterEach(() => data.close());

const shop = (list: Release[], facts: Partial<App> = {}): Promise<App> =>
  data.app('shop', { releases: list, live: list.find(({ state }) => state === 'live')?.number ?? null, ...facts });

it.each<ReleaseState>(['live', 'draining', 'retired'])('a release that is %s can be rolled back to', async (state) => {
  const back = releaseOf(1, state, { commit: 'a'.repeat(40), branch: 'side', environment: 'abc' });
  await shop([back]);
  await releases.rollback('shop', 1, ADA);
  expect(deploys.asked).toEqual([
    { app: 'shop', commit: back.commit, branch: 'side', by: ADA, source: 'rollback', of: back },
  ]);
});

it.each<ReleaseState>(['queued', 'building', 'starting', 'failed', 'superseded', 'cancelled'])(
  'a release that is %s was never live, and cannot be rolled back to',
  async (state) => {
    await shop([releaseOf(1, state)]);
    await expect(releases.rollback('shop', 1, ADA)).rejects.toMatchObject({ code: 'release-never-live' });
    expect(deploys.asked).toEqual([]);
  },
);

it('a release that ran in place, or whose app does now, cannot be rolled back to', async () => {
  const place = { key: 'shop', dir: '/srv/shop', restartOnCrash: true, watch: false };
  await shop([releaseOf(1, 'retired'), releaseOf(2, 'live', { folder: FOLDER })], { place });
  await expect(releases.rollback('shop', 2, ADA)).rejects.toMatchObject({ code: 'release-in-place' });
  await expect(releases.rollback('shop', 1, ADA)).rejects.toMatchObject({ code: 'app-in-place' });
  expect(deploys.asked).toEqual([]);
});

it('an unknown release or app is refused by every operation', async () => {
  await shop([releaseOf(1, 'live')]);
  for (const [id, code] of [
    ['shop', 'release-not-found'],
    ['none', 'app-not-found'],
  ] as const) {
    await expect(releases.rollback(id, 9, ADA)).rejects.toMatchObject({ code });
    await expect(releases.diff(id, 9)).rejects.toMatchObject({ code });
    await expect(releases.retire(id, 9)).rejects.toMatchObject({ code });
    await expect(releases.cancel(id, 9)).rejects.toMatchObject({ code });
  }
  expect(deploys.asked).toEqual([]);
  expect(done).toEqual([]);
});

it("a redeploy is up to the app's source, on behalf of the requester", async () => {
  await shop([]);
  await releases.redeploy('shop', ADA);
  expect(deploys.asked).toMatchObject([{ app: 'shop', by: ADA, source: 'redeploy' }]);
});

it('a diff goes from the live release to the other one, in code and config', async () => {
  const one = await data.commit('shop', { 'app.py': 'one\n' });
  const two = await data.commit('shop', { 'app.py': 'two\n' });
  await shop([releaseOf(1, 'retired', { commit: one, config: 3 }), releaseOf(2, 'live', { commit: two, config: 5 })]);
  const { live, code } = await releases.diff('shop', 1);
  expect(live).toBe(2);
  expect(code).toContain('-two\n+one\n');
  expect(done).toEqual(['config shop 5 3']);
});

it('releases of the same commit, of a folder, or of an app that is not live have no code diff', async () => {
  await shop([releaseOf(1, 'retired'), releaseOf(2, 'live'), releaseOf(3, 'retired', { commit: 'f', folder: FOLDER })]);
  for (const number of [1, 2, 3]) expect(await releases.diff('shop', number)).toMatchObject({ live: 2, code: '' });
  await data.app('blog', { releases: [releaseOf(1, 'failed')] });
  expect(await releases.diff('blog', 1)).toMatchObject({ live: null, code: '' });
  // What was recorded before there was any config has version 0.
  expect(done.at(-1)).toBe('config blog 0 0');
});

it('an unreadable config still shows the code diff, and any other error is thrown', async () => {
  await shop([releaseOf(1, 'live')]);
  const refusal = new Refusal('unavailable', 'vault-key-missing', 'No key.');
  difference = () => Promise.reject(refusal);
  expect(await releases.diff('shop', 1)).toEqual({ live: 1, code: '', config: refusal });
  difference = () => Promise.reject(new Error('a defect'));
  await expect(releases.diff('shop', 1)).rejects.toThrow('a defect');
});

it('an older release with open pages can be stopped, and the live one cannot', async () => {
  await shop([releaseOf(1, 'draining'), releaseOf(2, 'live')]);
  await expect(releases.retire('shop', 2)).rejects.toMatchObject({ code: 'release-is-live' });
  expect(done).toEqual([]);
  expect(await releases.retire('shop', 1)).toMatchObject({ number: 1, state: 'retired' });
  expect(data.store.get('shop').releases.map(({ state }) => state)).toEqual(['retired', 'live']);
  expect(releases.openPages('shop')).toEqual(new Map([[2, 1]]));
});

it('a deploy in progress is cancelled by its number', async () => {
  await shop([releaseOf(1, 'live'), releaseOf(2, 'building')]);
  expect(await releases.cancel('shop', 2)).toMatchObject({ number: 2, state: 'cancelled' });
  expect(done).toEqual(['cancel shop 2']);
});
