import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { system } from '../../../src/domain/access/principal.js';
import { Deploys, type DeploysOptions } from '../../../src/deploys/deploys.js';
import { Refusal } from '../../../src/errors.js';
import { newApp } from '../../../src/domain/app/app.js';
import { AppStore } from '../../../src/store/apps.js';
import { Paths } from '../../../src/store/paths.js';
import { releaseOf } from '../../helpers/release.js';

const LIVE = releaseOf(1, 'live', { entrypoint: 'app.py', environment: 'abc' });

let paths: Paths;
let store: AppStore;
let deploys: Deploys;
/** What is waited for before an app's values can be hidden. */
let masks: Promise<void>[];
/** Whether there is room on the disk. */
let low: () => Promise<void>;
/** The head starts that were ended, unless a deploy is to come. */
let settled: string[];

beforeEach(async () => {
  paths = new Paths(await mkdtemp(join(tmpdir(), 'deploys-')));
  store = new AppStore(paths);
  await store.load();
  await store.create({ ...newApp('shop', 'Shop', new Date()), live: 1, lastRelease: 1, releases: [LIVE] });
  masks = [];
  settled = [];
  low = () => Promise.resolve();
  const options: Partial<DeploysOptions> = {
    store,
    paths,
    headStarts: {
      begin: () => undefined,
      take: () => Promise.resolve(undefined),
      settle: (id) => void settled.push(id),
    },
    masks: {
      forDeploy: async () => {
        await masks.shift();
        return (text) => text.replaceAll('s3cret', '••••');
      },
    },
  };
  options.sources = {
    of: () => ({
      title: () => 'main',
      build: () => Promise.reject(new Refusal('invalid', 'build-failed', 'The index does not know s3cret.')),
    }),
  } as unknown as NonNullable<DeploysOptions['sources']>;
  options.room = { demand: () => low() };
  options.readiness = { why: () => Promise.resolve(undefined) };
  options.pruner = { tidyAfter: () => Promise.resolve() };
  options.logger = { info: () => undefined, error: () => undefined };
  // Nothing is deployed here.
  deploys = new Deploys(options as DeploysOptions);
});
afterEach(() => rm(paths.data, { recursive: true, force: true }));

const request = (): ReturnType<Deploys['request']> =>
  deploys.request({ app: 'shop', commit: LIVE.commit, branch: 'main', by: system('ada'), source: 'config', of: LIVE });

it('a superseded deploy is reported to everyone who requested it, even before it could be followed', async () => {
  let go = (): void => undefined;
  masks = [new Promise((resolve) => (go = resolve))];
  const first = request();
  await vi.waitFor(() => expect(masks).toEqual([]));
  await request();
  go();
  expect(await (await first).done).toMatchObject({ number: 2, state: 'superseded', reason: 'superseded by release 3' });
});

it('a deploy that was being requested when the server began to stop is refused, and not recorded', async () => {
  const first = request();
  await Promise.all([deploys.stop(), expect(first).rejects.toMatchObject({ code: 'stopping' })]);
  expect([store.get('shop').releases, settled]).toEqual([[LIVE], ['shop']]);
});

it('a deploy that was recorded when the server began to stop is left to the next one, and its requester is told', async () => {
  let go = (): void => undefined;
  masks = [new Promise((resolve) => (go = resolve))];
  const first = request();
  await vi.waitFor(() => expect(masks).toEqual([]));
  await deploys.stop();
  go();
  expect(await (await first).done).toMatchObject({ number: 2, state: 'queued' });
});

it('a deploy that is refused, or cancelled before its turn, leaves no head start', async () => {
  const unbar = deploys.bar('shop');
  await expect(request()).rejects.toMatchObject({ code: 'app-going' });
  expect(settled).toEqual(['shop']);
  unbar();
  const { release } = await request();
  await deploys.cancel('shop', release);
  expect(settled).toEqual(['shop', 'shop']);
});

it('on a disk without room, new code is refused before anything is written, and what ran before may run again', async () => {
  low = () => Promise.reject(new Refusal('unavailable', 'disk-low', 'The disk is low.'));
  const before = store.get('shop');
  const pushed = { app: 'shop', commit: LIVE.commit, branch: 'main', by: system('ada'), source: 'push' } as const;
  await expect(deploys.request(pushed)).rejects.toMatchObject({ code: 'disk-low' });
  expect([store.get('shop'), settled]).toEqual([before, []]);
  expect(await request()).toMatchObject({ release: 2 });
});

it('packages that were asked for again stay with later releases, and go with a rollback', async () => {
  const ask = { app: 'shop', commit: LIVE.commit, branch: 'main', by: system('ada') } as const;
  const fresh = async (more: Partial<Parameters<Deploys['request']>[0]>): Promise<unknown> => {
    const { release } = await deploys.request({ ...ask, source: 'config', of: LIVE, ...more });
    return store.get('shop').releases.find(({ number }) => number === release)?.fresh;
  };
  expect(await fresh({})).toBeUndefined();
  const since = await fresh({ fresh: true });
  expect(Date.parse(String(since))).toBeGreaterThan(Date.now() - 60_000);
  // It failed, say: what is live counts.
  expect(await fresh({})).toBeUndefined();
  expect(await fresh({ of: { ...LIVE, fresh: '2026-01-01T00:00:00.000Z' } })).toBe('2026-01-01T00:00:00.000Z');
});

it('the reason of a deploy hides the values of its app', async () => {
  const { done } = await request();
  await deploys.run('shop');
  expect(await done).toMatchObject({ state: 'failed', reason: 'the index does not know ••••' });
});
