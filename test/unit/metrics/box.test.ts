import { expect, it } from 'vitest';
import { busyMs, memoryOf } from '../../../src/metrics/box.js';

it('reads the busy time of all processors, without waiting for disks', () => {
  expect(busyMs('cpu  100 20 30 5000 400 5 6 7 90 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n')).toBe(1_680);
  expect(busyMs('')).toBeUndefined();
});

it('reads the memory that is in use', () => {
  const text = 'MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    6000000 kB\n';
  expect(memoryOf(text)).toEqual({ totalKb: 16_000_000, usedKb: 10_000_000 });
  expect(memoryOf('MemTotal: 1 kB\n')).toBeUndefined();
});
