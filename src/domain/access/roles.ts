import { z } from 'zod';
import { Refusal } from '../../errors.js';
import type { Principal } from './principal.js';

/** What somebody is for one app, from the least to the most. */
export const roles = ['viewer', 'developer', 'owner'] as const;

/** What somebody may do with an app. */
export type Role = (typeof roles)[number];

/**
 * Who has which role in an app. A key is `person:` with the id of an account, or `group:` with the name of a group.
 */
export const rolesSchema = z.record(z.string().regex(/^(person:[\w-]{12}|group:\S+)$/), z.enum(roles));

/** The role of each holder: a person, by the id of the account, or a group. */
export type Roles = z.infer<typeof rolesSchema>;

/** The roles of a new app: who makes it owns it. What the admin token and the server make belongs to the admins. */
export function ownedBy({ account }: Pick<Principal, 'account'>): { roles?: Roles } {
  return account === undefined ? {} : { roles: { [personKey(account)]: 'owner' } };
}

/** The role that an account has by itself or by one of its groups: the highest of them. */
export function roleIn(
  given: Roles | undefined,
  { account, groups = [] }: Pick<Principal, 'account' | 'groups'>,
): Role | undefined {
  if (given === undefined || account === undefined) return undefined;
  const keys = [personKey(account), ...groups.map(groupKey)];
  const found = keys.flatMap((key) => (Object.hasOwn(given, key) ? (given[key] ?? []) : []));
  return roles.findLast((role) => found.includes(role));
}

/** The key of an account. */
export function personKey(account: string): string {
  return `person:${account}`;
}

/** The key of a group. */
export function groupKey(group: string): string {
  return `group:${group}`;
}

/** Whom a key stands for. */
export function holderOf(key: string): { kind: 'person' | 'group'; name: string } {
  const colon = key.indexOf(':');
  return { kind: key.startsWith('group:') ? 'group' : 'person', name: key.slice(colon + 1) };
}

/** Keeps an owner where there is one. @throws Refusal `last-owner` */
export function demandOwner(before: Roles, after: Roles, app: string): void {
  const owned = (given: Roles): boolean => Object.values(given).includes('owner');
  if (!owned(before) || owned(after)) return;
  throw new Refusal('conflict', 'last-owner', `${app} would have no owner. Make someone else an owner first.`);
}
