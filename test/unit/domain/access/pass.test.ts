import { describe, expect, test } from 'vitest';
import {
  newShare,
  parseFrames,
  passFor,
  passwordPass,
  sharePass,
  shareSchema,
} from '../../../../src/domain/access/pass.js';

const NOW = 1_000_000;
const HASH = '$scrypt$one';

describe('a password that opened an app', () => {
  const app = { opens: 'password', visitPassword: HASH };
  const pass = passwordPass('shop', HASH, NOW + 1);

  test('opens it until it expires, or until the password is changed', () => {
    expect(passFor([pass], 'shop', app, NOW)).toEqual({ who: 'password', embed: false });
    expect(passFor([pass], 'shop', app, NOW + 1)).toBeUndefined();
    expect(passFor([pass], 'shop', { ...app, visitPassword: '$scrypt$two' }, NOW)).toBeUndefined();
    expect(passFor([pass], 'shop', { ...app, opens: 'people' }, NOW)).toBeUndefined();
  });

  test('opens no other app, and cannot be made longer', () => {
    expect(passFor([pass], 'other', app, NOW)).toBeUndefined();
    expect(passFor([pass.replace(String(NOW + 1), String(NOW + 2))], 'shop', app, NOW)).toBeUndefined();
    for (const forged of ['', 'p', 'p.', `p.${NOW + 1}`, `p.${NOW + 1}.`, 'p.NaN.x', 'p.Infinity.x', 's.', 'x.y'])
      expect(passFor([forged], 'shop', app, NOW), forged).toBeUndefined();
  });

  test('is compared with whatever a browser sends', () => {
    expect(passFor([`${pass.slice(0, -1)}\xff`, `${pass.slice(0, -1)}\u{1f600}`], 'shop', app, NOW)).toBeUndefined();
  });

  test('does not hide a share link that may be framed', () => {
    const { share, code } = newShare({ name: 'Wiki', embed: true, expiresAt: NOW + 1 }, 'ada', NOW);
    const found = passFor([pass, sharePass(code)], 'shop', { ...app, shares: [share] }, NOW);
    expect(found).toEqual({ who: 'share link Wiki', embed: true });
  });

  test('is found among what other apps have planted', () => {
    expect(passFor(['p.1.x', 's.y', pass], 'shop', app, NOW)).toBeDefined();
  });
});

test('a share link opens its app until it expires or is revoked', () => {
  const { share, code } = newShare({ name: 'Client', embed: true, expiresAt: NOW + 1 }, 'ada', NOW);
  const app = { opens: 'people', shares: [share] };
  expect(shareSchema.parse(share)).toEqual(share);
  expect(JSON.stringify(share)).not.toContain(code);
  expect(passFor([sharePass(code)], 'shop', app, NOW)).toEqual({ who: 'share link Client', embed: true });
  expect(passFor([sharePass(code)], 'shop', app, NOW + 1)).toBeUndefined();
  expect(passFor([sharePass(code)], 'shop', { ...app, shares: [] }, NOW)).toBeUndefined();
  expect(passFor([sharePass(share.hash)], 'shop', app, NOW)).toBeUndefined();
});

test('only origins can frame an app', () => {
  expect(parseFrames(['https://Wiki.example.com/', 'https://wiki.example.com', 'http://localhost:3000'])).toEqual([
    'https://wiki.example.com',
    'http://localhost:3000',
  ]);
  for (const wrong of [
    '*',
    'https://*',
    'https://a.example/x',
    'http://a.example',
    "'self'",
    'https://a.example;',
    'x y',
    'data:',
  ])
    expect(() => parseFrames([wrong]), wrong).toThrow('Use origins');
});
