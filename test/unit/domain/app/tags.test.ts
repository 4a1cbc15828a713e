import { expect, it } from 'vitest';
import { splitTags, tagsSchema } from '../../../../src/domain/app/tags.js';

it('tags are trimmed, lower-cased and unique, in the given order', () => {
  expect(tagsSchema.parse([' Verkauf', 'NORD  west', 'verkauf', 'été'])).toEqual(['verkauf', 'nord west', 'été']);
  expect(tagsSchema.parse([])).toEqual([]);
});

it('tags are limited to 8, and duplicates count once', () => {
  const eight = Array.from({ length: 8 }, (_, place) => `tag ${place}`);
  expect(tagsSchema.parse([...eight, 'TAG 0'])).toEqual(eight);
  expect(tagsSchema.safeParse([...eight, 'another']).success).toBe(false);
});

it.each([
  ['a'.repeat(24), true],
  [` ${'a'.repeat(24)} `, true],
  ['a'.repeat(25), false],
  ['', false],
  ['  ', false],
  ['a,b', false],
  ['a\u0007', false],
] as const)('the tag %j is valid: %s', (tag, fine) => expect(tagsSchema.safeParse([tag]).success).toBe(fine));

it('tags typed into one field are separated by commas', () => {
  expect(splitTags('sales, north ,, ')).toEqual(['sales', ' north ']);
  expect(splitTags('')).toEqual([]);
});
