import { expect, test } from 'vitest';
import { Attempts, TooManyAttempts } from '../../../../src/domain/access/attempts.js';
import { KnownBrowsers, PasswordAttempts } from '../../../../src/domain/access/password-attempts.js';

const EMAIL = 'ada@example.com';

test('an account has to wait after fifty wrong passwords, wherever they come from', () => {
  let now = 0;
  const addresses = new Attempts(() => now);
  const attempts = new PasswordAttempts(addresses, () => now);
  const from = (address: string, email = EMAIL) => attempts.begin({ address, email, browser: undefined });
  for (let i = 0; i < 50; i += 1) from(`10.0.0.${i}`, i % 2 === 0 ? EMAIL : ' ADA@example.com ');
  expect(() => from('10.0.1.1')).toThrow(TooManyAttempts);
  // That of another account goes on, and an address that was refused has lost nothing.
  for (let i = 0; i < 20; i += 1) from('10.0.1.1', 'eve@example.com');
  expect(() => from('10.0.1.1', 'eve@example.com')).toThrow(TooManyAttempts);
  now = 60_000;
  from('10.0.2.1');
  expect(() => from('10.0.2.2')).toThrow(TooManyAttempts);
});

test('the right password is not counted, for the address and for the account', () => {
  const attempts = new PasswordAttempts(new Attempts(() => 0), () => 0);
  for (let i = 0; i < 100; i += 1) attempts.begin({ address: '10.0.0.1', email: EMAIL, browser: undefined })();
  expect(() => attempts.begin({ address: '10.0.0.1', email: EMAIL, browser: undefined })).not.toThrow();
});

test('a browser that is known passes, and cannot guess without end either', () => {
  const attempts = new PasswordAttempts(new Attempts(() => 0), () => 0);
  for (let i = 0; i < 50; i += 1) attempts.begin({ address: `10.0.0.${i}`, email: EMAIL, browser: undefined });
  for (let i = 0; i < 20; i += 1) attempts.begin({ address: '10.0.0.1', email: EMAIL, browser: 'one' });
  expect(() => attempts.begin({ address: '10.0.0.1', email: EMAIL, browser: 'one' })).toThrow(TooManyAttempts);
  expect(() => attempts.begin({ address: '10.0.0.1', email: EMAIL, browser: 'two' })).not.toThrow();
});

test('a flood of addresses and of accounts takes no more memory than the limit', () => {
  const addresses = new Attempts(() => 0);
  const attempts = new PasswordAttempts(addresses, () => 0);
  for (let i = 0; i < 30_000; i += 1)
    attempts.begin({ address: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, email: `${i}@b.c`, browser: undefined });
  expect(addresses.size).toBe(10_000);
  expect(attempts.size).toBe(10_000);
});

test('a browser is known to the account that has logged in with it, and to no other', () => {
  const browsers = new KnownBrowsers('key');
  const kept = browsers.make('ada');
  const name = browsers.nameOf([kept], 'ada');
  expect(name).toMatch(/^[\w-]{22}$/);
  expect(browsers.nameOf(['planted', kept], 'ada')).toBe(name);
  expect(browsers.nameOf([kept], 'eve')).toBeUndefined();
  expect(browsers.nameOf([kept], '')).toBeUndefined();
  expect(new KnownBrowsers('another key').nameOf([kept], 'ada')).toBeUndefined();
  const [, signature = ''] = kept.split('.');
  expect(browsers.nameOf([`${'x'.repeat(22)}.${signature}`, `${name}.`, ''], 'ada')).toBeUndefined();
});
