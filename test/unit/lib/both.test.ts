import { expect, test } from 'vitest';
import { both } from '../../../src/lib/both.js';

test('two results are returned in order, whichever was first', async () => {
  const later = new Promise<number>((resolve) => setImmediate(() => resolve(1)));
  expect(await both(later, Promise.resolve('two'))).toEqual([1, 'two']);
});

test('an error is thrown once both have ended, and it is the first of two', async () => {
  let ended = false;
  const slow = new Promise<void>((resolve) => setImmediate(() => ((ended = true), resolve())));
  await expect(both(slow, Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(ended).toBe(true);
  await expect(both(Promise.reject(new Error('first')), Promise.reject(new Error('second')))).rejects.toThrow('first');
});
