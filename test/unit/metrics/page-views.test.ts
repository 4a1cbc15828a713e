import { expect, it } from 'vitest';
import { pageId } from '../../../src/metrics/fields.js';
import { mostViewed } from '../../../src/metrics/page-views.js';

const points = (...all: [views: number, runs: number, ms: number][]): { tick: number; values: number[] }[] =>
  all.map((values, tick) => ({ tick, values }));

it('lists the pages of an app by their views, over all spans', () => {
  const found = new Map([
    [pageId('shop', '/'), points([1, 1, 100], [1, 3, 300])],
    [pageId('shop', '/sales'), points([3, 0, 0])],
  ]);
  expect(mostViewed(found)).toEqual([
    { path: '/sales', views: 3, runs: 0, runMs: null },
    { path: '/', views: 2, runs: 4, runMs: 100 },
  ]);
  expect(mostViewed(new Map())).toEqual([]);
});

it('sums up the pages with the fewest views with those that were never told apart', () => {
  const found = new Map(
    Array.from({ length: 25 }, (_, place) => [pageId('shop', `/${place}`), points([100 - place, 1, 10])]),
  );
  found.set(pageId('shop', 'other'), points([1_000, 5, 50]));
  const listed = mostViewed(found);
  expect(listed).toHaveLength(21);
  expect(listed[19]).toMatchObject({ path: '/19', views: 81 });
  // 80 to 76 of the five last ones, and the others.
  expect(listed[20]).toEqual({ path: null, views: 1_390, runs: 10, runMs: 10 });
});
