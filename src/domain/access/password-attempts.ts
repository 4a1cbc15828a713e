import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { Attempts } from './attempts.js';

/** Wrong passwords in a row for one account, wherever they come from, and how long (ms) it takes until one more is allowed. */
const ACCOUNT = { burst: 50, refillMs: 60_000 };

/** The longest email address that is counted by; a longer one is none. */
const MAX_EMAIL = 254;

/** A login with a password. */
export interface PasswordLogin {
  /** The visitor's address. */
  address: string;
  /** What was typed as the email address, whether or not there is such an account. */
  email: string;
  /** Names the browser, if the account has logged in with it before. */
  browser: string | undefined;
}

/**
 * Slows down guessing of passwords: for each address, and for each account. A browser that the account has logged in with before
 * has a budget of its own, so nobody keeps people from their account by guessing.
 */
export class PasswordAttempts {
  readonly #addresses: Attempts;
  readonly #accounts: Attempts;
  readonly #browsers: Attempts;

  /** @param addresses shared with what else is guessed */
  constructor(addresses: Attempts, now: () => number = Date.now) {
    this.#addresses = addresses;
    this.#accounts = new Attempts(now, ACCOUNT);
    this.#browsers = new Attempts(now);
  }

  /**
   * Counts a try before the password is looked at: of many that come at once, no more pass than of those that come one by one.
   * @returns what takes it back once it was right @throws TooManyAttempts
   */
  begin({ address, email, browser }: PasswordLogin): () => void {
    const account = email.trim().toLowerCase().slice(0, MAX_EMAIL);
    const counts: [Attempts, string][] =
      browser === undefined
        ? [
            [this.#addresses, address],
            [this.#accounts, account],
          ]
        : [[this.#browsers, browser]];
    for (const [attempts, what] of counts) attempts.demand(what);
    for (const [attempts, what] of counts) attempts.failed(what);
    return () => {
      for (const [attempts, what] of counts) attempts.right(what);
    };
  }

  /** How many accounts and browsers are remembered. */
  get size(): number {
    return this.#accounts.size + this.#browsers.size;
  }
}

/** Knows the browsers that accounts have logged in with, by what those keep in a cookie; nothing is stored here. */
export class KnownBrowsers {
  readonly #key: string;

  /** @param key a secret of the server's */
  constructor(key: string) {
    this.#key = key;
  }

  /** What a browser keeps once an account has logged in with it; it logs nobody in. */
  make(account: string): string {
    const name = randomBytes(16).toString('base64url');
    return `${name}.${this.#sign(name, account).toString('base64url')}`;
  }

  /** Returns the name of a browser, if this account has logged in with it. @param values what it keeps */
  nameOf(values: readonly string[], account: string): string | undefined {
    for (const value of values) {
      const [, name = '', signature = ''] = /^([\w-]{22})\.([\w-]{43})$/.exec(value) ?? [];
      const [sent, made] = [Buffer.from(signature, 'base64url'), this.#sign(name, account)];
      if (name !== '' && sent.length === made.length && timingSafeEqual(sent, made)) return name;
    }
    return undefined;
  }

  #sign(name: string, account: string): Buffer {
    return createHmac('sha256', this.#key).update(`${name} ${account}`).digest();
  }
}
