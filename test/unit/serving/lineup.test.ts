import { beforeEach, expect, it } from 'vitest';
import { Lineup, type Served } from '../../../src/serving/lineup.js';

let lineup: Lineup;
beforeEach(() => {
  lineup = new Lineup();
});

/** A process that is reached, as far as the line-up looks at it. */
const served = (release: number, replica: number): Served =>
  ({ process: { release, replica }, target: {} }) as unknown as Served;

it('has the replicas that take new pages in the order of their numbers', () => {
  const [one, two] = [served(3, 1), served(3, 2)];
  lineup.setLive('shop', [two, one]);
  expect(lineup.live('shop')).toEqual([one, two]);
  expect(lineup.live('blog')).toEqual([]);
  expect(lineup.find('shop', two.process)).toBe(two);
});

it('keeps what drains until it is removed, and what is live next to it', () => {
  const [old, next] = [served(2, 1), served(3, 1)];
  lineup.setLive('shop', [old]);
  lineup.drain('shop', old);
  lineup.setLive('shop', [next]);
  expect(lineup.of('shop')).toEqual([next, old]);
  expect([...lineup.all()]).toEqual([next, old]);
  lineup.remove('shop', old);
  expect(lineup.of('shop')).toEqual([next]);
  expect(lineup.apps()).toEqual(['shop']);
  lineup.remove('shop', next);
  expect(lineup.apps()).toEqual([]);
});

it('gives no number of a replica twice, until no page has its process any more', () => {
  const [one, three] = [served(3, 1), served(3, 3)];
  lineup.setLive('shop', [one, three]);
  lineup.remove('shop', three);
  expect(lineup.highest('shop', 3)).toBe(3);
  expect(lineup.highest('shop', 4)).toBe(0);
  lineup.startOver('shop');
  expect(lineup.highest('shop', 3)).toBe(3);
  lineup.remove('shop', one);
  lineup.startOver('shop');
  expect(lineup.highest('shop', 3)).toBe(0);
});
