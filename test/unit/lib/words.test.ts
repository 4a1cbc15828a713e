import { expect, it } from 'vitest';
import { asClause, asSentence, capitalise, counted, listed } from '../../../src/lib/words.js';

it.each([
  [[], ''],
  [['a'], 'a'],
  [['a', 'b'], 'a and b'],
  [['a', 'b', 'c'], 'a, b and c'],
  [['a', 'b', 'c', 'd', 'e'], 'a, b, c and 2 more'],
])('%j is listed as "%s"', (names, text) => expect(listed(names, names.length > 3 ? 3 : undefined)).toBe(text));

it('exactly the maximum number of names are all listed', () => {
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

it.each([
  ['app.py has no code', 'app.py has no code.'],
  ['sales-2 failed', 'sales-2 failed.'],
  ['cut off …', 'Cut off …'],
])('"%s" becomes the sentence "%s"', (clause, sentence) => expect(asSentence(clause)).toBe(sentence));

it.each([
  ['The build was cancelled.', 'the build was cancelled'],
  ['No app.py in the project root. Add one.', 'no app.py in the project root. Add one'],
  ['Python 3.7 is too old.', 'Python 3.7 is too old'],
  ['TOML is required.', 'TOML is required'],
  ['README.md is a link.', 'README.md is a link'],
  ['app.py is a link.', 'app.py is a link'],
  ['"x" is unknown.', '"x" is unknown'],
])('"%s" becomes a part of another sentence', (sentence, clause) => expect(asClause(sentence)).toBe(clause));
