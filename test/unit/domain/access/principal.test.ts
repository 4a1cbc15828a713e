import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { authenticate, tokenOf, type Principal } from '../../../../src/domain/access/principal.js';

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

describe('the token of an Authorization header', () => {
  test('is what follows "Bearer", whatever its case', () => {
    expect(tokenOf('Bearer abc-123')).toBe('abc-123');
    expect(tokenOf('bearer   abc-123')).toBe('abc-123');
  });

  test('is the password of Basic, with any user name, and may contain colons', () => {
    expect(tokenOf(basic('git:secret'))).toBe('secret');
    expect(tokenOf(basic(':secret'))).toBe('secret');
    expect(tokenOf(basic('x:se:cret'))).toBe('se:cret');
  });

  test.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Bearer a b',
    'Basic',
    'Basic !!!',
    basic('nocolon'),
    basic('user:'),
    'Digest username="x"',
    'secret',
    `Bearer ${'x'.repeat(5_000)}`,
  ])('is absent from %j', (header) => {
    expect(tokenOf(header)).toBeUndefined();
  });

  test('never throws, whatever is sent', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.uint8Array().map((bytes) => `Basic ${Buffer.from(bytes).toString('latin1')}`),
        ),
        (header) => {
          expect(['string', 'undefined']).toContain(typeof tokenOf(header));
        },
      ),
    );
  });

  test('is decoded unchanged from what git and curl send', () => {
    const token = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(
        fc.string().filter((user) => !user.includes(':')),
        token,
        (user, password) => {
          expect(tokenOf(basic(`${user}:${password}`))).toBe(password);
        },
      ),
    );
  });
});

test('a header acts as the principal that the check returns, and without a token as nobody', () => {
  const seen: string[] = [];
  const check = (token: string): Principal | undefined => {
    seen.push(token);
    return token === 'right' ? { kind: 'token', name: 'admin' } : undefined;
  };
  expect(authenticate('Bearer right', check)).toEqual({ kind: 'token', name: 'admin' });
  expect(authenticate('Bearer wrong', check)).toBeUndefined();
  expect(authenticate(undefined, check)).toBeUndefined();
  expect(authenticate('Bearer ', check)).toBeUndefined();
  expect(seen).toEqual(['right', 'wrong']);
});
