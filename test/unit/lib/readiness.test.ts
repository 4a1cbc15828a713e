import { afterEach, expect, it, vi } from 'vitest';
import { Refusal } from '../../../src/errors.js';
import { Readiness } from '../../../src/lib/readiness.js';

afterEach(() => vi.useRealTimers());

it('each part is asked, and those that are wrong are told in their order', async () => {
  const readiness = new Readiness({ error: vi.fn() });
  let disk: string | undefined = 'The disk is full.';
  readiness.watch('redis', () => undefined);
  readiness.watch('disk', () => Promise.resolve(disk));
  readiness.watch('cage', () => Promise.reject(new Refusal('unavailable', 'check-failed', 'No Python was found.')));
  expect(await readiness.troubles()).toEqual([
    { part: 'disk', message: 'The disk is full.' },
    { part: 'cage', message: 'No Python was found.' },
  ]);
  expect(await readiness.why()).toBe('The disk is full.');
  disk = undefined;
  readiness.watch('cage', () => undefined);
  expect([await readiness.troubles(), await readiness.why()]).toEqual([[], undefined]);
});

it('why a check fails unexpectedly is logged, and not published', async () => {
  const error = vi.fn();
  const readiness = new Readiness({ error });
  const cause = new Error('EACCES: permission denied, statfs /srv/secret');
  readiness.watch('disk', () => Promise.reject(cause));
  expect(await readiness.why()).toBe('The check failed; see the server log.');
  expect(error).toHaveBeenCalledExactlyOnceWith({ part: 'disk', err: cause }, expect.any(String));
});

it('a part is not asked more than about once a second, however many ask', async () => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  const look = vi.fn();
  const readiness = new Readiness({ error: vi.fn() });
  readiness.watch('disk', look);
  await Promise.all([readiness.troubles(), readiness.troubles(), readiness.troubles()]);
  await readiness.troubles();
  expect(look).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(1_001);
  await readiness.troubles();
  expect(look).toHaveBeenCalledTimes(2);
});
