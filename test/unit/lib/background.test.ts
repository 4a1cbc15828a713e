import { expect, it, vi } from 'vitest';
import { Background } from '../../../src/lib/background.js';

it('background work is waited for, including work that it starts', async () => {
  const ended: string[] = [];
  const background = new Background(vi.fn());
  const later = async (name: string): Promise<void> => {
    await Promise.resolve();
    ended.push(name);
  };
  background.own(later('first').then(() => background.own(later('second'))));
  expect(ended).toEqual([]);
  await background.settled();
  expect(ended).toEqual(['first', 'second']);
});

it('background work that fails is logged with what it was for, and counts as finished', async () => {
  const failed = vi.fn();
  const background = new Background(failed);
  const error = new Error('broken');
  background.own(Promise.reject(error), { app: 'demo' });
  background.own(Promise.resolve());
  await background.settled();
  expect(failed.mock.calls).toEqual([[error, { app: 'demo' }]]);
});

it('background work is settled at once if there is none', async () => {
  await expect(new Background(vi.fn()).settled()).resolves.toBeUndefined();
});

it('background work that fails at once is logged as well, and does not throw at who began it', async () => {
  const failed = vi.fn();
  const background = new Background(failed);
  const error = new Error('broken');
  background.run(
    () => {
      throw error;
    },
    { app: 'demo' },
  );
  await background.settled();
  expect(failed.mock.calls).toEqual([[error, { app: 'demo' }]]);
});
