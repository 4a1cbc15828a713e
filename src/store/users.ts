import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { accountSchema, findAccount, type Account } from '../domain/access/account.js';
import { Refusal } from '../errors.js';
import type { Paths } from './paths.js';
import { RecordFile } from './record-file.js';

/** How long an invitation or a reset link works (ms). */
export const LINK_MS = 72 * 3_600_000;

/** How long a used or expired link is remembered (ms), to tell its holder whom to ask. */
const REMEMBERED_MS = 30 * 24 * 3_600_000;

const linkSchema = z.object({
  /** sha256 of the code; the code itself is in the link and nowhere else. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  account: z.string(),
  kind: z.enum(['invitation', 'reset']),
  /** Who made it, as records show it. */
  by: z.string(),
  /** ms since 1970. */
  expiresAt: z.number(),
  used: z.boolean(),
});

const fileSchema = z.object({ accounts: z.array(accountSchema), links: z.array(linkSchema) });

/** A link with which a person chooses a password, once. */
export type Link = z.infer<typeof linkSchema>;

type Content = z.infer<typeof fileSchema>;

/** A new link: only here is its code. */
export interface NewLink {
  code: string;
  expiresAt: Date;
}

/**
 * The accounts and their links, in `users.json`. Neither a password nor the code of a link can be read from the file.
 */
export class Users {
  readonly #record: RecordFile<Content>;
  readonly #now: () => number;
  /** The accounts by their ids, as long as they are the same ones. */
  #byId: { accounts: readonly Account[]; map: ReadonlyMap<string, Account> } | undefined;

  private constructor(record: RecordFile<Content>, now: () => number) {
    this.#record = record;
    this.#now = now;
  }

  /** The accounts that the data folder holds. @param warn called with what could not be read */
  static async open(
    { users: file, lastUsers: last }: Pick<Paths, 'users' | 'lastUsers'>,
    warn: (sentence: string) => void,
    now: () => number = Date.now,
  ): Promise<Users> {
    const record = await RecordFile.open<Content>({
      ...{ file, last, warn },
      schema: fileSchema,
      empty: { accounts: [], links: [] },
      what: 'the accounts',
      without: 'nobody can log in with an account',
    });
    return new Users(record, now);
  }

  /** All accounts, by e-mail address. */
  list(): Account[] {
    return [...this.#record.content.accounts].sort((a, b) => (a.email < b.email ? -1 : 1));
  }

  /** The account with this id. */
  find(id: string): Account | undefined {
    // With every request of somebody who is logged in.
    const { accounts } = this.#record.content;
    if (this.#byId?.accounts !== accounts)
      this.#byId = { accounts, map: new Map(accounts.map((one) => [one.id, one])) };
    return this.#byId.map.get(id);
  }

  /** The account that a person means by its id or e-mail address. @throws Refusal `user-not-found` */
  get(text: string): Account {
    const account = findAccount(this.#record.content.accounts, text);
    if (account !== undefined) return account;
    throw new Refusal('not-found', 'user-not-found', `There is no account "${text}".`);
  }

  /** Adds an account. @throws Refusal `email-taken` */
  async add(make: (id: string, now: Date) => Account): Promise<Account> {
    return this.#record.change((content) => {
      const account = make(newId(), new Date(this.#now()));
      demandFree(content.accounts, account);
      return [{ ...content, accounts: [...content.accounts, account] }, account];
    });
  }

  /**
   * Changes an account. The change is computed from the newest state, in its turn.
   * @throws Refusal `user-not-found`, `email-taken`, and whatever the change throws
   */
  async update(id: string, change: (account: Account, all: readonly Account[]) => Account): Promise<Account> {
    return this.#record.change((content) => {
      const before = this.get(id);
      const after = change(before, content.accounts);
      demandFree(content.accounts, after);
      return [{ ...content, accounts: content.accounts.map((one) => (one.id === before.id ? after : one)) }, after];
    });
  }

  /**
   * Adds an account or changes one, as decided by the newest state, in its turn.
   * @param decide with an id and a time for an account that is new
   * @throws Refusal `email-taken`, and whatever decides throws
   */
  async put(
    decide: (all: readonly Account[], fresh: { id: string; now: Date }) => Account,
  ): Promise<{ before: Account | undefined; after: Account }> {
    return this.#record.change((content) => {
      const after = decide(content.accounts, { id: newId(), now: new Date(this.#now()) });
      demandFree(content.accounts, after);
      const before = this.find(after.id);
      const others = content.accounts.filter((one) => one.id !== after.id);
      return [
        { ...content, accounts: [...others, after] },
        { before, after },
      ];
    });
  }

  /** Makes a link for an account; its earlier ones no longer work. */
  async makeLink(account: string, kind: Link['kind'], by: string): Promise<NewLink> {
    const code = randomBytes(24).toString('base64url');
    const expiresAt = this.#now() + LINK_MS;
    return this.#record.change((content) => {
      const oldest = this.#now() - REMEMBERED_MS;
      const kept = content.links.filter((one) => one.account !== account && one.expiresAt > oldest);
      const link: Link = { hash: hashOf(code), account, kind, by, expiresAt, used: false };
      return [
        { ...content, links: [...kept, link] },
        { code, expiresAt: new Date(expiresAt) },
      ];
    });
  }

  /** The link with this code, also if it no longer works; undefined where there never was one, or it was replaced. */
  findLink(code: string): Link | undefined {
    const hash = hashOf(code);
    return this.#record.content.links.find((one) => one.hash === hash);
  }

  /** True while a link works. */
  isOpen({ used, expiresAt, account }: Link): boolean {
    return !used && expiresAt > this.#now() && this.find(account)?.disabled === false;
  }

  /**
   * Uses a link up, and changes its account in the same write: of two who come at once, one is refused.
   * @throws Refusal `link-used`
   */
  async useLink(code: string, change: (account: Account) => Account): Promise<Account> {
    return this.#record.change((content) => {
      const link = this.findLink(code);
      const account = link === undefined || !this.isOpen(link) ? undefined : this.find(link.account);
      if (link === undefined || account === undefined)
        throw new Refusal('conflict', 'link-used', 'This link has expired or was already used.');
      const after = change(account);
      const accounts = content.accounts.map((one) => (one.id === after.id ? after : one));
      const links = content.links.map((one) => (one === link ? { ...one, used: true } : one));
      return [{ accounts, links }, after];
    });
  }
}

function newId(): string {
  return randomBytes(9).toString('base64url');
}

/** @throws Refusal `email-taken` */
function demandFree(accounts: readonly Account[], { id, email }: Account): void {
  if (!accounts.some((one) => one.email === email && one.id !== id)) return;
  throw new Refusal('conflict', 'email-taken', `There is already an account for ${email}.`, { field: 'email' });
}

function hashOf(code: string): string {
  return createHash('sha256').update(code).digest('hex');
}
