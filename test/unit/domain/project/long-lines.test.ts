import { expect, it } from 'vitest';
import { longLine, MAX_LINE } from '../../../../src/domain/project/long-lines.js';

it('the first line that is too long is told by its number', () => {
  const long = 'x'.repeat(MAX_LINE + 1);
  expect(longLine(`a\n${long.slice(1)}\n\n${long}\n${long}`)).toBe(4);
  expect(longLine(long)).toBe(1);
  expect(longLine('a\nbb\nccc', 2)).toBe(3);
});

it.each(['', '\n', 'a\nb', 'x'.repeat(MAX_LINE), `${'x'.repeat(MAX_LINE)}\n`])(
  'text %# has no line that is too long',
  (text) => {
    expect(longLine(text)).toBeUndefined();
  },
);
