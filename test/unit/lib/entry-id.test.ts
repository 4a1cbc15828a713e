import { expect, test } from 'vitest';
import { newEntryId } from '../../../src/lib/entry-id.js';

test('an id can be typed after a verb: it never looks like an option, and none comes twice', () => {
  const ids = Array.from({ length: 5_000 }, newEntryId);
  expect(ids.filter((id) => !/^[0-9a-f]{12}$/.test(id))).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
});
