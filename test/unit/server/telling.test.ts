import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { tellUses, type Uses } from '../../../src/server/telling.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const use = (sockets: number): Uses => ({ mark: { claims: sockets, sockets, lastActivity: 0, visitedAt: 0 } });

/** @returns also how often it has looked: by its own timer, since others of this thread may be set meanwhile */
function begin(first: Uses): { told: Uses[]; now: { uses: Uses }; looks: () => number; end: () => void } {
  const told: Uses[] = [];
  const now = { uses: first };
  const uses = vi.fn(() => now.uses);
  return { told, now, looks: () => uses.mock.calls.length, end: tellUses(uses, (sent) => void told.push(sent)) };
}

/** Whether it looks again within a minute. */
function looksAgain(looks: () => number): boolean {
  const before = looks();
  vi.advanceTimersByTime(60_000);
  return looks() > before;
}

it('says at once what goes through an earlier life, and then only what changes', () => {
  const { told, now, looks, end } = begin(use(2));
  vi.advanceTimersByTime(5_000);
  now.uses = use(1);
  vi.advanceTimersByTime(5_000);
  expect(told).toEqual([use(2), use(1)]);
  expect(looksAgain(looks)).toBe(true);
  end();
  expect(looksAgain(looks)).toBe(false);
});

it('leaves no timer once nothing goes through it any more', () => {
  const { told, now, looks } = begin(use(1));
  now.uses = {};
  vi.advanceTimersByTime(1_000);
  expect(told).toEqual([use(1), {}]);
  expect(looksAgain(looks)).toBe(false);
});

it('leaves no timer where nothing goes through it from the beginning', () => {
  const { told, looks } = begin({});
  vi.advanceTimersByTime(1_000);
  expect(told).toEqual([{}]);
  expect(looksAgain(looks)).toBe(false);
});
