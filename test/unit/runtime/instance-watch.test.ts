import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { InstanceWatch } from '../../../src/runtime/instance-watch.js';
import type { Usage } from '../../../src/runtime/runtime.js';

/** Where nothing answers. */
const NOWHERE = { socket: '/nowhere' };
const ENDED = { code: null, signal: 'SIGKILL', outOfMemory: false } as const;

let said: string[];
/** How often it was ended. */
let ends: number;
let wanted: boolean;

const used = (memory: number): Usage => ({ memory, cpuSeconds: 1, processes: 1 });

function watch(spec: { memoryLimit?: number; taskLimit?: number } = {}): InstanceWatch {
  return new InstanceWatch({
    instance: { end: async () => void (ends += 1) },
    spec: { healthPath: '/healthz', ...spec },
    say: async (text) => void said.push(text),
    wanted: () => wanted,
  });
}

beforeEach(() => {
  [said, ends, wanted] = [[], 0, true];
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => void vi.useRealTimers());

it('an instance that exceeds its memory limit is ended, and the reason gives both numbers', async () => {
  const one = watch({ memoryLimit: 100_000_000 });
  await one.holdToLimits(used(100_000_000));
  expect(ends).toBe(0);
  await one.holdToLimits(used(130_000_000));
  expect(ends).toBe(1);
  expect(one.reason(ENDED)).toBe('the app used 130 MB of memory; its limit is 100 MB');
});

it('an instance that is being stopped anyway is left alone, and its end is described by its signal', async () => {
  wanted = false;
  const one = watch({ memoryLimit: 1 });
  await one.holdToLimits(used(2));
  await one.checkHealth(NOWHERE, 1);
  expect(ends).toBe(0);
  expect(one.reason(ENDED)).toBe('the app was killed by SIGKILL');
  expect(one.reason({ ...ENDED, outOfMemory: true })).toMatch(/^the app used up its memory limit of /);
});

it('an instance with more processes than its limit is ended where the system does not hold it to that', async () => {
  const one = watch({ taskLimit: 50 });
  await one.holdToLimits({ ...used(1), processes: 50 });
  expect(ends).toBe(0);
  await one.holdToLimits({ ...used(1), processes: 51 });
  expect(ends).toBe(1);
  expect(one.reason(ENDED)).toBe('the app had 51 processes; its limit is 50');
});

it('an instance that forks in a loop is ended, and the reason gives its limit', async () => {
  const one = watch({ taskLimit: 50 });
  for (let refusals = 0; refusals < 60_000; refusals += 10_000) {
    expect(ends).toBe(0);
    await one.holdToLimits({ ...used(1), refusals });
    vi.advanceTimersByTime(1_000);
  }
  expect(ends).toBe(1);
  expect(one.reason(ENDED)).toBe('the app kept trying to exceed its limit of 50 processes and threads and was stopped');
});

it('the log says of each further kill, and once that no more processes can be started', async () => {
  const one = watch({ taskLimit: 50 });
  for (const [kills, refusals] of [
    [1, 0],
    [1, 0],
    [2, 1],
    [2, 7],
  ] as const)
    await one.holdToLimits({ ...used(1), kills, refusals });
  const killed = 'a process of the app was ended because the app used up its memory';
  expect(said).toEqual([
    killed,
    killed,
    'the app has reached its limit of 50 processes and threads and could not start another',
  ]);
});

it('an instance that does not answer for a minute and does nothing is ended', async () => {
  const one = watch();
  for (const second of [0, 15, 30, 45]) {
    vi.advanceTimersByTime(second === 0 ? 0 : 15_000);
    await one.checkHealth(NOWHERE, 3);
  }
  expect(ends).toBe(0);
  vi.advanceTimersByTime(15_000);
  await one.checkHealth(NOWHERE, 3);
  expect(ends).toBe(1);
  expect(one.reason(ENDED)).toBe('the app did not respond for 60 s and was stopped');
});

it('an instance is asked once at a time', async () => {
  const one = watch();
  const first = one.checkHealth(NOWHERE, 3);
  await Promise.all(Array.from({ length: 5 }, () => one.checkHealth(NOWHERE, 3)));
  await first;
  vi.advanceTimersByTime(60_000);
  // The second miss, not the seventh.
  await one.checkHealth(NOWHERE, 3);
  expect(ends).toBe(0);
});
