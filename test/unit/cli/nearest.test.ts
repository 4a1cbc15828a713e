import { expect, it } from 'vitest';
import { levenshtein, nearest } from '../../../src/cli/nearest.js';

it('nearest corrects a typo', () => {
  expect(nearest('helo', ['hello', 'dashboard'])).toBe('hello');
  expect(nearest('dashbaord', ['hello', 'dashboard'])).toBe('dashboard');
  expect(nearest('HELLO', ['hello'])).toBe('hello');
});

it('nearest completes a beginning, and prefers the closest word', () => {
  expect(nearest('dash', ['hello', 'dashboard'])).toBe('dashboard');
  expect(nearest('demo2', ['demo', 'demo-2', 'demo-22'])).toBe('demo');
});

it('nearest suggests nothing that is not similar', () => {
  expect(nearest('sales', ['hello', 'dashboard'])).toBeUndefined();
  expect(nearest('x', ['ab', 'cd'])).toBeUndefined();
  expect(nearest('anything', [])).toBeUndefined();
});

it.each([
  ['', '', 0],
  ['', 'abc', 3],
  ['kitten', 'sitting', 3],
  ['abc', 'abc', 0],
  ['abc', 'acb', 2],
])('levenshtein from "%s" to "%s" is %i', (a, b, distance) => {
  expect(levenshtein(a, b)).toBe(distance);
  expect(levenshtein(b, a)).toBe(distance);
});
