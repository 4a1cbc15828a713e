import { expect, it } from 'vitest';
import type { Change } from '../../../src/alerts/lane.js';
import { MACHINE, Problems, type Problem } from '../../../src/alerts/problems.js';
import { Watch, type Watched } from '../../../src/alerts/watch.js';
import { newApp, type App } from '../../../src/domain/app/app.js';
import type { Release } from '../../../src/domain/app/release.js';
import type { ErrorKind } from '../../../src/metrics/errors.js';
import { app as fields, blank, box, BOX_ID } from '../../../src/metrics/fields.js';

const GB = 1_000_000_000;
const shop: App = { ...newApp('shop', 'Shop', new Date(0)), live: 1, wanted: 'running' };

/** An app and a machine that a test changes. */
function world(apps: App[] = [shop], open: Problem[] = []) {
  const problems = new Problems(open);
  const told: Change[] = [];
  const processes = new Map<string, Watched>([['shop', { state: 'ready', lastExit: '', spec: {} }]]);
  let now = 1_800_000_000_000;
  let figures = new Map<string, number[]>();
  const watch = new Watch({
    apps: { list: () => apps, find: (id) => apps.find((app) => app.id === id) },
    serving: { process: (id) => processes.get(id) },
    problems,
    happened: (change) => void told.push(change),
    diskFloor: GB,
    now: () => now,
  });
  return {
    watch,
    told,
    change: (app: App) => apps.splice(0, 1, app),
    process: (next: Watched) => void processes.set('shop', next),
    noProcess: () => void processes.clear(),
    memory: (bytes: number) => {
      const values = blank('shop');
      values[fields.memoryKb] = bytes / 1_024;
      figures = new Map([['shop', values]]);
    },
    machine: (bytes: Partial<Record<'memoryKb' | 'memoryTotalKb' | 'diskKb' | 'diskTotalKb', number>>) => {
      const values = blank(BOX_ID);
      for (const [name, value] of Object.entries(bytes)) values[box[name as keyof typeof bytes]] = value / 1_024;
      figures = new Map([[BOX_ID, values]]);
    },
    /** What is wrong after some spans of 10 s. */
    spans: (count: number): string[] => {
      for (let span = 0; span < count; span += 1) {
        now += 10_000;
        watch.span(figures);
      }
      return [...problems.open.values()].map(({ of, rule }) => `${of} ${rule}`);
    },
    text: () => [...problems.open.values()][0]?.text,
  };
}

const release = (number: number, state: Release['state'], reason?: string): Release => ({
  ...{ number, state, createdAt: '2026-03-04T12:00:00.000Z', commit: 'c'.repeat(40), branch: 'main', source: 'push' },
  ...{ by: 'ada', message: '' },
  ...(reason === undefined ? {} : { reason }),
});

it('an app that should serve and does not for a minute is down, until it serves', () => {
  const { spans, process, text } = world();
  expect(spans(1)).toEqual([]);
  process({ state: 'crashed', lastExit: 'it exited with code 1', spec: {} });
  expect(spans(6)).toEqual([]);
  expect(spans(1)).toEqual(['shop down']);
  expect(text()).toBe('The app does not serve. It exited with code 1.');
  process({ state: 'ready', lastExit: '', spec: {} });
  expect(spans(1)).toEqual([]);
});

it('an app that is stopped, asleep, never deployed or a preview is not down', () => {
  const states: Partial<App>[] = [
    { wanted: 'stopped' },
    { asleep: true },
    { live: null },
    { preview: { of: 'other', branch: 'b', lastUsedAt: '' } },
  ];
  for (const state of states) {
    const { spans, process } = world([{ ...shop, ...state }]);
    process({ state: 'crashed', lastExit: '', spec: {} });
    expect(spans(20)).toEqual([]);
  }
});

it('three restarts within ten minutes are a loop, which ends when they are over', () => {
  const { watch, spans } = world();
  const restart = (): void => watch.happened({ kind: 'restarted', app: 'shop', release: 1 });
  restart();
  expect(spans(30)).toEqual([]);
  restart();
  restart();
  expect(spans(1)).toEqual(['shop crash-loop']);
  expect(spans(40)).toEqual(['shop crash-loop']);
  expect(spans(30)).toEqual([]);
});

it('a deploy that failed is told with its reason, until one succeeds', () => {
  const { watch, spans, text } = world();
  watch.happened({ kind: 'deploy-failed', app: 'shop', release: release(2, 'failed', 'build failed: no numpy\nmore') });
  expect(spans(1)).toEqual(['shop deploy-failed']);
  expect(text()).toBe('Release 2 could not be deployed. Build failed: no numpy.');
  watch.happened({ kind: 'deployed', app: 'shop', release: release(3, 'live'), ms: 1 });
  expect(spans(1)).toEqual([]);
});

it('memory near the limit of an app is told after three spans, and not while an older release drains', () => {
  const { memory, process, spans, text, change } = world();
  process({ state: 'ready', lastExit: '', spec: { memoryLimit: GB } });
  memory(0.95 * GB);
  expect(spans(2)).toEqual([]);
  expect(spans(1)).toEqual(['shop memory']);
  expect(text()).toBe('The app uses 950 MB of 1 GB (95 %).');
  memory(0.85 * GB);
  expect(spans(1)).toEqual(['shop memory']);
  memory(0.7 * GB);
  expect(spans(1)).toEqual([]);
  const one = { release: 1, runtime: 'process', mark: 'm', startedAt: '' };
  change({ ...shop, processes: [one, one] });
  memory(1.9 * GB);
  expect(spans(5)).toEqual([]);
});

it('the machine is told of its memory and its disk, the latter before deploys are refused', () => {
  const { machine, spans } = world();
  machine({ memoryKb: 0.97 * GB, memoryTotalKb: GB, diskKb: 50 * GB, diskTotalKb: 100 * GB });
  expect(spans(3)).toEqual([`${MACHINE} memory`]);
  machine({ memoryKb: 0.5 * GB, memoryTotalKb: GB, diskKb: 96 * GB, diskTotalKb: 100 * GB });
  expect(spans(1)).toEqual([`${MACHINE} disk`]);
  machine({ diskKb: 94 * GB, diskTotalKb: 100 * GB });
  expect(spans(1)).toEqual([`${MACHINE} disk`]);
  machine({ diskKb: 90 * GB, diskTotalKb: 100 * GB });
  expect(spans(1)).toEqual([]);
  // A small disk: two floors of 1 GB are 20 %.
  machine({ diskKb: 8.1 * GB, diskTotalKb: 10 * GB });
  expect(spans(1)).toEqual([`${MACHINE} disk`]);
  // It does not pass and come back with each file that comes and goes.
  machine({ diskKb: 7.9 * GB, diskTotalKb: 10 * GB });
  expect(spans(1)).toEqual([`${MACHINE} disk`]);
  machine({ diskKb: 7.7 * GB, diskTotalKb: 10 * GB });
  expect(spans(1)).toEqual([]);
});

it('problems found by an earlier server stay open until this one has seen that they are over', () => {
  const at = 1_799_999_990_000;
  const open: Problem[] = [
    { rule: 'crash-loop', of: 'shop', text: 'The app crashed 3 times within 10 min.', since: at },
    { rule: 'memory', of: 'shop', text: 'The app uses 950 MB of 1 GB (95 %).', since: at },
  ];
  const { spans, process, noProcess, memory, change } = world([shop], open);
  noProcess();
  expect(spans(3)).toEqual(['shop crash-loop', 'shop memory']);
  process({ state: 'ready', lastExit: '', spec: { memoryLimit: GB } });
  memory(0.95 * GB);
  expect(spans(3)).toEqual(['shop crash-loop', 'shop memory']);
  // Without a process, an app that need not run uses nothing.
  noProcess();
  change({ ...shop, wanted: 'stopped' });
  expect(spans(1)).toEqual(['shop crash-loop']);
  expect(spans(60)).toEqual([]);
});

it('a visitor who waits long for a wake is told of, until a wake is quick', () => {
  const { watch, spans, text } = world();
  watch.happened({ kind: 'woken', app: 'shop', ms: 5_000 });
  expect(spans(1)).toEqual([]);
  watch.happened({ kind: 'woken', app: 'shop', ms: 42_000 });
  expect(spans(1)).toEqual(['shop wake']);
  expect(text()).toBe('A visitor waited 42 s for the app.');
  watch.happened({ kind: 'woken', app: 'shop', ms: 5_000 });
  expect(spans(1)).toEqual([]);
});

it('an exception of a new kind is told once', () => {
  const { watch, told } = world();
  const kind = { type: 'KeyError', message: "'x'", file: 'app.py', line: 3, lastRelease: 4 } as ErrorKind;
  watch.excepted('shop', kind, true);
  watch.excepted('shop', kind, false);
  expect(told.map(({ rule, text }) => [rule, text])).toEqual([['exception', "KeyError: 'x' (app.py:3) in release 4."]]);
});

it('problems of an app that is removed are forgotten', () => {
  const apps = [shop];
  const { spans, process } = world(apps);
  process({ state: 'crashed', lastExit: '', spec: {} });
  expect(spans(7)).toEqual(['shop down']);
  apps.pop();
  expect(spans(1)).toEqual([]);
});
