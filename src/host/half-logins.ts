import { createHash, randomBytes } from 'node:crypto';
import type { Account } from '../domain/access/account.js';
import type { People } from './people.js';

/** How long (ms) somebody may take between their password and their second factor: they may have to find their phone. */
export const HALF_MS = 10 * 60_000;

/** How many wrong codes end it. */
const MAX_WRONG = 5;

/** How many there are at most of one account, and of all; the oldest is forgotten first. */
const MAX_OF_ACCOUNT = 20;
const MAX_ALL = 10_000;

interface HalfLogin {
  account: string;
  /** The hash of the password that was right; a new one ends this. */
  password: string | undefined;
  /** Where it leads to. */
  next: string;
  end: number;
  wrong: number;
}

/** Logins that lack the second factor. Each belongs to the browser that has its id in a cookie, and is used once. */
export class HalfLogins {
  readonly #people: Pick<People, 'find'>;
  readonly #now: () => number;
  /** By the hash of the id, the oldest first. */
  readonly #all = new Map<string, HalfLogin>();

  constructor(people: Pick<People, 'find'>, now: () => number = Date.now) {
    this.#people = people;
    this.#now = now;
  }

  /** Begins one for somebody whose password was right. @returns its id, for a cookie */
  begin(account: string, next: string): string {
    const end = this.#now() + HALF_MS;
    const id = randomBytes(32).toString('base64url');
    const before = [...this.#all].filter(([, one]) => one.account === account);
    for (const [hash] of before.slice(0, Math.max(0, before.length + 1 - MAX_OF_ACCOUNT))) this.#all.delete(hash);
    this.#all.set(hashOf(id), { account, password: this.#people.find(account)?.password, next, end, wrong: 0 });
    for (const [hash, one] of this.#all) {
      if (this.#all.size <= MAX_ALL && one.end > this.#now()) break;
      this.#all.delete(hash);
    }
    return id;
  }

  /** Whose login an id is; undefined where it has ended, or their password or account is not what it was. */
  find(id: string): { account: Account; next: string } | undefined {
    const found = this.#all.get(hashOf(id));
    if (found === undefined || found.end <= this.#now()) return undefined;
    const account = this.#people.find(found.account);
    if (account === undefined || account.disabled || account.password !== found.password) return undefined;
    return { account, next: found.next };
  }

  /** Counts a wrong code; after some, one has to begin again with the password. */
  failed(id: string): void {
    const hash = hashOf(id);
    const found = this.#all.get(hash);
    if (found === undefined) return;
    found.wrong += 1;
    if (found.wrong >= MAX_WRONG) this.#all.delete(hash);
  }

  /** Uses one up. @returns false where somebody else was faster */
  use(id: string): boolean {
    return this.#all.delete(hashOf(id));
  }
}

function hashOf(id: string): string {
  return createHash('sha256').update(id).digest('hex');
}
