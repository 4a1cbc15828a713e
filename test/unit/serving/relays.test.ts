import { expect, it } from 'vitest';
import type { RelayedUse } from '../../../src/gateway/target.js';
import type { Served } from '../../../src/serving/lineup.js';
import { Relays } from '../../../src/serving/relays.js';

const use = (claims: number, at = 1): RelayedUse => ({ claims, sockets: claims, lastActivity: at, visitedAt: at });

/** A process with what goes to it through this server, which keeps what it is told of the others. */
function served(mark: string | undefined, own: RelayedUse): Served & { told: (RelayedUse | undefined)[] } {
  const told: (RelayedUse | undefined)[] = [];
  const target = { ...own, relay: (of: RelayedUse | undefined) => void told.push(of) };
  return { process: { mark }, target, told } as unknown as Served & { told: (RelayedUse | undefined)[] };
}

it('tells what goes to processes that are used, by their marks', () => {
  const all = [served('a', use(2)), served('b', use(0)), served(undefined, use(1))];
  expect(new Relays({ all: () => all }).uses()).toEqual({ a: use(2) });
});

it('adds up what several earlier servers pass on, and forgets one that passes on nothing more', () => {
  const [one, other] = [served('a', use(0)), served('b', use(0))];
  const relays = new Relays({ all: () => [one, other] });
  const [first, second] = [{}, {}];
  relays.note(first, { a: use(1, 5) });
  relays.note(second, { a: use(2, 9) });
  expect(one.told).toEqual([use(1, 5), use(3, 9)]);
  relays.note(second, {});
  expect(one.told.at(-1)).toEqual(use(1, 5));
  expect(other.told).toEqual([undefined, undefined, undefined]);
});
