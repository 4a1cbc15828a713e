import fc from 'fast-check';
import { expect, it } from 'vitest';
import { withLineEnds } from '../../../src/lib/line-ends.js';

it.each([
  ['what is edited', 'a\r\nb\nc\r\nd\n', 'a\nX\nc\nd\n', 'a\r\nX\r\nc\r\nd\n'],
  ['what is added', 'a\nb\r\nc\n', 'a\nb\nnew\nc\n', 'a\nb\r\nnew\nc\n'],
  ['what is left of what was removed', 'a\nb\r\nc\nd\r\n', 'b\nd\n', 'b\r\nd\r\n'],
  ['a file of one kind', 'a\r\nb\r\n', 'b\nc\n', 'b\r\nc\r\n'],
  ['an old kind', 'a\rb\r', 'a\nb\nc\n', 'a\rb\rc\r'],
  ['a last line without an end, with one before it', 'a\r\nb', 'a\nb\nc', 'a\r\nb\r\nc'],
  ['an empty file', '', 'a\r\nb\n', 'a\nb\n'],
  ['nothing', 'a\r\n', '', ''],
])('lines keep their ends: %s', (_, before, edited, after) => {
  expect(withLineEnds(before, edited)).toBe(after);
});

it('an unedited text stays unchanged, and no edit changes the text of a line', () => {
  const mixed = fc.array(fc.tuple(fc.constantFrom('', 'a', 'b', 'é 💥'), fc.constantFrom('\n', '\r\n')));
  const text = mixed.map((lines) => lines.flat().join(''));
  const plain = (one: string): string => one.replace(/\r\n/g, '\n');
  fc.assert(fc.property(text, (before) => withLineEnds(before, plain(before)) === before));
  fc.assert(fc.property(text, text, (before, edited) => plain(withLineEnds(before, edited)) === plain(edited)));
});
