import { expect, test } from 'vitest';
import { backoff, countCrash, STEADY_MS } from '../../../../src/domain/app/process.js';

test('after its first crash a process is started at once, then after twice as long each time, at most a minute', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 8, 9, 1_000].map(backoff)).toEqual([
    0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000,
  ]);
});

test('crashes in a row are counted until it has run steadily for a while', () => {
  expect(countCrash(0, 10)).toBe(1);
  expect(countCrash(4, STEADY_MS - 1)).toBe(5);
  expect(countCrash(4, STEADY_MS)).toBe(1);
});
