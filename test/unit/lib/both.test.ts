import { expect, test } from 'vitest';
import { both } from '../../../src/lib/both.js';

test('two results come in their order, whichever was first', async () => {
  const later = new Promise<number>((resolve) => setImmediate(() => resolve(1)));
  expect(await both(later, Promise.resolve('two'))).toEqual([1, 'two']);
});

test('what one of them throws is heard when the other has ended, and the first of two errors', async () => {
  let ended = false;
  const slow = new Promise<void>((resolve) => setImmediate(() => ((ended = true), resolve())));
  await expect(both(slow, Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(ended).toBe(true);
  await expect(both(Promise.reject(new Error('first')), Promise.reject(new Error('second')))).rejects.toThrow('first');
});
