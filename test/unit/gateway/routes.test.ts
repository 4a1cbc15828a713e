import { expect, test } from 'vitest';
import type { ProcessState } from '../../../src/domain/app/process.js';
import { RouteTable } from '../../../src/gateway/routes.js';
import { Target } from '../../../src/gateway/target.js';

function target(release: number, state: ProcessState = 'ready'): Target & { backend: { state: ProcessState } } {
  return new Target({ release, address: { host: '127.0.0.1', port: 1 }, state });
}

test('new visitors get the live release, and a page gets its own while that drains, then the live one', () => {
  const routes = new RouteTable();
  const [one, two] = [target(1), target(2)];
  expect(routes.swap('demo', one)).toBeUndefined();
  expect(routes.swap('demo', two)).toBe(one);
  expect([
    routes.pick('demo', undefined),
    routes.pick('demo', 2),
    routes.pick('demo', 1),
    routes.pick('demo', 7),
  ]).toEqual([two, two, one, two]);
  expect(routes.draining('demo')).toEqual([one]);
  routes.drop('demo', one);
  expect(routes.pick('demo', 1)).toBe(two);
  routes.drop('demo', two);
  expect(routes.pick('demo', 1)).toBeUndefined();
});

test('a page whose older release has crashed moves to the live one', () => {
  const routes = new RouteTable();
  const old = target(1);
  const live = target(2);
  routes.swap('demo', old);
  routes.swap('demo', live);
  (old.backend as { state: ProcessState }).state = 'crashed';
  expect(routes.pick('demo', 1)).toBe(live);
});

test('a process replaced by another one of the same release does not drain', () => {
  const routes = new RouteTable();
  const [before, after] = [target(3), target(3)];
  routes.swap('demo', before);
  routes.swap('demo', after);
  expect(routes.draining('demo')).toEqual([]);
  routes.drop('demo', before);
  expect(routes.live('demo')).toBe(after);
});

test('a waiter is told when the process serves, the time is over, or the wait is cancelled', async () => {
  const routes = new RouteTable();
  const starting = target(1, 'starting');
  routes.swap('demo', starting);
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
  routes.swap('demo', target(1, 'starting'));
  const waiting = routes.whenReady('demo', undefined, 60_000, () => true);
  expect(routes.left).toBe(false);
  routes.leave();
  expect(await waiting).toBeUndefined();
  expect(routes.left).toBe(true);
});
