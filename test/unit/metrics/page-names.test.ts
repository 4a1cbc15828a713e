import { beforeEach, describe, expect, it } from 'vitest';
import { PageNames } from '../../../src/metrics/page-names.js';

const DAY = 86_400_000;

let dropped: string[];
let names: PageNames;
beforeEach(() => {
  dropped = [];
  names = new PageNames((app, path) => void dropped.push(`${app} ${path}`));
});

/** Comes to so many pages. */
function fill(app: string, count: number, now: number): string[] {
  return Array.from({ length: count }, (_, place) => names.nameOf(app, `/${place}`, now));
}

describe('nameOf', () => {
  it('tells twenty pages of an app apart, and counts the others together', () => {
    expect(new Set(fill('shop', 30, 0)).size).toBe(21);
    expect(names.nameOf('shop', '/19', 1)).toBe('/19');
    expect(names.nameOf('shop', '/20', 1)).toBe('other');
    expect(names.nameOf('blog', '/20', 1)).toBe('/20');
    expect(names.nameOf('shop', 'other', 1)).toBe('other');
    expect(dropped).toEqual([]);
  });

  it('gives a new page the place of one that was not visited for a day', () => {
    fill('shop', 20, 0);
    names.nameOf('shop', '/0', DAY - 1);
    expect(names.nameOf('shop', '/new', DAY - 1)).toBe('other');
    expect(names.nameOf('shop', '/new', DAY)).toBe('/new');
    expect(dropped).toEqual(['shop /1']);
    expect(names.nameOf('shop', '/0', DAY)).toBe('/0');
    expect(names.nameOf('shop', '/1', DAY)).toBe('/1');
    expect(dropped).toEqual(['shop /1', 'shop /2']);
  });
});

it('forgets apps that were removed', () => {
  fill('shop', 20, 0);
  names.keep(new Set(['shop']));
  expect(names.nameOf('shop', '/new', 1)).toBe('other');
  names.keep(new Set());
  expect(names.nameOf('shop', '/new', 1)).toBe('/new');
});
