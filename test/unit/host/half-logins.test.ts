import { beforeEach, expect, test } from 'vitest';
import { newAccount, type Account } from '../../../src/domain/access/account.js';
import { HalfLogins } from '../../../src/host/half-logins.js';

let account: Account;
let now: number;
let halves: HalfLogins;

beforeEach(() => {
  now = 1_000;
  account = { ...newAccount('a'.repeat(12), 'ada@example.com', new Date(0)), password: 'hash' };
  halves = new HalfLogins({ find: (id) => (id === account.id ? account : undefined) }, () => now);
});

test('one belongs to who has its id, works once, and ends after ten minutes', () => {
  const id = halves.begin(account.id, '/console/');
  expect(halves.find(id)).toEqual({ account, next: '/console/' });
  expect(halves.find(`${id}x`)).toBeUndefined();
  expect([halves.use(id), halves.use(id)]).toEqual([true, false]);
  expect(halves.find(id)).toBeUndefined();
  const late = halves.begin(account.id, '/console/');
  now += 10 * 60_000;
  expect(halves.find(late)).toBeUndefined();
});

test('one ends with five wrong codes', () => {
  const id = halves.begin(account.id, '/console/');
  for (let count = 0; count < 4; count += 1) halves.failed(id);
  expect(halves.find(id)).toBeDefined();
  halves.failed(id);
  expect(halves.find(id)).toBeUndefined();
  halves.failed(id);
});

test('one ends with the account and with its password', () => {
  const id = halves.begin(account.id, '/console/');
  const before = account;
  account = { ...before, password: 'another' };
  expect(halves.find(id)).toBeUndefined();
  account = { ...before, disabled: true };
  expect(halves.find(id)).toBeUndefined();
  account = { ...before, name: 'Ada' };
  expect(halves.find(id)).toBeDefined();
});

test('an account has at most twenty, the newest', () => {
  const ids = Array.from({ length: 21 }, () => halves.begin(account.id, '/console/'));
  expect(ids.filter((id) => halves.find(id) !== undefined)).toEqual(ids.slice(1));
});
