import { expect, test } from 'vitest';
import { ENTRY_ID, newEntryId } from '../../../src/lib/entry-id.js';

test('an id can be typed after a verb: it never looks like an option, and none comes twice', () => {
  const ids = Array.from({ length: 5_000 }, newEntryId);
  expect(ids.filter((id) => !/^[0-9a-f]{12}$/.test(id))).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
});

test('records keep the ids of this version and of earlier ones, and nothing else', () => {
  for (const id of [newEntryId(), '-AyK_5EP', 'AAAAAAAA']) expect(id).toMatch(ENTRY_ID);
  for (const id of ['', '0123456789', '-AyK_5EPAyK_', '0123456789abcd', '../../..']) expect(id).not.toMatch(ENTRY_ID);
});
