import { expect, it } from 'vitest';
import { Shared } from '../../../src/lib/shared.js';

/** Work that ends when it is told, or a turn after it is aborted. */
function work(): { shared: Shared<string>; finish: (result: string) => void; ended: () => boolean } {
  let finish = (_result: string): void => undefined;
  let ended = false;
  const shared = new Shared<string>(async (signal) => {
    try {
      return await new Promise<string>((resolve, reject) => {
        finish = resolve;
        signal.addEventListener('abort', () => setImmediate(() => reject(new Error('aborted'))));
      });
    } finally {
      ended = true;
    }
  });
  return { shared, finish: (result) => finish(result), ended: () => ended };
}

it('Shared gives everyone the same result', async () => {
  const { shared, finish } = work();
  const all = Promise.all([shared.join(undefined), shared.join(undefined)]);
  finish('done');
  expect(await all).toEqual(['done', 'done']);
});

it('Shared continues for the others when one gives up', async () => {
  const { shared, finish, ended } = work();
  const stop = new AbortController();
  const first = shared.join(stop.signal);
  const second = shared.join(undefined);
  stop.abort(new Error('I give up'));
  await expect(first).rejects.toThrow('I give up');
  expect(ended()).toBe(false);
  expect(shared.closed).toBe(false);
  finish('done');
  expect(await second).toBe('done');
});

it('Shared stops when the last one has given up', async () => {
  const { shared, ended } = work();
  const stop = new AbortController();
  const only = shared.join(stop.signal);
  stop.abort(new Error('I give up'));
  expect(shared.closed).toBe(false);
  await expect(only).rejects.toThrow('I give up');
  expect(ended()).toBe(true);
  expect(shared.closed).toBe(true);
});

it('Shared does not let in a caller that has already given up', async () => {
  const { shared, ended } = work();
  await expect(shared.join(AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
  expect(ended()).toBe(true);
});
