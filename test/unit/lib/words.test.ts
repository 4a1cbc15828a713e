import { describe, expect, it } from 'vitest';
import { asSentence, capitalise, counted, listed } from '../../../src/lib/words.js';

describe('words', () => {
  it.each([
    [[], ''],
    [['a'], 'a'],
    [['a', 'b'], 'a and b'],
    [['a', 'b', 'c'], 'a, b and c'],
    [['a', 'b', 'c', 'd', 'e'], 'a, b, c and 2 more'],
  ])('%j is listed as "%s"', (names, text) => expect(listed(names, names.length > 3 ? 3 : undefined)).toBe(text));

  it('as many names as are allowed are all listed', () => {
    expect(listed(['a', 'b', 'c'], 3)).toBe('a, b and c');
  });

  it('one is counted in the singular, and none and many in the plural', () => {
    expect([0, 1, 2].map((number) => counted(number, 'app'))).toEqual(['0 apps', '1 app', '2 apps']);
    expect(counted(2, 'page is', 'pages are')).toBe('2 pages are');
  });

  it('a text becomes a sentence, with one full stop', () => {
    expect(capitalise('it ended')).toBe('It ended');
    expect(asSentence('it ended')).toBe('It ended.');
    expect(asSentence('It ended.')).toBe('It ended.');
    expect(asSentence('did it end?')).toBe('Did it end?');
  });
});
