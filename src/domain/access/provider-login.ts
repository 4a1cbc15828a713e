import { Refusal } from '../../errors.js';
import { isActiveAdmin, isGroup, newAccount, parsePersonName, type Account } from './account.js';
import { emailOf } from './email.js';
import type { LoginRules, Provider } from './provider.js';

/** What a provider, or a proxy in front, says of a person, checked for its form alone. */
export interface Claims {
  issuer: string;
  /** Names the person at this issuer, for ever; undefined where nothing but the email address does. */
  subject: string | undefined;
  /** In lower case. */
  email: string | undefined;
  /** undefined where the provider does not say. */
  emailVerified: boolean | undefined;
  name: string | undefined;
  /** The groups that we can have; undefined where the provider was not asked. */
  groups: string[] | undefined;
}

/** Returns what we need of a provider's claims (https://openid.net/specs/openid-connect-core-1_0.html#StandardClaims). */
export function claimsOf(
  { groupsClaim }: Pick<Provider, 'groupsClaim'>,
  raw: Readonly<Record<string, unknown>>,
): Claims {
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
  // Some send "true".
  const verified = raw.email_verified === 'true' || raw.email_verified === true;
  return {
    issuer: text(raw.iss) ?? '',
    subject: text(raw.sub) ?? '',
    email: emailOf(text(raw.email) ?? ''),
    emailVerified: raw.email_verified === undefined ? undefined : verified,
    name: text(raw.name),
    groups: groupsClaim === undefined ? undefined : groupsOf(raw[groupsClaim]),
  };
}

/** The groups of a claim: a list, or one name. Spaces become dashes, and what we cannot have is left out. */
export function groupsOf(claim: unknown): string[] {
  const names = [claim].flat().flatMap((one) => (typeof one === 'string' ? one : []));
  const groups = names.map((name) => name.trim().toLowerCase().replace(/\s+/g, '-')).filter(isGroup);
  return [...new Set(groups)].slice(0, 100);
}

/**
 * Decides whom a login is for that a provider or a proxy has told us. A person is known by what the provider calls them, and at
 * their first login by their email address, if it has verified that: anybody can type the address of somebody else.
 * @param fresh the id of an account that may have to be made, and the time
 * @returns the account as it is after the login: an existing one, changed, or a new one
 * @throws Refusal `email-missing`, `email-unverified`, `login-not-allowed`, `not-invited`, `account-disabled`
 */
export function logInWith(
  provider: LoginRules,
  claims: Claims,
  accounts: readonly Account[],
  fresh: { id: string; now: Date },
): Account {
  const { issuer, subject } = claims;
  const isKnown = ({ logins = [] }: Account): boolean =>
    logins.some((one) => one.issuer === issuer && one.subject === subject);
  const known = accounts.find(isKnown);
  const email = demandAllowed(provider, claims, known !== undefined);
  const account = known ?? accounts.find((one) => one.email === email) ?? newOne(provider, email, fresh);
  if (account.disabled) {
    const sentence = `The account ${account.email} is disabled. Ask an admin of this server.`;
    throw new Refusal('conflict', 'account-disabled', sentence);
  }
  const isNew = known === undefined && subject !== undefined;
  const logins = isNew ? [...(account.logins ?? []), { issuer, subject }] : account.logins;
  const name = account.name === '' ? nameOf(claims) : account.name;
  const changed = {
    ...account,
    ...(logins === undefined ? {} : { logins }),
    name,
    lastLoginAt: fresh.now.toISOString(),
  };
  if (claims.groups === undefined) return changed;
  const { adminGroup } = provider;
  const admin = adminGroup === undefined ? account.admin : claims.groups.includes(adminGroup);
  // The last admin stays one.
  const stays = admin || !account.admin || accounts.some((one) => one.id !== account.id && isActiveAdmin(one));
  return { ...changed, groups: claims.groups, admin: stays ? admin : account.admin };
}

/** Returns the email address. @param known true for somebody who has logged in this way before */
function demandAllowed(provider: LoginRules, { email, emailVerified, groups }: Claims, known: boolean): string {
  const { name, domains, trustsEmail } = provider;
  if (email === undefined) {
    const sentence = `Your ${name} account has no email address. Ask an admin of ${name} to add one.`;
    throw new Refusal('forbidden', 'email-missing', sentence);
  }
  const counts = emailVerified === true || (emailVerified === undefined && trustsEmail);
  if (!counts && (!known || domains.length > 0)) {
    const sentence = `${name} has not verified your email address, ${email}. Verify it there, and log in again.`;
    throw new Refusal('forbidden', 'email-unverified', sentence);
  }
  const domain = email.slice(email.lastIndexOf('@') + 1);
  const inDomain = domains.length === 0 || domains.includes(domain);
  const inGroup = provider.groups.length === 0 || provider.groups.some((group) => groups?.includes(group));
  if (inDomain && inGroup) return email;
  const sentence = `Your ${name} account, ${email}, is not allowed on this server. Ask an admin of this server.`;
  throw new Refusal('forbidden', 'login-not-allowed', sentence);
}

function newOne({ creates }: LoginRules, email: string, { id, now }: { id: string; now: Date }): Account {
  if (creates) return newAccount(id, email, now);
  const sentence = `There is no account for ${email} on this server. Ask an admin to invite you.`;
  throw new Refusal('forbidden', 'not-invited', sentence);
}

/** The person's name, where it is one that we can have. */
function nameOf({ name = '' }: Claims): string {
  try {
    return parsePersonName(name);
  } catch (error) {
    if (error instanceof Refusal) return '';
    throw error;
  }
}
