import { describe, expect, test } from 'vitest';
import { newApp, type App } from '../../../../src/domain/app/app.js';
import { adminToken, system, type Principal } from '../../../../src/domain/access/principal.js';
import { Rights } from '../../../../src/domain/access/rights.js';

const person = (name: string, groups: string[] = []): Principal => ({
  kind: 'person',
  name,
  account: name.padEnd(12, '-'),
  admin: false,
  groups,
});
const shop: App = {
  ...newApp('shop', 'Shop', new Date(0)),
  roles: { 'person:ada---------': 'owner', 'group:sales': 'viewer' },
};
const preview: App = {
  ...newApp('shop--new', 'Shop', new Date(0)),
  roles: { 'person:eve---------': 'owner' },
  preview: { of: 'shop', branch: 'new', lastUsedAt: '' },
};
const old = newApp('old', 'Old', new Date(0));
const apps = new Map([shop, preview, old].map((app) => [app.id, app]));
const rights = new Rights({ find: (id) => apps.get(id) });

test('members create apps, unless the settings leave that to admins', () => {
  const closed = new Rights({ find: (id) => apps.get(id) }, { membersCreate: false });
  expect(rights.may(person('ada'), 'create')).toBe(true);
  expect(closed.may(person('ada'), 'create')).toBe(false);
  expect(() => closed.demand(person('ada'), 'create')).toThrow('Only an admin can do this.');
  expect([closed.may(adminToken('token'), 'create'), closed.may(person('ada'), 'list')]).toEqual([true, true]);
  expect(closed.may(person('ada'), 'push', shop)).toBe(true);
});

describe('an app', () => {
  test('is like one that does not exist to people without a role', () => {
    const refused = (id: string): unknown => {
      try {
        rights.demand(person('eve'), 'open', id);
      } catch (error) {
        return error;
      }
      return undefined;
    };
    expect(refused('shop')).toMatchObject({ code: 'app-not-found', message: 'There is no app "shop".' });
    expect(refused('none')).toMatchObject({ code: 'app-not-found', message: 'There is no app "none".' });
  });

  test('refuses what is beyond a role, and names the role that is needed', () => {
    const bob = person('bob', ['sales']);
    expect(() => rights.demand(bob, 'open', 'shop')).not.toThrow();
    expect(() => rights.demand(bob, 'push', 'shop')).toThrow(
      /You are a viewer of shop. Only its developers can do this/,
    );
    expect(() => rights.demand(bob, 'delete', 'shop')).toThrow(/Only its owners/);
    expect(() => rights.demand(person('ada'), 'delete', 'shop')).not.toThrow();
  });

  test('gives its roles to its previews, whatever those say themselves', () => {
    expect(rights.roleOf(person('ada'), preview)).toBe('owner');
    expect(rights.roleOf(person('eve'), preview)).toBeUndefined();
  });

  test('of an earlier version belongs to the admins', () => {
    expect(rights.may(person('ada'), 'open', old)).toBe(false);
    expect(rights.may({ ...person('ada'), admin: true }, 'delete', old)).toBe(true);
  });
});

test('admins, the admin token and the server may do everything', () => {
  for (const by of [adminToken('token'), adminToken('person'), system(), { ...person('ada'), admin: true }]) {
    expect(rights.may(by, 'server')).toBe(true);
    expect(rights.may(by, 'delete', shop)).toBe(true);
  }
});

test('members cannot do what is for admins, and are told so', () => {
  expect(() => rights.demand(person('ada'), 'people')).toThrow(/Only an admin can do this/);
  expect(() => rights.demand({ kind: 'person', name: 'x' }, 'server')).toThrow(/Only an admin/);
  expect(() => rights.demand(person('ada'), 'create')).not.toThrow();
});

test('an admin is told of an app that does not exist as well', () => {
  expect(() => rights.demand(adminToken('token'), 'open', 'none')).toThrow('There is no app "none".');
});

describe('an app opens', () => {
  const opening = (opens: 'signed-in' | 'people'): Rights => {
    const app: App = { ...shop, opens };
    return new Rights({ find: (id) => (id === 'shop' ? app : apps.get(id)) });
  };
  const visitors = [undefined, person('eve'), person('bob', ['sales']), person('ada'), adminToken('person')];
  const who = (which: Rights, app: App): boolean[] => visitors.map((by) => which.mayOpen(by, app));

  test('to everyone where nothing else was said, as before there were accounts', () => {
    expect(who(rights, old)).toEqual([true, true, true, true, true]);
    expect(rights.needsLogin('old')).toBe(false);
  });

  test('to everyone who is logged in', () => {
    const which = opening('signed-in');
    expect(who(which, { ...shop, opens: 'signed-in' })).toEqual([false, true, true, true, true]);
    expect(which.needsLogin('shop')).toBe(true);
    expect(which.needsLogin('none')).toBe(false);
  });

  test('to the people and groups with a role in it, and so do its previews', () => {
    const which = opening('people');
    for (const app of [{ ...shop, opens: 'people' as const }, preview])
      expect(who(which, app)).toEqual([false, false, true, true, true]);
    expect(which.needsLogin('shop--new')).toBe(true);
  });

  test('only to admins where it is a preview whose app is gone', () => {
    expect(who(new Rights({ find: () => undefined }), preview)).toEqual([false, false, false, false, true]);
  });
});
