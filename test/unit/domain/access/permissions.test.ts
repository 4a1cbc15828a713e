import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  appVerbs,
  permissionTable,
  rankMay,
  ranks,
  roleMay,
  serverVerbs,
} from '../../../../src/domain/access/permissions.js';
import { roles } from '../../../../src/domain/access/roles.js';

test('a higher role may do everything that a lower one may', () => {
  for (const verb of appVerbs) {
    const allowed = roles.map((role) => roleMay(role, verb));
    expect(allowed, verb).toEqual([...allowed].sort());
    expect(roleMay('owner', verb), verb).toBe(true);
    expect(roleMay(undefined, verb), verb).toBe(false);
  }
  for (const verb of serverVerbs) {
    const allowed = ranks.map((rank) => rankMay(rank, verb));
    expect(allowed, verb).toEqual([...allowed].sort());
    expect(rankMay('admin', verb), verb).toBe(true);
  }
});

describe('nobody may do more than was meant', () => {
  test('a viewer', () => {
    expect(appVerbs.filter((verb) => roleMay('viewer', verb))).toEqual(['open']);
  });

  test('a developer', () => {
    expect(appVerbs.filter((verb) => !roleMay('developer', verb))).toEqual(['access', 'delete']);
  });

  test('a member', () => {
    expect(serverVerbs.filter((verb) => rankMay('member', verb))).toEqual(['me', 'account', 'list', 'create']);
  });
});

test('docs/people.md has the table', () => {
  const docs = readFileSync(join(import.meta.dirname, '../../../../docs/people.md'), 'utf8');
  expect(docs).toContain(permissionTable());
});
