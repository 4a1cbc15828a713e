import { expect, it } from 'vitest';
import { newApp, type App } from '../../../src/domain/app/app.js';
import type { Release } from '../../../src/domain/app/release.js';
import { Happenings, type Happening, type Seen } from '../../../src/metrics/happenings.js';

const AT = '2026-03-04T12:00:00.000Z';

function release(number: number, state: Release['state'], finishedAt?: string): Release {
  const facts = { commit: 'c'.repeat(40), branch: 'main', source: 'push', by: 'ada', message: '' } as const;
  return { number, state, createdAt: AT, ...facts, ...(finishedAt && { finishedAt }) };
}

/** Apps and processes that a test changes. */
function world(first: App) {
  const apps = new Map([[first.id, first]]);
  const listeners: { app?: (id: string, app: App | undefined) => void; process?: (id: string) => void } = {};
  let process: Seen | undefined;
  let clock = 0;
  const told: Happening[] = [];
  const happenings = new Happenings({
    store: {
      list: () => [...apps.values()],
      find: (id) => apps.get(id),
      subscribe: (listener) => {
        listeners.app = listener;
        return () => delete listeners.app;
      },
    },
    serving: {
      subscribe: (listener) => {
        listeners.process = listener;
        return () => delete listeners.process;
      },
      processes: () => (process === undefined ? [] : [process]),
    },
    clock: () => clock,
  });
  happenings.subscribe((happening) => void told.push(happening));
  happenings.begin();
  return {
    told,
    happenings,
    change: (app: App | undefined) => {
      if (app === undefined) apps.delete(first.id);
      else apps.set(app.id, app);
      listeners.app?.(first.id, app);
    },
    process: (next: Seen) => {
      process = next;
      listeners.process?.(first.id);
    },
    later: (ms: number) => (clock += ms),
    listeners,
  };
}

const shop = newApp('shop', 'Shop', new Date(AT));

it('tells how deploys end, each once', () => {
  const { told, change } = world({ ...shop, releases: [release(1, 'retired')] });
  const pending = [release(1, 'retired'), release(2, 'building'), release(3, 'queued'), release(4, 'queued')];
  change({ ...shop, releases: pending });
  const done = [
    release(1, 'retired'),
    release(2, 'failed'),
    release(3, 'superseded'),
    release(4, 'live', '2026-03-04T12:00:20.000Z'),
  ];
  change({ ...shop, releases: done });
  change({ ...shop, releases: done });
  expect(told).toMatchObject([
    { kind: 'deploy-failed', release: { number: 2 } },
    { kind: 'deployed', release: { number: 4 }, ms: 20_000 },
  ]);
});

it('knows no deploy that took less than no time', () => {
  const { told, change } = world({ ...shop, releases: [release(1, 'building')] });
  change({ ...shop, releases: [release(1, 'live', '2026-03-04T11:00:00.000Z')] });
  expect(told).toMatchObject([{ kind: 'deployed', ms: 0 }]);
});

it('measures a wake from the visit until the process serves', () => {
  const { told, change, process, later } = world({ ...shop, asleep: true });
  change({ ...shop, asleep: false });
  process({ state: 'starting', restarts: 0, release: 1, lastExit: '' });
  later(1_500);
  process({ state: 'ready', restarts: 0, release: 1, lastExit: '' });
  expect(told).toMatchObject([{ kind: 'up' }, { kind: 'woken', ms: 1_500 }]);
});

it('reports crashes and restarts, but no earlier ones', () => {
  const { told, process } = world(shop);
  const one = { state: 'ready', restarts: 0, release: 1, lastExit: '' } as { -readonly [K in keyof Seen]: Seen[K] };
  process(one);
  [one.state, one.lastExit] = ['crashed', 'the app exited with code 1'];
  process(one);
  [one.state, one.restarts] = ['starting', 1];
  process(one);
  one.state = 'ready';
  process(one);
  expect(told.map(({ kind }) => kind)).toEqual(['up', 'crashed', 'restarted', 'up']);
  expect(told[1]).toMatchObject({ why: 'the app exited with code 1' });
});

it('tells when an app rests or is removed', () => {
  const { told, change } = world(shop);
  change({ ...shop, asleep: true });
  change({ ...shop, asleep: true, wanted: 'stopped' });
  change(undefined);
  expect(told.map(({ kind }) => kind)).toEqual(['rested', 'removed']);
});

it('ends its subscriptions', () => {
  const { happenings, listeners } = world(shop);
  happenings.close();
  expect(listeners).toEqual({});
});
