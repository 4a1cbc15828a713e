import { expect, it } from 'vitest';
import { isHeartbeat, maySleep, type SleepRule } from '../../../../src/domain/app/sleep.js';

const MINUTE = 60_000;
const rule: SleepRule = { afterMs: 10 * MINUTE, idlePageMs: 60 * MINUTE };
const quietFor = (ms: number, sockets = 0, claims = sockets) =>
  maySleep({ lastActivity: 1_000, sockets, claims }, rule, 1_000 + ms);

it('maySleep lets an app sleep that has been unused for long enough', () => {
  expect(quietFor(10 * MINUTE - 1)).toBe(false);
  expect(quietFor(10 * MINUTE)).toBe(true);
});

it('maySleep keeps an app awake for an open page, until that is idle for its own limit', () => {
  expect(quietFor(59 * MINUTE, 1)).toBe(false);
  expect(quietFor(60 * MINUTE, 1)).toBe(true);
});

it('maySleep never lets an app sleep during a request', () => {
  expect(quietFor(600 * MINUTE, 1, 2)).toBe(false);
});

it('maySleep never lets an app sleep if its rule is never', () => {
  expect(maySleep({ lastActivity: 0, sockets: 0, claims: 0 }, { ...rule, afterMs: 0 }, Number.MAX_SAFE_INTEGER)).toBe(
    false,
  );
});

it("isHeartbeat recognises a browser's pong and ping", () => {
  expect(isHeartbeat(Buffer.from([0x8a, 0x84, 1, 2, 3, 4, 5, 6, 7, 8]))).toBe(true);
  expect(isHeartbeat(Buffer.from([0x89, 0x80, 1, 2, 3, 4]))).toBe(true);
});

it('isHeartbeat does not match what a person does', () => {
  expect(isHeartbeat(Buffer.from([0x82, 0x84, 1, 2, 3, 4, 5, 6, 7, 8]))).toBe(false);
  expect(isHeartbeat(Buffer.concat([Buffer.from([0x8a]), Buffer.alloc(200)]))).toBe(false);
  expect(isHeartbeat(Buffer.alloc(0))).toBe(false);
});
