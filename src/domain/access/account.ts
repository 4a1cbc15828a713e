import { z } from 'zod';
import { Refusal } from '../../errors.js';
import { emailOf } from './email.js';
import type { Principal } from './principal.js';

/** Names of groups: words that are also safe in a header and on a command line. */
const GROUP = /^[a-z0-9][a-z0-9._:/@+-]{0,99}$/;

/** The most groups of one account. */
const MAX_GROUPS = 100;

const MAX_NAME = 100;

export const accountSchema = z.object({
  /** Never given to another account, so that apps may keep data under it. */
  id: z.string().regex(/^[\w-]{12}$/),
  /** The login name, in lower case. */
  email: z.string(),
  name: z.string(),
  /** True where the account may do everything. */
  admin: z.boolean(),
  groups: z.array(z.string()),
  disabled: z.boolean(),
  /** The hash of the password; not there = none was chosen yet. */
  password: z.string().optional(),
  /** Whom providers of OpenID Connect call this person; not there = nobody has logged in that way. */
  logins: z.array(z.object({ issuer: z.string(), subject: z.string() })).optional(),
  /** True where the person must have a second factor to log in with a password. */
  secondFactorRequired: z.boolean().optional(),
  /** ISO dates. */
  createdAt: z.string(),
  lastLoginAt: z.string().optional(),
});

/** A person who can log in. */
export type Account = z.infer<typeof accountSchema>;

/** What an admin can change of an account; omitted fields stay unchanged. */
export interface AccountChange {
  email?: string;
  name?: string;
  admin?: boolean;
  groups?: readonly string[];
  disabled?: boolean;
  secondFactorRequired?: boolean;
}

/** A new account, before its person has chosen a password. @param email in lower case */
export function newAccount(id: string, email: string, now: Date): Account {
  return { id, email, name: '', admin: false, groups: [], disabled: false, createdAt: now.toISOString() };
}

/** Who acts, where an account does. */
export function principalOf({ id, email, admin, groups }: Account): Principal {
  return { kind: 'person', name: email, account: id, admin, groups };
}

/** What an account is called on pages: its name or, without one, its e-mail address. */
export function titleOf({ name, email }: Pick<Account, 'name' | 'email'>): string {
  return name === '' ? email : name;
}

/** The account that a person means by its id or e-mail address. */
export function findAccount(accounts: readonly Account[], text: string): Account | undefined {
  const email = emailOf(text);
  return accounts.find((one) => one.id === text || one.email === email);
}

/** Returns a person's name, trimmed. @throws Refusal `person-name-invalid` */
export function parsePersonName(text: string): string {
  const name = text.trim();
  if (name.length <= MAX_NAME && !/[\p{Cc}\p{Cs}]/u.test(name)) return name;
  const sentence = `Use a name of at most ${MAX_NAME} characters without line breaks.`;
  throw new Refusal('invalid', 'person-name-invalid', sentence, { field: 'name' });
}

/** Returns groups in lower case, each once. @throws Refusal `group-invalid` */
export function parseGroups(texts: readonly string[]): string[] {
  const groups = [...new Set(texts.map(parseGroup))];
  if (groups.length <= MAX_GROUPS) return groups;
  throw new Refusal('invalid', 'groups-too-many', `An account can be in at most ${MAX_GROUPS} groups.`, {
    field: 'groups',
  });
}

/** Returns whether a text in lower case can be the name of a group. */
export function isGroup(text: string): boolean {
  return GROUP.test(text);
}

/** Returns whether a person has not logged in yet, and has chosen no password. */
export function isInvited({
  password,
  logins = [],
  lastLoginAt,
}: Pick<Account, 'password' | 'logins' | 'lastLoginAt'>): boolean {
  return password === undefined && logins.length === 0 && lastLoginAt === undefined;
}

/** Returns the name of a group in lower case. @throws Refusal `group-invalid` */
export function parseGroup(text: string): string {
  const group = text.trim().toLowerCase();
  if (isGroup(group)) return group;
  throw new Refusal(
    'invalid',
    'group-invalid',
    'A group has 1 to 100 letters, digits and characters of ._:/@+- without spaces, and starts with a letter or a digit.',
    { field: 'groups' },
  );
}

/**
 * Keeps at least one admin who can log in, once there has been one.
 * @param before all accounts
 * @param after the one that is to change, as it would be
 * @throws Refusal `last-admin`
 */
export function demandAdmin(before: readonly Account[], after: Account): void {
  const changed = before.map((one) => (one.id === after.id ? after : one));
  if (!before.some(isActiveAdmin) || changed.some(isActiveAdmin)) return;
  throw new Refusal(
    'conflict',
    'last-admin',
    `${titleOf(after)} is the only admin. Make another account an admin first.`,
  );
}

/** Returns whether this is an admin who can log in. */
export function isActiveAdmin(account: Account): boolean {
  return account.admin && !account.disabled && !isInvited(account);
}
