import { expect, test } from 'vitest';
import { demandOwner, holderOf, ownedBy, roleIn, type Roles } from '../../../../src/domain/access/roles.js';

const ADA = 'ada-ada-ada-';
const given: Roles = { [`person:${ADA}`]: 'viewer', 'group:sales': 'developer', 'group:north': 'viewer' };

test('an account has the highest role that it or one of its groups was given', () => {
  expect(roleIn(given, { account: ADA })).toBe('viewer');
  expect(roleIn(given, { account: ADA, groups: ['north', 'sales'] })).toBe('developer');
  expect(roleIn(given, { account: 'bob-bob-bob-', groups: ['north'] })).toBe('viewer');
});

test('nobody else has a role', () => {
  expect(roleIn(given, { account: 'bob-bob-bob-', groups: ['south'] })).toBeUndefined();
  expect(roleIn(given, {})).toBeUndefined();
  expect(roleIn(given, { groups: ['sales'] })).toBeUndefined();
  expect(roleIn(undefined, { account: ADA })).toBeUndefined();
  expect(roleIn({}, { account: ADA, groups: ['constructor'] })).toBeUndefined();
});

test('a group with the name of an account does not have its role', () => {
  expect(roleIn({ [`person:${ADA}`]: 'owner' }, { account: 'x', groups: [ADA, `person:${ADA}`] })).toBeUndefined();
});

test('the person who makes an app owns it; what the admin token makes has no owner', () => {
  expect(ownedBy({ account: ADA })).toEqual({ roles: { [`person:${ADA}`]: 'owner' } });
  expect(ownedBy({})).toEqual({});
});

test('a key names its holder, whatever the name of a group has in it', () => {
  expect(holderOf('group:team/north:1')).toEqual({ kind: 'group', name: 'team/north:1' });
  expect(holderOf(`person:${ADA}`)).toEqual({ kind: 'person', name: ADA });
});

test('the last owner stays; an app without one may stay without', () => {
  const owned: Roles = { [`person:${ADA}`]: 'owner' };
  expect(() => demandOwner(owned, {}, 'shop')).toThrow('shop would have no owner. Make someone else an owner first.');
  expect(() => demandOwner(owned, { 'group:sales': 'owner' }, 'shop')).not.toThrow();
  expect(() => demandOwner({}, { 'group:sales': 'viewer' }, 'shop')).not.toThrow();
});
