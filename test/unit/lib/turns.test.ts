import { expect, it } from 'vitest';
import { Turns } from '../../../src/lib/turns.js';

/** Work that ends when it is told to. */
function work(): { promise: Promise<string>; end: (text: string) => void; fail: (error: Error) => void } {
  let end: (text: string) => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const promise = new Promise<string>((resolve, reject) => {
    end = resolve;
    fail = reject;
  });
  return { promise, end, fail };
}

it('turns run work on one thing one after the other, in order', async () => {
  const turns = new Turns();
  const events: string[] = [];
  const first = work();
  const all = ['a', 'b', 'c'].map((name, index) =>
    turns.take('key', async () => {
      events.push(`${name} begins`);
      if (index === 0) await first.promise;
      events.push(`${name} ends`);
    }),
  );
  expect(events).toEqual(['a begins']);
  first.end('');
  await Promise.all(all);
  expect(events).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});

it('turns run work on different things at once', async () => {
  const turns = new Turns();
  const slow = work();
  const first = turns.take('one', () => slow.promise);
  await expect(turns.take('two', async () => 'done')).resolves.toBe('done');
  slow.end('at last');
  await expect(first).resolves.toBe('at last');
});

it('turns report a failure to its caller only, and continue', async () => {
  const turns = new Turns();
  const failing = work();
  const first = turns.take('key', () => failing.promise);
  const second = turns.take('key', async () => 'fine');
  failing.fail(new Error('no'));
  await expect(first).rejects.toThrow('no');
  await expect(second).resolves.toBe('fine');
  await expect(turns.take('key', async () => 'again')).resolves.toBe('again');
});

it('turns start at once if nobody is ahead', () => {
  let begun = false;
  void new Turns().take('key', async () => {
    begun = true;
  });
  expect(begun).toBe(true);
});
