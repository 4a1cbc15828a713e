import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { Refusal } from '../../../src/errors.js';
import { Peer, type Channel } from '../../../src/server/peer.js';

/** Two processes with a channel between them. */
function pair(): [Peer, Peer, () => void] {
  const ends = [new EventEmitter(), new EventEmitter()] as const;
  const channel = (mine: EventEmitter, other: EventEmitter): Channel => ({
    connected: true,
    send: (message, handle) => {
      const copy: unknown = JSON.parse(JSON.stringify(message));
      queueMicrotask(() => other.emit('message', copy, handle));
      return true;
    },
    on: (event: string, listener: (message: unknown, handle: unknown) => void) => mine.on(event, listener),
  });
  const [one, two] = [new Peer(channel(...ends)), new Peer(channel(ends[1], ends[0]))];
  return [one, two, () => ends.forEach((end) => end.emit('disconnect'))];
}

test('calls are answered with values and handles, in both directions', async () => {
  const [one, two] = pair();
  two.serve('double', (data) => ({ value: 2 * (data as number) }));
  one.serve('nothing', () => undefined);
  expect((await one.call('double', 21)).value).toBe(42);
  expect((await two.call('nothing')).value).toBeUndefined();
});

test('a failed call has a reason, and so has one to a process that ends', async () => {
  const [one, two, disconnect] = pair();
  two.serve('refuse', () => {
    throw new Refusal('invalid', 'usage', 'This is refused.');
  });
  two.serve('wait', () => new Promise(() => undefined));
  await expect(one.call('refuse')).rejects.toThrow('This is refused.');
  const waiting = expect(one.call('wait')).rejects.toThrow('The other server has ended.');
  disconnect();
  await waiting;
  expect(one.gone.aborted).toBe(true);
  await expect(one.call('refuse')).rejects.toThrow('The other server has ended.');
});
