import { beforeEach, expect, it } from 'vitest';
import type { NodeFacts } from '../../../../src/runtime/swarm/cluster.js';
import { Homes, type Home } from '../../../../src/runtime/swarm/homes.js';

let known: Map<string, Home>;
let nodes: NodeFacts[];
/** The machine that Swarm has chosen for the next task. */
let chosen: string;
let homes: Homes;

function node(id: string, state = 'ready', availability = 'active'): NodeFacts {
  return {
    ...{ ID: id, Spec: { Availability: availability, Role: 'worker' } },
    ...{ Description: { Hostname: `host-${id}` }, Status: { State: state } },
  };
}

beforeEach(() => {
  known = new Map();
  nodes = [node('a'), node('b')];
  chosen = 'a';
  homes = new Homes({
    mark: 'm',
    cluster: {
      nodes: () => Promise.resolve(nodes),
      tasks: () => Promise.resolve([{ ID: 't', NodeID: chosen, Status: { State: 'running' } }]),
    },
    known: { of: (app) => known.get(app), settle: async (app, home) => void known.set(app, home) },
  });
});

it('binds an app to the machine that runs it first, once its files are there', async () => {
  const coming = await homes.of('shop');
  expect(coming).toEqual({ volume: expect.stringMatching(/^streamlit-host-shop-[0-9a-f]{12}$/) as string });
  await homes.settle('shop', 'service', coming, () => Promise.resolve(expect(known.size).toBe(0)));
  const home = { node: 'a', name: 'host-a', volume: coming.volume };
  expect(await homes.of('shop')).toEqual(home);
  // From now on, nothing is copied.
  await homes.settle('shop', 'service', home, () => Promise.reject(new Error('copied again')));
  expect((await homes.of('other')).volume).not.toBe(coming.volume);
});

it('binds no app whose files could not be copied', async () => {
  const coming = await homes.of('shop');
  const full = (): Promise<void> => Promise.reject(new Error('no space'));
  await expect(homes.settle('shop', 'service', coming, full)).rejects.toThrow('no space');
  expect(known.size).toBe(0);
});

it('refuses a second machine while the first one has the files', async () => {
  const [one, other] = [await homes.of('shop'), await homes.of('shop')];
  await homes.settle('shop', 'service', one, () => Promise.resolve());
  chosen = 'b';
  await expect(homes.settle('shop', 'service', other, () => Promise.resolve())).rejects.toThrow(
    'The files of shop are on host-a by now.',
  );
  expect(known.get('shop')?.node).toBe('a');
});

it.each([
  [node('a', 'down'), 'down'],
  [node('a', 'ready', 'drain'), 'set to drain'],
])('names the machine with the files where that gets no work (%#)', async (idle, why) => {
  known.set('shop', { node: 'a', name: 'host-a', volume: 'v' });
  nodes = [idle, node('b')];
  await expect(homes.of('shop')).rejects.toThrow(
    `The files of shop are on host-a, which is ${why}. Bring that machine back, or give them up with "docker node rm --force host-a".`,
  );
});

it('binds an app again once its machine was removed from the Swarm', async () => {
  known.set('shop', { node: 'gone', name: 'host-gone', volume: 'v' });
  const coming = await homes.of('shop');
  expect(coming.node).toBeUndefined();
  await homes.settle('shop', 'service', coming, () => Promise.resolve());
  expect(known.get('shop')).toMatchObject({ node: 'a', name: 'host-a' });
});
