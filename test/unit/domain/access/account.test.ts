import { describe, expect, test } from 'vitest';
import {
  demandAdmin,
  findAccount,
  newAccount,
  parseGroups,
  parsePersonName,
  principalOf,
  titleOf,
  type Account,
} from '../../../../src/domain/access/account.js';

const account = (id: string, facts: Partial<Account> = {}): Account => ({
  ...newAccount(id, `${id}@example.com`, new Date(0)),
  password: 'x',
  ...facts,
});

describe('the last admin', () => {
  const ada = account('ada', { admin: true });
  const bob = account('bob', { admin: true });

  test.each([{ admin: false }, { disabled: true }])('cannot be changed to %j', (change) => {
    expect(() => demandAdmin([ada, account('eve')], { ...ada, ...change })).toThrow(/only admin. Make another account/);
    expect(() => demandAdmin([ada, bob], { ...ada, ...change })).not.toThrow();
  });

  test.each([{ disabled: true }, { password: undefined }])('is still the last next to one with %j', (facts) => {
    const other: Account = { ...bob, ...facts };
    expect(() => demandAdmin([ada, other], { ...ada, admin: false })).toThrow(/only admin/);
  });

  test('is not asked for where there never was one', () => {
    expect(() => demandAdmin([account('eve')], account('eve', { disabled: true }))).not.toThrow();
  });
});

test('an account is found by its id and by its email address in any case', () => {
  const all = [account('ada'), account('bob')];
  expect(findAccount(all, 'ada')?.id).toBe('ada');
  expect(findAccount(all, ' BOB@Example.com')?.id).toBe('bob');
  expect(findAccount(all, 'eve@example.com')).toBeUndefined();
  expect(findAccount(all, '')).toBeUndefined();
});

test('an account acts under its email address, with its groups, and as an admin only if it is one', () => {
  expect(principalOf(account('ada', { groups: ['sales'] }))).toEqual({
    kind: 'person',
    name: 'ada@example.com',
    account: 'ada',
    admin: false,
    groups: ['sales'],
  });
});

test('an account without a name is called by its email address', () => {
  expect(titleOf(account('ada'))).toBe('ada@example.com');
  expect(titleOf(account('ada', { name: 'Ada' }))).toBe('Ada');
});

test('groups are stored in lower case, each once', () => {
  expect(parseGroups([' Sales', 'sales', 'team/North'])).toEqual(['sales', 'team/north']);
});

test.each(['', '-x', 'a b', 'a,b', 'ü', 'a\nb', 'x'.repeat(101)])('%j is not a group', (group) => {
  expect(() => parseGroups([group])).toThrow(/A group has/);
});

test('a name may have any letters, but no line breaks, and is not endless', () => {
  expect(parsePersonName('  Ada Løvelace 李 ')).toBe('Ada Løvelace 李');
  expect(() => parsePersonName('Ada\nLovelace')).toThrow(/without line breaks/);
  expect(() => parsePersonName('x'.repeat(101))).toThrow(/at most 100/);
});
