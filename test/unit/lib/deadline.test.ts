import { afterEach, expect, it, vi } from 'vitest';
import { Deadline } from '../../../src/lib/deadline.js';
import { waitForHealth } from '../../../src/runtime/ready.js';

afterEach(() => void vi.useRealTimers());

it('a deadline tells what is left, and never less than nothing', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const deadline = new Deadline(1_000);
  expect([deadline.left, deadline.isOver]).toEqual([1_000, false]);
  vi.advanceTimersByTime(999);
  expect([deadline.left, deadline.isOver]).toEqual([1, false]);
  vi.advanceTimersByTime(5_000);
  expect([deadline.left, deadline.isOver]).toEqual([0, true]);
  expect(new Deadline(0).isOver).toBe(true);
});

it('a deadline does not move with the time of day', () => {
  const deadline = new Deadline(60_000);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
  expect(deadline.isOver).toBe(false);
  vi.setSystemTime(0);
  expect(deadline.left).toBeLessThanOrEqual(60_000);
});

it('a process that starts is waited for although the clock of its machine was set in the meantime', async () => {
  let asked = 0;
  const still = (): boolean => {
    asked += 1;
    if (asked === 2) vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
    return asked < 5;
  };
  await waitForHealth({ socket: '/nowhere' }, '/healthz', { timeoutMs: 60_000, still });
  expect(asked).toBe(5);
});
