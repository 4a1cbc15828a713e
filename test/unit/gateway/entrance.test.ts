import { expect, test } from 'vitest';
import { framing, withoutShare } from '../../../src/gateway/entrance.js';

const CODE = 'a'.repeat(32);

test.each([
  ['', ''],
  ['?', '?'],
  ['?page=1&', '?page=1&'],
  [`?_share=${CODE}`, ''],
  [`?page=1&_share=${CODE}`, '?page=1'],
  [`?_share=${CODE}&page=1`, '?page=1'],
  ['?_share=short', '?_share=short'],
  [`?my_share=${CODE}`, `?my_share=${CODE}`],
])('the app gets of %j what is not the code of a share link', (query, left) => {
  expect(withoutShare(query)).toBe(left);
});

test('a page is framed by its own origin and by those that are named, or by all', () => {
  const who = { may: true, by: undefined, identity: undefined };
  expect(framing(who)).toEqual({});
  expect(framing({ ...who, frames: ['https://wiki.example.com'] })).toEqual({
    'content-security-policy': "frame-ancestors 'self' https://wiki.example.com",
  });
});
