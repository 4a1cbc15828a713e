import { expect, it } from 'vitest';
import { endInTurn } from '../../../src/lib/ends.js';

it('a part that cannot be ended is reported, and the others are ended', async () => {
  const ended: string[] = [];
  const failed: unknown[] = [];
  const ends = [
    async () => {
      await Promise.resolve();
      ended.push('first');
    },
    () => {
      throw new Error('at once');
    },
    () => Promise.reject(new Error('later')),
    () => void ended.push('last'),
  ];
  await endInTurn(ends, (error) => failed.push((error as Error).message));
  expect(ended).toEqual(['first', 'last']);
  expect(failed).toEqual(['at once', 'later']);
});
