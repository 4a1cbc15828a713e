import { expect, it } from 'vitest';
import { StormWatch } from '../../../src/runtime/storm.js';

/** What is found each second. @param refused how many starts were refused in each of these seconds */
function found(refused: readonly number[]): boolean[] {
  const watch = new StormWatch();
  let refusals = 0;
  return [0, ...refused].map((more, second) => watch.seen((refusals += more), 10_000 + second * 1_000)).slice(1);
}

it('an app that forks in a loop for five seconds is a storm', () => {
  expect(found([9_000, 9_000, 9_000, 9_000, 9_000])).toEqual([false, false, false, false, true]);
});

it('an app that has too many pages for its limit, or is refused a lot for a moment, is none', () => {
  expect(found(Array.from({ length: 60 }, () => 500))).not.toContain(true);
  expect(found([9_000, 9_000, 9_000, 9_000, 0, 9_000, 9_000, 9_000, 9_000])).not.toContain(true);
});

it('the time since the last look counts, as on a machine that has no time to look', () => {
  const late = new StormWatch();
  expect([late.seen(0, 0), late.seen(4_000, 8_000), late.seen(100_000, 16_000)]).toEqual([false, false, true]);
});

it('starts that were refused before the first look do not count', () => {
  const watch = new StormWatch();
  expect([watch.seen(1_000_000, 0), watch.seen(1_000_000, 6_000)]).toEqual([false, false]);
});
