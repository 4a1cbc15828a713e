import { expect, it } from 'vitest';
import { Stop } from '../../../src/server/stop.js';

it('a server keeps running if nobody asks it to stop', async () => {
  const stop = new Stop();
  expect(stop.asked.aborted).toBe(false);
  expect(await Promise.race([stop.wanted(), Promise.resolve('not yet')])).toBe('not yet');
});

it.each([true, false])(
  'everyone who waits, before or after, is told whether the apps are kept: %s',
  async (keepApps) => {
    const stop = new Stop();
    const before = stop.wanted();
    stop.ask({ keepApps });
    expect(stop.asked.aborted).toBe(true);
    expect([await before, await stop.wanted()]).toEqual([{ keepApps }, { keepApps }]);
  },
);

it('the first request counts: a second one does not change what happens to the apps', async () => {
  const stop = new Stop();
  stop.ask({ keepApps: false });
  stop.ask({ keepApps: true });
  expect(await stop.wanted()).toEqual({ keepApps: false });
});
