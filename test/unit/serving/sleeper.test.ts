import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { newApp } from '../../../src/domain/app/app.js';
import { Sleeper } from '../../../src/serving/sleeper.js';
import { RouteTable } from '../../../src/gateway/routes.js';
import { Target } from '../../../src/gateway/target.js';
import { AppStore } from '../../../src/store/apps.js';
import { Paths } from '../../../src/store/paths.js';

let paths: Paths;
let store: AppStore;
let routes: RouteTable;
let sleeper: Sleeper;
let steps: string[];
/** Lets the process that is being stopped end. */
let end: () => void;

/** The longest between two looks at the apps (ms), which come four times as often as the rule's time passes. */
const LOOK_MS = 250;
const ready = (): Target => new Target({ release: 1, address: { host: '127.0.0.1', port: 1 }, state: 'ready' });
const soon = { interval: 2 };

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] });
  paths = new Paths(await mkdtemp(join(tmpdir(), 'sleeper-')));
  store = new AppStore(paths);
  await store.load();
  await store.create({ ...newApp('quiet', 'Quiet', new Date(0)), live: 1, wanted: 'running' });
  routes = new RouteTable();
  routes.swap('quiet', [ready()]);
  steps = [];
  sleeper = new Sleeper({
    store,
    routes,
    serving: {
      hurry: () => undefined,
      start: () => Promise.resolve(void steps.push('start')),
      stop: () => {
        steps.push('stop');
        return new Promise<void>((resolve) => (end = resolve));
      },
    },
    rule: { afterMs: 1, idlePageMs: 1 },
    logger: { info: () => undefined, error: (facts) => void steps.push(JSON.stringify(facts)) },
  });
  vi.advanceTimersByTime(LOOK_MS);
  await vi.waitFor(() => expect(steps).toEqual(['stop']), soon);
});

afterEach(async () => {
  end();
  await sleeper.close();
  vi.useRealTimers();
  await rm(paths.data, { recursive: true, force: true });
});

it('the sleeper wakes an app that is visited while it goes to sleep, once it is asleep', async () => {
  expect(store.get('quiet').asleep).toBe(true);
  sleeper.wake('quiet');
  sleeper.wake('quiet');
  expect(steps).toEqual(['stop']);
  end();
  await vi.waitFor(() => expect(steps).toEqual(['stop', 'start']), soon);
  expect(store.get('quiet').asleep).toBe(false);
});

it('the sleeper does not wake an app without visitors', async () => {
  end();
  await sleeper.close();
  expect(steps).toEqual(['stop']);
  expect(store.get('quiet').asleep).toBe(true);
});

it('the sleeper retries an app that could not be woken, with pauses while visitors wait, since the disk may be full', async () => {
  end();
  await vi.waitFor(() => expect(store.get('quiet').asleep).toBe(true), soon);
  const disk = vi.spyOn(store, 'update').mockRejectedValue(new Error('ENOSPC: no space left on device, write'));
  const target = routes.live('quiet');
  if (target !== undefined) routes.drop('quiet', target);
  const page = routes.whenReady('quiet', undefined, 10_000, () => true);
  sleeper.wake('quiet');
  // The first try is at once, and the others are made at each look.
  for (const tries of [1, 2, 3, 4]) {
    await new Promise(setImmediate);
    expect(disk).toHaveBeenCalledTimes(tries);
    vi.advanceTimersByTime(LOOK_MS);
  }
  await new Promise(setImmediate);
  disk.mockRestore();
  vi.advanceTimersByTime(LOOK_MS);
  await vi.waitFor(() => expect(steps.at(-1)).toBe('start'), soon);
  routes.swap('quiet', [ready()]);
  expect(await page).toBe(routes.live('quiet'));
});

it('the sleeper puts an app to sleep on request, and a visit wakes it', async () => {
  end();
  await vi.waitFor(() => expect(steps).toEqual(['stop']), soon);
  await sleeper.sleep('quiet');
  expect(steps).toEqual(['stop']);
  sleeper.wake('quiet');
  await vi.waitFor(() => expect(store.get('quiet').asleep).toBe(false), soon);
  const asleep = sleeper.sleep('quiet');
  await vi.waitFor(() => expect(steps).toEqual(['stop', 'start', 'stop']), soon);
  end();
  await asleep;
  expect(store.get('quiet').asleep).toBe(true);
});

it('the sleeper refuses an app that is stopped, and reports why one could not be put to sleep', async () => {
  end();
  await vi.waitFor(() => expect(store.get('quiet').asleep).toBe(true), soon);
  await store.update('quiet', (app) => ({ ...app, asleep: false }));
  const disk = vi.spyOn(store, 'update').mockRejectedValue(new Error('ENOSPC: no space left on device, write'));
  await expect(sleeper.sleep('quiet')).rejects.toThrow('ENOSPC');
  disk.mockRestore();
  await store.want('quiet', 'stopped');
  await expect(sleeper.sleep('quiet')).rejects.toMatchObject({ code: 'app-not-running' });
  await expect(sleeper.sleep('nobody')).rejects.toMatchObject({ code: 'app-not-found' });
  expect(steps.filter((step) => step === 'stop')).toHaveLength(1);
});
