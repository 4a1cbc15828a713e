import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Slots } from '../../../src/lib/slots.js';

it('slots run a limited number at once, the others in order, with urgent ones first', async () => {
  const slots = new Slots(2);
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const all = ['a', 'b', 'c', 'd', 'e'].map((key) =>
    slots.take(key, async () => {
      begun.push(key);
      await new Promise<void>((resolve) => ends.set(key, resolve));
    }),
  );
  await setImmediate();
  expect(begun).toEqual(['a', 'b']);
  slots.hurry('e');
  slots.hurry('nobody');
  for (const key of ['a', 'b', 'e', 'c', 'd']) {
    ends.get(key)?.();
    await setImmediate();
  }
  await Promise.all(all);
  expect(begun).toEqual(['a', 'b', 'e', 'c', 'd']);
});

it('slots pass from failed work to the next', async () => {
  const slots = new Slots(1);
  const failed = slots.take('a', () => Promise.reject(new Error('no')));
  const next = slots.take('b', () => Promise.resolve('done'));
  await expect(failed).rejects.toThrow('no');
  expect(await next).toBe('done');
  expect(await slots.take('c', () => Promise.resolve('free again'))).toBe('free again');
});
