import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Usage } from '../../../src/runtime/runtime.js';
import { UsageMeter } from '../../../src/runtime/usage.js';

let used: Map<string, Usage>;
let looks: number;
let meter: UsageMeter;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  used = new Map([['one', { memory: 100, processes: 1, cpuSeconds: 5 }]]);
  looks = 0;
  meter = new UsageMeter({
    usage: () => {
      looks += 1;
      return new Map(used);
    },
  });
});
afterEach(() => vi.useRealTimers());

it('the usage of all instances is read at once, and again after a second', () => {
  used.set('two', { memory: 200, processes: 1, cpuSeconds: 0 });
  expect([meter.of('one')?.memory, meter.of('two')?.memory, meter.of('three')]).toEqual([100, 200, undefined]);
  used.set('one', { memory: 300, processes: 1, cpuSeconds: 5 });
  vi.advanceTimersByTime(900);
  expect([meter.of('one')?.memory, looks]).toEqual([100, 1]);
  vi.advanceTimersByTime(200);
  expect([meter.of('one')?.memory, looks]).toEqual([300, 2]);
});

it('CPU usage is measured between two readings', () => {
  expect(meter.of('one')?.cpu).toBeUndefined();
  used.set('one', { memory: 100, processes: 1, cpuSeconds: 6 });
  vi.advanceTimersByTime(2_000);
  expect(meter.of('one')?.cpu).toBe(0.5);
  expect(meter.of('one')?.cpu).toBe(0.5);
});

it('the usage of an instance has no CPU share if it is new or was last read long ago', () => {
  meter.of('one');
  vi.advanceTimersByTime(11 * 60_000);
  used.set('two', { memory: 1, processes: 1, cpuSeconds: 9 });
  expect([meter.of('one')?.cpu, meter.of('two')?.cpu]).toEqual([undefined, undefined]);
});

it('an instance that has ended is forgotten', () => {
  meter.of('one');
  used.delete('one');
  vi.advanceTimersByTime(1_100);
  expect(meter.of('one')).toBeUndefined();
});
