import { expect, test } from 'vitest';
import { trimEnd } from '../../../src/lib/trim-end.js';

test.each([
  ['a//', 'a'],
  ['/a/b', '/a/b'],
  ['///', ''],
  ['', ''],
])('%j without "/" at its end is %j', (text, trimmed) => {
  expect(trimEnd(text, '/')).toBe(trimmed);
});
