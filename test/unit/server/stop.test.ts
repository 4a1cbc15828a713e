import { expect, it } from 'vitest';
import { Stop } from '../../../src/server/stop.js';

it('a server that is not asked to stop is not to stop', async () => {
  const stop = new Stop();
  expect(stop.asked.aborted).toBe(false);
  expect(await Promise.race([stop.wanted(), Promise.resolve('not yet')])).toBe('not yet');
});

it.each([true, false])('whoever waits, before or after, hears whether the apps are kept: %s', async (keepApps) => {
  const stop = new Stop();
  const before = stop.wanted();
  stop.ask({ keepApps });
  expect(stop.asked.aborted).toBe(true);
  expect([await before, await stop.wanted()]).toEqual([{ keepApps }, { keepApps }]);
});

it('the first wish counts: a second one does not change what happens to the apps', async () => {
  const stop = new Stop();
  stop.ask({ keepApps: false });
  stop.ask({ keepApps: true });
  expect(await stop.wanted()).toEqual({ keepApps: false });
});
