import { expect, test } from 'vitest';
import { newTotpKey, totpCode, totpStep, totpUri } from '../../../../src/domain/access/totp.js';

/** "12345678901234567890" in base32, of https://www.rfc-editor.org/rfc/rfc6238#appendix-B */
const KEY = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

test.each([
  [59, '287082'],
  [1_111_111_109, '081804'],
  [1_234_567_890, '005924'],
  [20_000_000_000, '353130'],
])('at %i s, the code is that of the standard', (seconds, code) => {
  expect(totpCode(KEY, seconds * 1_000)).toBe(code);
  expect(totpStep(KEY, code, seconds * 1_000)).toBe(Math.floor(seconds / 30));
});

test('a code counts one step earlier and later, and no more', () => {
  const now = 1_111_111_109_000;
  const code = totpCode(KEY, now);
  const step = Math.floor(now / 30_000);
  expect([-60_000, -30_000, 0, 30_000, 60_000].map((off) => totpStep(KEY, code, now + off))).toEqual([
    undefined,
    step,
    step,
    step,
    undefined,
  ]);
});

test.each(['', '0', '28708', '2870820', '287082 ', 'abcdef', '２８７０８２', '\u0000287082'])(
  '%j is not a code',
  (text) => {
    expect(totpStep(KEY, text, 59_000)).toBeUndefined();
  },
);

test('a key has 160 bits, is another one each time, and its URI says whose it is', () => {
  const keys = new Set(Array.from({ length: 50 }, newTotpKey));
  expect(keys.size).toBe(50);
  for (const key of keys) expect(key).toMatch(/^[A-Z2-7]{32}$/);
  expect(totpUri(KEY, 'apps.example.com:8443', 'ada+x@example.com')).toBe(
    `otpauth://totp/apps.example.com%3A8443:ada%2Bx%40example.com?issuer=apps.example.com%3A8443&secret=${KEY}&algorithm=SHA1&digits=6&period=30`,
  );
});
