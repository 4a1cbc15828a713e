import { expect, test, vi } from 'vitest';
import { Claims } from '../../../src/lib/claims.js';

test('a wait ends with the last claim, each of which counts once', async () => {
  const claims = new Claims();
  expect(await claims.whenNone(1_000)).toBe(true);
  const [first, second] = [claims.take(), claims.take()];
  first();
  first();
  expect(claims.count).toBe(1);
  let over: boolean | undefined;
  const waiting = claims.whenNone(10_000).then((none) => (over = none));
  await Promise.resolve();
  expect(over).toBeUndefined();
  second();
  await waiting;
  expect(over).toBe(true);
});

test('a wait ends after its limit', async () => {
  vi.useFakeTimers();
  const claims = new Claims();
  claims.take();
  const waiting = claims.whenNone(5_000);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await waiting).toBe(false);
  vi.useRealTimers();
});
