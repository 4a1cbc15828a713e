import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { createMask } from '../../../src/logs/mask.js';

const SECRET = 'p@ss w/ord+1!';

it.each([
  ['itself', SECRET],
  ['URL-encoded', encodeURIComponent(SECRET)],
  ['URL-encoded in small letters', encodeURIComponent(SECRET).toLowerCase()],
  ['form-encoded', new URLSearchParams({ k: SECRET }).toString().slice(2)],
  ['in base64', Buffer.from(SECRET).toString('base64').replace(/=+$/, '')],
  ['in base64url', Buffer.from(SECRET).toString('base64url')],
])('createMask hides a secret %s', (_how, form) => {
  const masked = createMask([SECRET])(`before ${form} after`);
  expect(masked).toMatch(/^before ••••\S{0,2} after$/);
});

it.each([
  ["by Python's quote", 'key/with+slash!', 'key/with%2Bslash%21'],
  ["by Python's quote, for a part of a path", 'p@ss word!1', 'p%40ss%20word%211'],
  ["by Python's urlencode", 'a~b c*d', 'a~b+c%2Ad'],
  ['by tools that encode no more than they must', 'p@ss wörd!1', 'p@ss%20w%C3%B6rd!1'],
  ["by Python's json.dumps", 'pässwörd', 'p\\u00e4ssw\\u00f6rd'],
  ["by Python's repr", 'back\\slash"it\'s', 'back\\\\slash"it\\\'s'],
])('createMask hides a secret written %s', (_how, secret, form) => {
  expect(createMask([secret])(`before ${form} after`)).toBe('before •••• after');
});

it('createMask hides values that are not complete text', () => {
  expect(createMask(['half \ud83d of a character'])('half \ud83d of a character')).toBe('••••');
});

it('createMask hides a secret within the base64 of something longer, at any offset', () => {
  for (const user of ['', 'a', 'ab', 'abc', 'user:']) {
    const header = Buffer.from(`${user}${SECRET}:more`).toString('base64');
    const masked = createMask([SECRET])(`Authorization: Basic ${header}`);
    expect(masked).toContain('••••');
    const shown = Buffer.from(masked.slice(masked.indexOf('Basic ') + 6).replaceAll('•', ''), 'base64').toString(
      'latin1',
    );
    expect(shown).not.toContain('ord+');
  }
});

it('createMask hides every line of a multi-line secret, and the longer of two with the same beginning', () => {
  const mask = createMask(['first line\nsecond line', 'token', 'token-and-more']);
  expect(mask('first line | second line | token-and-more | token')).toBe('•••• | •••• | •••• | ••••');
});

it('createMask hides a value of the maximum size, along with the others', () => {
  const large = randomBytes(48 * 1024).toString('base64');
  const mask = createMask([large, SECRET]);
  expect(mask(`before ${large} and ${SECRET} after`)).toBe('before •••• and •••• after');
  expect(mask(`before ${encodeURIComponent(large)} after`)).toBe('before •••• after');
});

it('createMask does not treat characters of a secret as a pattern', () => {
  expect(createMask(['a.c*(d'])('abcd a.c*(d')).toBe('abcd ••••');
});

it('createMask leaves short values and text without secrets unchanged', () => {
  expect(createMask(['abc', '', ' '])('abc abc')).toBe('abc abc');
  expect(createMask([])('anything')).toBe('anything');
});
