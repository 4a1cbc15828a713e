import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { OpenConnections } from '../../../src/gateway/watch.js';

const BY = { app: 'sales', cookie: undefined };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  // First: they would bring the fake timers back.
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test('a socket is closed within a second once its visitor may not have it, and no other is', () => {
  const open = new OpenConnections();
  const [mine, other] = [new PassThrough(), new PassThrough()];
  let may = true;
  open.watch(mine, () => may, BY);
  open.watch(other, () => true, BY);
  vi.advanceTimersByTime(5_000);
  expect(mine.destroyed).toBe(false);
  may = false;
  vi.advanceTimersByTime(1_000);
  expect([mine.destroyed, other.destroyed]).toEqual([true, false]);
});

test('a visitor who cannot be judged loses the page, and nobody else does', () => {
  const open = new OpenConnections();
  const [broken, other] = [new PassThrough(), new PassThrough()];
  const fail = (): boolean => {
    throw new Error('a cookie that nobody expected');
  };
  open.watch(broken, fail, BY);
  open.watch(other, () => true, BY);
  vi.advanceTimersByTime(1_000);
  expect([broken.destroyed, other.destroyed]).toEqual([true, false]);
});

test('nothing is looked at once all are closed', async () => {
  // By its own timer: other tests of this thread may leave work behind that sets one meanwhile.
  const [set, clear] = [vi.spyOn(globalThis, 'setInterval'), vi.spyOn(globalThis, 'clearInterval')];
  const open = new OpenConnections();
  const socket = new PassThrough();
  open.watch(socket, () => true, BY);
  const own = set.mock.results.findLast(({ type }) => type === 'return')?.value as NodeJS.Timeout;
  expect(own).toBeDefined();
  const closed = once(socket, 'close');
  socket.destroy();
  await closed;
  expect(clear).toHaveBeenCalledWith(own);
  set.mockClear();
  open.watch(socket, () => true, BY);
  expect(set.mock.calls.filter(([, ms]) => ms === 400)).toEqual([]);
});

test('once another server decides, its answer counts', async () => {
  const open = new OpenConnections();
  const [kept, ended] = [new PassThrough(), new PassThrough()];
  open.watch(kept, () => false, BY);
  open.watch(ended, () => true, { app: 'secret', cookie: 'a=b' });
  open.handOver((visitors) => Promise.resolve(visitors.map(({ app }) => app === 'sales')));
  await vi.advanceTimersByTimeAsync(1_000);
  expect([kept.destroyed, ended.destroyed]).toEqual([false, true]);
});
