import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { newApp, type App } from '../../../src/domain/app/app.js';
import { reconcile, type ReconcileOptions } from '../../../src/deploys/reconcile.js';
import { AppStore } from '../../../src/store/apps.js';
import { Git } from '../../../src/store/git.js';
import { Paths } from '../../../src/store/paths.js';
import { releaseOf } from '../../helpers/release.js';

let paths: Paths;
let store: AppStore;
let started: string[];
let trouble: string[];

beforeEach(async () => {
  paths = new Paths(await mkdtemp(join(tmpdir(), 'reconcile-')));
  store = new AppStore(paths);
  await store.load();
  [started, trouble] = [[], []];
});
afterEach(() => rm(paths.data, { recursive: true, force: true }));

async function begin(serving: Partial<ReconcileOptions['serving']> = {}): Promise<void> {
  await reconcile({
    store,
    paths,
    git: new Git(process.env.PATH ?? ''),
    deploys: {
      recover: async () => undefined,
      request: (asked) => Promise.reject(new Error(`nobody asked for ${asked.app}`)),
    },
    serving: {
      adopt: async () => undefined,
      start: async (app, options) => void started.push(`${app.id}${options?.inTurn === true ? '' : ' at once'}`),
      ...serving,
    },
    logger: { error: (facts) => void trouble.push((facts as { app: string }).app) },
  });
}

/** An app with a live release, whose repository is gone. */
function live(id: string, more: Partial<App> = {}): App {
  return { ...newApp(id, id, new Date(0)), live: 1, lastRelease: 1, releases: [releaseOf(1, 'live')], ...more };
}

it('reconciling starts apps that should run, and none that are stopped, asleep or were never live', async () => {
  await store.create(live('wanted', { releases: [] }));
  await store.create(live('stopped', { releases: [], wanted: 'stopped' }));
  await store.create(live('asleep', { releases: [], asleep: true }));
  await store.create(newApp('new', 'new', new Date(0)));
  await begin();
  expect(started).toEqual(['wanted']);
  expect(trouble).toEqual([]);
});

it('reconciling logs an app that cannot be resumed, and starts the others', async () => {
  await store.create(live('without-repository'));
  await store.create(live('broken', { releases: [] }));
  await store.create(live('fine', { releases: [] }));
  await begin({
    adopt: async (app) => {
      if (app.id === 'broken') throw new Error('its record makes no sense');
    },
  });
  expect(started.sort()).toEqual(['fine', 'without-repository']);
  expect(trouble.sort()).toEqual(['broken', 'without-repository']);
});

it('reconciling starts the most recently used apps first, a few at a time', async () => {
  for (const [id, used] of [
    ['seldom', 100],
    ['often', 300],
    ['sometimes', 200],
  ] as const) {
    await store.create(live(id));
    const log = paths.runLog(id, 1);
    await mkdir(paths.release(id, 1), { recursive: true });
    await writeFile(log, '');
    await utimes(log, used, used);
  }
  await begin();
  expect(started).toEqual(['often', 'sometimes', 'seldom']);
});
