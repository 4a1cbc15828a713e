import { expect, test } from 'vitest';
import { looksLikeRecoveryCode, newRecoveryCodes, recoveryHash } from '../../../../src/domain/access/recovery-codes.js';

test('there are ten, each is another one, and all letters occur', () => {
  const codes = Array.from({ length: 40 }, newRecoveryCodes).flat();
  expect(codes).toHaveLength(400);
  expect(new Set(codes).size).toBe(400);
  for (const code of codes) expect(code).toMatch(/^[2-9a-hjkmnp-z]{4}(-[2-9a-hjkmnp-z]{4}){3}$/);
  expect(new Set(codes.join('').replaceAll('-', '')).size).toBe(31);
});

test('a code is the same however it is typed, and no app shows one like it', () => {
  const [code = ''] = newRecoveryCodes();
  for (const typed of [code, code.toUpperCase(), code.replaceAll('-', ''), ` ${code.replaceAll('-', ' ')} `]) {
    expect(recoveryHash(typed)).toBe(recoveryHash(code));
    expect(looksLikeRecoveryCode(typed)).toBe(true);
  }
  expect(recoveryHash(code)).not.toBe(recoveryHash(newRecoveryCodes()[0] ?? ''));
  expect(looksLikeRecoveryCode('123 456')).toBe(false);
});
