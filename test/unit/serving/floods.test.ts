import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { LogFile } from '../../../src/logs/log-file.js';
import { Floods } from '../../../src/serving/floods.js';

/** How often the log is too large at the next looks, and what was done to it. */
let large: boolean[];
let did: string[];
const log = {
  append: (text: string) => Promise.resolve(void did.push(text)),
  rotateIfLarge: (options?: { most?: number }) => {
    const rotates = large.shift() ?? false;
    if (rotates) did.push(options?.most === undefined ? 'rotated' : `kept ${options.most}`);
    return Promise.resolve(rotates);
  },
} as unknown as LogFile;
let floods: Floods;
/** Gets what its own timer begins: others of this thread may be set meanwhile. */
const own = vi.fn();

/** How often its timer comes within a time, in ms. */
async function ticks(ms: number): Promise<number> {
  own.mockClear();
  await vi.advanceTimersByTimeAsync(ms);
  return own.mock.calls.length;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] });
  [large, did] = [[], []];
  own.mockClear();
  floods = new Floods(own);
});
afterEach(() => {
  floods.close();
  vi.useRealTimers();
});

it('a log that had to be rotated is looked at often, until it has been calm for 10 s', async () => {
  large = [true, true, true];
  await floods.look(log);
  await vi.advanceTimersByTimeAsync(200);
  expect(did).toEqual(['rotated', expect.stringContaining('only a part is kept'), 'kept 1048576', 'kept 1048576']);
  await floods.look(log);
  expect(await ticks(500)).toBe(10);
  await vi.advanceTimersByTimeAsync(11_000);
  expect(await ticks(11_000)).toBe(0);
});

it('a log that grows slowly is only looked at when it is asked for', async () => {
  await floods.look(log);
  expect([did, await ticks(11_000)]).toEqual([[], 0]);
});
