import {
  demandAdmin,
  isInvited,
  newAccount,
  parseGroups,
  parsePersonName,
  principalOf,
  titleOf,
  type Account,
  type AccountChange,
} from '../domain/access/account.js';
import { Attempts } from '../domain/access/attempts.js';
import type { Identity } from '../domain/access/identity.js';
import { parseEmail } from '../domain/access/email.js';
import type { Principal } from '../domain/access/principal.js';
import type { LoginRules } from '../domain/access/provider.js';
import { logInWith, type Claims } from '../domain/access/provider-login.js';
import { Refusal } from '../errors.js';
import type { Passwords } from '../store/passwords.js';
import type { Sessions } from '../store/sessions.js';
import type { Link, NewLink, Users } from '../store/users.js';

export interface PeopleOptions {
  users: Users;
  passwords: Passwords;
  sessions: Pick<Sessions, 'endOf'>;
}

/** A new account, and the link with which its person chooses a password. */
export interface Invited {
  account: Account;
  /** undefined where a password was given. */
  invitation: NewLink | undefined;
}

/** Invites people, changes their accounts, and logs them in. */
export class People {
  readonly #options: PeopleOptions;
  /** Guesses of the password of an account by who uses its session or its token, by account. */
  readonly #guesses = new Attempts();

  constructor(options: PeopleOptions) {
    this.#options = options;
  }

  /** All accounts, by e-mail address. */
  list(): Account[] {
    return this.#options.users.list();
  }

  /** @param user an id or an e-mail address @throws Refusal `user-not-found` */
  get(user: string): Account {
    return this.#options.users.get(user);
  }

  /** The account with this id. */
  find(id: string): Account | undefined {
    return this.#options.users.find(id);
  }

  /** The id of the account with an email address, as somebody types it. */
  idOf(email: string): string | undefined {
    const text = email.trim().toLowerCase();
    return this.#options.users.list().find((one) => one.email === text)?.id;
  }

  /** Who an account acts as; undefined where there is none, or it is disabled. */
  principal(id: string): Principal | undefined {
    const account = this.#options.users.find(id);
    return account === undefined || account.disabled ? undefined : principalOf(account);
  }

  /** Who apps are told that an account is. */
  identity(id: string): Identity | undefined {
    const account = this.#options.users.find(id);
    if (account === undefined || account.disabled) return undefined;
    return { id, email: account.email, name: titleOf(account), groups: account.groups };
  }

  /**
   * Adds an account. Without a password, its person chooses one with the link.
   * @throws Refusal `email-invalid`, `email-taken`, `group-invalid`, `groups-too-many`, `person-name-invalid`, `password-weak`
   */
  async add(
    input: { email: string; name?: string; admin?: boolean; groups?: readonly string[]; password?: string },
    by: Principal,
  ): Promise<Invited> {
    const { users } = this.#options;
    const email = parseEmail(input.email);
    const name = parsePersonName(input.name ?? '');
    const groups = parseGroups(input.groups ?? []);
    const password = input.password === undefined ? {} : { password: await this.#hash(input.password, email) };
    const facts = { name, groups, admin: input.admin ?? false, ...password };
    const account = await users.add((id, now) => ({ ...newAccount(id, email, now), ...facts }));
    const invitation =
      input.password === undefined ? await users.makeLink(account.id, 'invitation', by.name) : undefined;
    return { account, invitation };
  }

  /**
   * Changes an account. Its sessions end where it is disabled, or becomes or stops being an admin: a session never gains rights.
   * @throws Refusal `user-not-found`, `last-admin`, and those of `add`
   */
  async change(user: string, change: AccountChange): Promise<Account> {
    const { users, sessions } = this.#options;
    const before = users.get(user);
    const { name, email, groups, ...rest } = change;
    const facts = {
      ...rest,
      ...(name === undefined ? {} : { name: parsePersonName(name) }),
      ...(email === undefined ? {} : { email: parseEmail(email) }),
      ...(groups === undefined ? {} : { groups: parseGroups(groups) }),
    };
    const after = await users.update(before.id, (account, all) => {
      const changed = { ...account, ...facts };
      demandAdmin(all, changed);
      return changed;
    });
    if (after.disabled || after.admin !== before.admin) await sessions.endOf(after.id);
    return after;
  }

  /** Makes a new invitation for somebody who has not used theirs. @throws Refusal `user-not-found`, `already-joined`, `user-disabled` */
  async invite(user: string, by: Principal): Promise<NewLink> {
    const account = this.#demandEnabled(user);
    if (isInvited(account)) return this.#options.users.makeLink(account.id, 'invitation', by.name);
    const sentence = `${account.email} has joined already. Create a reset link if they forgot their password.`;
    throw new Refusal('conflict', 'already-joined', sentence);
  }

  /** Makes a link with which somebody chooses a new password; the old one works until then. @throws Refusal `user-not-found`, `user-disabled` */
  async reset(user: string, by: Principal): Promise<NewLink> {
    return this.#options.users.makeLink(this.#demandEnabled(user).id, 'reset', by.name);
  }

  /** The link with this code, and its account, as long as it works; otherwise who made it, where that is known. */
  link(code: string): { open: Account; kind: Link['kind'] } | { open: undefined; by: string | undefined } {
    const { users } = this.#options;
    const link = users.findLink(code);
    const account = link !== undefined && users.isOpen(link) ? users.find(link.account) : undefined;
    if (link === undefined || account === undefined) return { open: undefined, by: link?.by };
    return { open: account, kind: link.kind };
  }

  /**
   * Chooses a password with a link, which is used up by this. All sessions of the account end.
   * @throws Refusal `link-used`, `password-weak`, `person-name-invalid`
   */
  async join(code: string, input: { password: string; name?: string }): Promise<Principal> {
    const { users, sessions } = this.#options;
    const found = this.link(code);
    const name = input.name === undefined ? undefined : parsePersonName(input.name);
    const password = found.open === undefined ? '' : await this.#hash(input.password, found.open.email);
    const joined = await users.useLink(code, (account) => ({
      ...account,
      ...(name === undefined ? {} : { name }),
      password,
    }));
    await sessions.endOf(joined.id);
    return principalOf(joined);
  }

  /** Who an e-mail address and a password belong to; undefined where they are wrong. Takes the same time for all of them. */
  async logIn(email: string, password: string): Promise<Principal | undefined> {
    const { users, passwords } = this.#options;
    const text = email.trim().toLowerCase();
    const account = users.list().find((one) => one.email === text && !one.disabled);
    const { right, old } = await passwords.try(password, account?.password);
    if (account === undefined || !right) return undefined;
    // With today's cost, if that was raised since.
    const raised = old ? { password: await passwords.hash(password) } : {};
    // It may have been disabled, or given another password, in the meantime.
    let still = false;
    const after = await users.update(account.id, (one) => {
      still = !one.disabled && one.password === account.password;
      return still ? { ...one, ...raised } : one;
    });
    return still ? principalOf(after) : undefined;
  }

  /** Notes that somebody has logged in, with all that it takes. @throws Refusal `record-unreadable` */
  async loggedIn(id: string): Promise<void> {
    const now = new Date().toISOString();
    await this.#options.users.update(id, (one) => ({ ...one, lastLoginAt: now }));
  }

  /**
   * Logs somebody in whom a provider or a proxy has told us, with an account that is made now if need be. A session never gains rights: where
   * the provider makes somebody an admin, or no longer, the earlier ones end.
   * @throws Refusal as `logInWith` does, `record-unreadable`
   */
  async logInWith(provider: LoginRules, claims: Claims): Promise<Principal> {
    const { users, sessions } = this.#options;
    const { before, after } = await users.put((all, fresh) => logInWith(provider, claims, all, fresh));
    if (before !== undefined && before.admin !== after.admin) await sessions.endOf(after.id);
    return principalOf(after);
  }

  /**
   * Changes one's own name.
   * @throws Refusal `person-name-invalid`
   */
  async rename(id: string, name: string): Promise<Account> {
    return this.change(id, { name });
  }

  /**
   * Changes one's own password. All sessions of the account end but this one.
   * @param session the id of the session that stays
   * @throws Refusal `password-wrong`, `password-weak`, TooManyAttempts
   */
  async changePassword(id: string, old: string, password: string, session?: string): Promise<void> {
    const { users, sessions } = this.#options;
    const account = await this.demandPassword(id, old, 'current');
    const hash = await this.#hash(password, account.email);
    await users.update(id, (one) => ({ ...one, password: hash }));
    await sessions.endOf(id, session);
  }

  /**
   * Lets nobody go on who only has a session of an account, or a token, and not its password.
   * @param field the one that holds the password
   * @throws Refusal `password-wrong`, TooManyAttempts
   */
  async demandPassword(id: string, password: string, field: string): Promise<Account> {
    const account = this.#options.users.get(id);
    this.#guesses.demand(id);
    this.#guesses.failed(id);
    if (!(await this.#options.passwords.try(password, account.password)).right)
      throw new Refusal('forbidden', 'password-wrong', 'The current password is wrong.', { field });
    this.#guesses.right(id);
    return account;
  }

  async #hash(password: string, email: string): Promise<string> {
    this.#options.passwords.demandGood(password, email);
    return this.#options.passwords.hash(password);
  }

  #demandEnabled(user: string): Account {
    const account = this.#options.users.get(user);
    if (!account.disabled) return account;
    throw new Refusal('conflict', 'user-disabled', `The account ${account.email} is disabled. Enable it first.`);
  }
}
