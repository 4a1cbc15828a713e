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

beforeEach(async () => {
  paths = new Paths(await mkdtemp(join(tmpdir(), 'sleeper-')));
  store = new AppStore(paths);
  await store.load();
  await store.create({ ...newApp('quiet', 'Quiet', new Date(0)), live: 1, wanted: 'running' });
  routes = new RouteTable();
  routes.swap('quiet', new Target({ release: 1, address: { host: '127.0.0.1', port: 1 }, state: 'ready' }));
  steps = [];
  sleeper = new Sleeper({
    store,
    routes,
    serving: {
      start: () => Promise.resolve(void steps.push('start')),
      stop: () => {
        steps.push('stop');
        return new Promise<void>((resolve) => (end = resolve));
      },
    },
    rule: { afterMs: 1, idlePageMs: 1 },
    logger: { info: () => undefined, error: (facts) => void steps.push(JSON.stringify(facts)) },
  });
  await vi.waitFor(() => expect(steps).toEqual(['stop']), { timeout: 5_000 });
});

afterEach(async () => {
  end();
  await sleeper.close();
  await rm(paths.data, { recursive: true, force: true });
});

it('wakes an app that somebody touched while it was being put to sleep, once that has ended', async () => {
  expect(store.get('quiet').asleep).toBe(true);
  sleeper.wake('quiet');
  sleeper.wake('quiet');
  expect(steps).toEqual(['stop']);
  end();
  await vi.waitFor(() => expect(steps).toEqual(['stop', 'start']));
  expect(store.get('quiet').asleep).toBe(false);
});

it('does not wake an app that nobody touched', async () => {
  end();
  await sleeper.close();
  expect(steps).toEqual(['stop']);
  expect(store.get('quiet').asleep).toBe(true);
});

it('tries to wake an app again that could not be woken, but not at once for as long as somebody waits: the disk may be full', async () => {
  end();
  await vi.waitFor(() => expect(store.get('quiet').asleep).toBe(true));
  const disk = vi.spyOn(store, 'update').mockRejectedValue(new Error('ENOSPC: no space left on device, write'));
  const target = routes.live('quiet');
  if (target !== undefined) routes.drop('quiet', target);
  let open = true;
  const page = routes.whenReady('quiet', undefined, 10_000, () => open);
  const begun = Date.now();
  sleeper.wake('quiet');
  await vi.waitFor(() => expect(disk.mock.calls.length).toBeGreaterThan(2), { timeout: 5_000 });
  // It looks four times a second here, and the first try is at once.
  expect(disk.mock.calls.length).toBeLessThanOrEqual(2 + (Date.now() - begun) / 250);
  disk.mockRestore();
  await vi.waitFor(() => expect(steps.at(-1)).toBe('start'), { timeout: 5_000 });
  open = false;
  await page;
});
