import { expect, test } from 'vitest';
import { Attempts, TooManyAttempts } from '../../../../src/domain/access/attempts.js';

test('an address has to wait after twenty wrong tokens, and others do not', () => {
  const attempts = new Attempts(() => 0);
  for (let i = 0; i < 20; i += 1) {
    attempts.demand('10.0.0.1');
    attempts.failed('10.0.0.1');
  }
  expect(() => attempts.demand('10.0.0.1')).toThrow(TooManyAttempts);
  expect(() => attempts.demand('10.0.0.2')).not.toThrow();
});

test('one more attempt is allowed after the time in the refusal', () => {
  let now = 0;
  const attempts = new Attempts(() => now);
  for (let i = 0; i < 20; i += 1) attempts.failed('a');
  let refusal: unknown;
  try {
    attempts.demand('a');
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toMatchObject({ status: 429, code: 'too-many-attempts', retryAfter: 3 });
  now = 3_000;
  expect(() => attempts.demand('a')).not.toThrow();
  attempts.failed('a');
  expect(() => attempts.demand('a')).toThrow(TooManyAttempts);
});

test('only a limited number of addresses is remembered', () => {
  const attempts = new Attempts(() => 0);
  for (let i = 0; i < 10_050; i += 1) attempts.failed(`address ${i}`);
  expect(attempts.size).toBe(10_000);
});

test('a client cannot guess more by taking another address of its IPv6 network', () => {
  const attempts = new Attempts(() => 0);
  for (let i = 0; i < 20; i += 1) attempts.failed(`2001:db8:1:2::${i.toString(16)}`);
  expect(() => attempts.demand('2001:db8:1:2:3:4:5:6')).toThrow(TooManyAttempts);
  expect(() => attempts.demand('2001:db8:1:3::1')).not.toThrow();
});
