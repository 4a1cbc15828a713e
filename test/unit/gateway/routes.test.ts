import { expect, test } from 'vitest';
import type { Pin } from '../../../src/domain/app/pin.js';
import type { ProcessState } from '../../../src/domain/app/process.js';
import { RouteTable } from '../../../src/gateway/routes.js';
import { Target } from '../../../src/gateway/target.js';

interface Backend {
  state: ProcessState;
  replica: number;
}

function target(release: number, state: ProcessState = 'ready', replica = 1): Target & { backend: Backend } {
  const backend = { release, replica, address: { host: '127.0.0.1', port: 1 }, state };
  return new Target(backend) as Target & { backend: Backend };
}

const pin = (release: number, replica = 1): Pin => ({ release, replica });

test('new visitors get the live release, and a page gets its own while that drains, then the live one', () => {
  const routes = new RouteTable();
  const [one, two] = [target(1), target(2)];
  expect(routes.swap('demo', [one])).toEqual([]);
  expect(routes.swap('demo', [two])).toEqual([one]);
  expect([
    routes.pick('demo', undefined),
    routes.pick('demo', pin(2)),
    routes.pick('demo', pin(1)),
    routes.pick('demo', pin(7)),
  ]).toEqual([two, two, one, two]);
  expect(routes.draining('demo')).toEqual([one]);
  routes.drop('demo', one);
  expect(routes.pick('demo', pin(1))).toBe(two);
  routes.drop('demo', two);
  expect(routes.pick('demo', pin(1))).toBeUndefined();
});

test('a page whose older release has crashed moves to the live one', () => {
  const routes = new RouteTable();
  const old = target(1);
  const live = target(2);
  routes.swap('demo', [old]);
  routes.swap('demo', [live]);
  (old.backend as { state: ProcessState }).state = 'crashed';
  expect(routes.pick('demo', pin(1))).toBe(live);
});

test('a process replaced by another one of the same release does not drain', () => {
  const routes = new RouteTable();
  const [before, after] = [target(3), target(3)];
  routes.swap('demo', [before]);
  routes.swap('demo', [after]);
  expect(routes.draining('demo')).toEqual([]);
  routes.drop('demo', before);
  expect(routes.live('demo')).toBe(after);
});

test('a waiter is told when the process serves, the time is over, or the wait is cancelled', async () => {
  const routes = new RouteTable();
  const starting = target(1, 'starting');
  routes.swap('demo', [starting]);
  const waiting = routes.whenReady('demo', undefined, 10_000, () => true);
  (starting.backend as { state: ProcessState }).state = 'ready';
  routes.changed('demo');
  expect(await waiting).toBe(starting);
  expect(await routes.whenReady('other', undefined, 20, () => true)).toBeUndefined();
  expect(await routes.whenReady('other', undefined, 10_000, () => false)).toBeUndefined();
});

test("apps do not hear of each other's changes", async () => {
  const routes = new RouteTable();
  let looked = 0;
  let go = true;
  const waiting = routes.whenReady('demo', undefined, 60_000, () => {
    looked += 1;
    return go;
  });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  routes.changed('other');
  await turn();
  expect(looked).toBe(1);
  go = false;
  routes.changed('demo');
  expect(await waiting).toBeUndefined();
  expect(looked).toBe(2);
});

test('those who wait for an app are let go when another server takes over', async () => {
  const routes = new RouteTable();
  routes.swap('demo', [target(1, 'starting')]);
  const waiting = routes.whenReady('demo', undefined, 60_000, () => true);
  expect(routes.left).toBe(false);
  routes.leave();
  expect(await waiting).toBeUndefined();
  expect(routes.left).toBe(true);
});

test('a page stays with its replica, and a new one gets the replica with the fewest open pages', () => {
  const routes = new RouteTable();
  const [one, two, three] = [target(1, 'ready', 1), target(1, 'ready', 2), target(1, 'starting', 3)];
  routes.swap('demo', [one, two]);
  routes.join('demo', three);
  expect(routes.live('demo')).toBe(one);
  one.hold(() => undefined);
  expect(routes.live('demo')).toBe(two);
  // Handed out, and its WebSocket is not open yet.
  two.expect();
  two.expect();
  expect(routes.live('demo')).toBe(one);
  expect([routes.pick('demo', pin(1)), routes.pick('demo', pin(1, 2)), routes.pick('demo', pin(1, 3))]).toEqual([
    one,
    two,
    three,
  ]);
});

test('the pages of a replica that is gone go to one and the same other replica, and stay there', () => {
  const routes = new RouteTable();
  const all = [1, 2, 3, 4].map((replica) => target(1, 'ready', replica));
  const [, lost] = all;
  routes.swap('demo', all);
  if (lost === undefined) return;
  lost.backend.state = 'crashed';
  lost.backend.replica = 5;
  routes.lost('demo', lost);
  const other = routes.pick('demo', pin(1, 2));
  expect(other?.backend.state).toBe('ready');
  // It serves again, and others come and get busy: its pages of before stay where they are.
  lost.backend.state = 'ready';
  routes.join('demo', target(1, 'ready', 6));
  other?.hold(() => undefined);
  expect(routes.pick('demo', pin(1, 2))).toBe(other);
  expect(routes.pick('demo', pin(1, 5))).toBe(lost);
  // Where that one is lost as well, they move once more.
  if (other === undefined) return;
  routes.lost('demo', other);
  routes.drop('demo', other);
  const third = routes.pick('demo', pin(1, 2));
  expect(third).not.toBe(other);
  expect(routes.pick('demo', pin(1, 2))).toBe(third);
});

test('the next server sends the pages of a replica that is gone to the same other one', () => {
  const choice = (): number => {
    const routes = new RouteTable();
    routes.swap(
      'demo',
      [1, 3, 4].map((replica) => target(1, 'ready', replica)),
    );
    return routes.pick('demo', pin(1, 2))?.pin.replica ?? 0;
  };
  expect([choice(), choice(), choice()]).toEqual(Array(3).fill(choice()));
});

test('a replica that drains keeps its pages and gets no new ones', () => {
  const routes = new RouteTable();
  const [one, two] = [target(1, 'ready', 1), target(1, 'ready', 2)];
  routes.swap('demo', [one, two]);
  one.hold(() => undefined);
  routes.drainBehind('demo', two);
  expect(routes.live('demo')).toBe(one);
  expect(routes.pick('demo', pin(1, 2))).toBe(two);
  expect(routes.draining('demo')).toEqual([two]);
  routes.drop('demo', two);
  expect(routes.pick('demo', pin(1, 2))).toBe(one);
});

test('a deploy drains all replicas of the release before, and their pages stay with them', () => {
  const routes = new RouteTable();
  const before = [target(1, 'ready', 1), target(1, 'ready', 2)];
  const after = [target(2, 'ready', 1), target(2, 'ready', 2)];
  routes.swap('demo', before);
  expect(routes.swap('demo', after)).toEqual(before);
  expect([routes.pick('demo', pin(1, 1)), routes.pick('demo', pin(1, 2))]).toEqual(before);
  expect([routes.pick('demo', pin(2, 1)), routes.pick('demo', pin(2, 2))]).toEqual(after);
  expect(after).toContain(routes.live('demo'));
});

test('a page of an older release that went to the only process stays there when others join it', () => {
  const routes = new RouteTable();
  const only = target(2);
  routes.swap('demo', [only]);
  // Its release drained until the limit.
  expect(routes.pick('demo', pin(1))).toBe(only);
  for (const replica of [2, 3, 4, 5]) routes.join('demo', target(2, 'ready', replica));
  expect(routes.pick('demo', pin(1))).toBe(only);
});

test('how an app is used is told over all of its replicas', () => {
  const routes = new RouteTable();
  expect(routes.use('demo')).toBeUndefined();
  const [one, two] = [target(1, 'ready', 1), target(1, 'ready', 2)];
  routes.swap('demo', [one, two]);
  one.hold(() => undefined);
  one.claim();
  two.touch();
  expect(routes.use('demo')).toMatchObject({ sockets: 1, claims: 1, visitedAt: two.visitedAt });
});
