import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { tellUses, type Uses } from '../../../src/server/telling.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const use = (sockets: number): Uses => ({ mark: { claims: sockets, sockets, lastActivity: 0, visitedAt: 0 } });

function begin(first: Uses): { told: Uses[]; now: { uses: Uses }; end: () => void } {
  const told: Uses[] = [];
  const now = { uses: first };
  return {
    told,
    now,
    end: tellUses(
      () => now.uses,
      (uses) => void told.push(uses),
    ),
  };
}

it('says at once what goes through an earlier life, and then only what changes', () => {
  const { told, now, end } = begin(use(2));
  vi.advanceTimersByTime(5_000);
  now.uses = use(1);
  vi.advanceTimersByTime(5_000);
  expect(told).toEqual([use(2), use(1)]);
  end();
  expect(vi.getTimerCount()).toBe(0);
});

it('leaves no timer once nothing goes through it any more', () => {
  const { told, now } = begin(use(1));
  now.uses = {};
  vi.advanceTimersByTime(1_000);
  expect(told).toEqual([use(1), {}]);
  expect(vi.getTimerCount()).toBe(0);
});

it('leaves no timer where nothing goes through it from the beginning', () => {
  const { told } = begin({});
  vi.advanceTimersByTime(1_000);
  expect(told).toEqual([{}]);
  expect(vi.getTimerCount()).toBe(0);
});
