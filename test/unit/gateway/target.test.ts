import { expect, test } from 'vitest';
import { Target } from '../../../src/gateway/target.js';

const backend = { release: 1, address: { host: '127.0.0.1', port: 1 }, state: 'ready' as const };

test('a request is counted once, until it ends', () => {
  const target = new Target(backend);
  const [first, second] = [target.claim(), target.claim()];
  expect(target.claims).toBe(2);
  first();
  first();
  expect(target.claims).toBe(1);
  second();
  expect(target.claims).toBe(0);
});

test('the time when the last WebSocket closed is remembered, even from an earlier server', () => {
  const target = new Target(backend);
  expect(target.lastSocketAt).toBe(0);
  const release = target.hold(() => undefined);
  expect([target.sockets, target.lastSocketAt]).toEqual([1, 0]);
  release();
  expect(target.sockets).toBe(0);
  expect(Date.now() - target.lastSocketAt).toBeLessThan(5_000);
  expect(new Target(backend, new Date(1_000)).lastSocketAt).toBe(1_000);
});

test('a target is idle when no request is in progress, even with open WebSockets', async () => {
  const target = new Target(backend);
  const [page, request] = [target.claim(), target.claim()];
  target.hold(() => undefined);
  let idle = false;
  const waited = target.whenIdle(10_000).then(() => (idle = true));
  await Promise.resolve();
  expect(idle).toBe(false);
  request();
  await waited;
  expect(target.claims).toBe(1);
  page();
});

test('waiting for a target to be idle ends at its limit, or when it is cancelled', async () => {
  const target = new Target(backend);
  target.claim();
  await target.whenIdle(20);
  const calledOff = new AbortController();
  const waited = target.whenIdle(60_000, calledOff.signal);
  calledOff.abort();
  await waited;
  expect(target.claims).toBe(1);
});

test('closing a target closes all of its WebSockets', () => {
  const target = new Target(backend);
  const closed: string[] = [];
  for (const name of ['a', 'b']) {
    const release = target.hold(() => {
      closed.push(name);
      release();
    });
  }
  target.close();
  expect(closed).toEqual(['a', 'b']);
  expect(target.sockets).toBe(0);
});

test('requests that an earlier server still relays count too, and its last WebSocket is remembered', async () => {
  const target = new Target(backend);
  const done = target.claim();
  const lastActivity = Date.now() + 1_000;
  target.relay({ claims: 3, sockets: 2, lastActivity, visitedAt: 5 });
  expect([target.claims, target.sockets, target.lastActivity, target.visitedAt]).toEqual([4, 2, lastActivity, 5]);
  const waited = target.whenIdle(10_000);
  target.relay({ claims: 2, sockets: 2, lastActivity, visitedAt: 5 });
  done();
  await waited;
  expect(target.lastSocketAt).toBe(0);
  target.relay();
  expect([target.claims, target.sockets, target.lastActivity]).toEqual([0, 0, lastActivity]);
  expect(target.lastSocketAt).toBeGreaterThan(0);
});
