import { expect, it } from 'vitest';
import { HangWatch } from '../../../src/runtime/hang.js';

/** What a process is found to be, asked every 15 s without an answer within 10 s. @param cpu used in each of these spans, in s */
function silentFor(watch: HangWatch, questions: number, cpu: number | undefined): (number | undefined)[] {
  return Array.from({ length: questions }, (_, at) => {
    const asked = 15_000 * at;
    return watch.missed(asked, asked + 10_000, cpu === undefined ? undefined : 100 + cpu * at);
  });
}

it('a process hangs if it gives no answer for a minute and uses no CPU', () => {
  expect(silentFor(new HangWatch(), 5, 0.001)).toEqual([undefined, undefined, undefined, undefined, 70_000]);
});

it('a process is busy for ten minutes if it uses the CPU', () => {
  const found = silentFor(new HangWatch(), 45, 10);
  expect(found.findIndex((hung) => hung !== undefined)).toBe(40);
  expect(found[40]).toBe(610_000);
});

it('a process gets the same ten minutes if its usage is unknown', () => {
  expect(silentFor(new HangWatch(), 30, undefined)).toEqual(Array.from({ length: 30 }, () => undefined));
});

it('an answer starts the time over', () => {
  const watch = new HangWatch();
  silentFor(watch, 4, 0);
  watch.reset();
  expect(watch.missed(200_000, 210_000, 100)).toBeUndefined();
});

it('a single late answer is not a hang, as after the machine was asleep', () => {
  expect(new HangWatch().missed(0, 3_600_000, 100)).toBeUndefined();
});
