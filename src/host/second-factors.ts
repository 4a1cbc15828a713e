import type { Account } from '../domain/access/account.js';
import { Attempts } from '../domain/access/attempts.js';
import { looksLikeRecoveryCode, newRecoveryCodes, recoveryHash } from '../domain/access/recovery-codes.js';
import {
  hasFactor,
  MAX_PASSKEYS,
  noFactors,
  tidied,
  type Factors,
  type Passkey,
} from '../domain/access/second-factor.js';
import { newTotpKey, totpStep } from '../domain/access/totp.js';
import { Refusal } from '../errors.js';
import type { SealedList } from '../store/sealed-list.js';
import type { Sessions } from '../store/sessions.js';
import { MACHINE } from '../store/vault.js';
import type { People } from './people.js';

/** How long (ms) a key that was shown can be confirmed. */
const SET_UP_MS = 15 * 60_000;

/** How many keys wait to be confirmed; the oldest is forgotten first. */
const MAX_PENDING = 10_000;

/** Wrong codes of one account in a row, and how long (ms) it takes until one more is allowed: a code has only six digits. */
const GUESSES = { burst: 10, refillMs: 5 * 60_000 };

export interface SecondFactorsOptions {
  /** Encrypted. */
  list: Pick<SealedList<Factors>, 'of' | 'change'>;
  people: Pick<People, 'get' | 'demandPassword'>;
  sessions: Pick<Sessions, 'endOf'>;
  /** True where everyone needs a second factor. */
  required: boolean;
  now?: () => number;
}

/** What a login with a password still needs. */
export type Needed = 'nothing' | 'factor' | 'set-up';

/**
 * The second factors of accounts: an app for codes, passkeys and recovery codes. They belong to accounts with a password, and are
 * asked for after it.
 */
export class SecondFactors {
  readonly #options: SecondFactorsOptions;
  readonly #now: () => number;
  /** Guesses of codes, by account. */
  readonly #guesses: Attempts;
  /** Keys that were shown and not confirmed yet, by the session or the login that they were shown to, and by nobody else. */
  readonly #pending = new Map<string, { account: string; key: string; end: number }>();

  constructor(options: SecondFactorsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#guesses = new Attempts(this.#now, GUESSES);
  }

  /** Those of an account. @throws Refusal those of the vault */
  async of(account: string): Promise<Factors> {
    const all = await this.#options.list.of(MACHINE);
    return all.find(({ id }) => id === account) ?? noFactors(account);
  }

  /** Returns whether any account has a passkey. @throws Refusal those of the vault */
  async anyPasskey(): Promise<boolean> {
    return (await this.#options.list.of(MACHINE)).some(({ passkeys }) => passkeys.length > 0);
  }

  /** Returns whether an account must have a second factor to log in with its password. */
  isRequired({ secondFactorRequired = false }: Pick<Account, 'secondFactorRequired'>): boolean {
    return this.#options.required || secondFactorRequired;
  }

  /** What somebody still needs whose password was right. @throws Refusal those of the vault */
  async neededBy(account: string): Promise<Needed> {
    if (hasFactor(await this.of(account))) return 'factor';
    return this.isRequired(this.#options.people.get(account)) ? 'set-up' : 'nothing';
  }

  /**
   * Makes a key for an app for codes, which counts once a code has confirmed it; until then, an earlier one does.
   * @param place the session that it is shown to
   * @throws Refusal `password-missing`, `password-wrong`, TooManyAttempts
   */
  async setUp(account: string, place: string, password: string): Promise<string> {
    await this.demandOwner(account, password);
    return this.#offer(account, place);
  }

  /** The same for somebody who must have a second factor, and has just given their password. @throws Refusal `second-factor-there` */
  async setUpAtLogin(account: string, place: string): Promise<string> {
    if (hasFactor(await this.of(account))) throw alreadyThere();
    return this.pendingKey(account, place) ?? this.#offer(account, place);
  }

  /** The key that was shown there and not confirmed yet. */
  pendingKey(account: string, place: string): string | undefined {
    const found = this.#pending.get(place);
    return found?.account === account && found.end > this.#now() ? found.key : undefined;
  }

  /**
   * Takes the key that was shown, now that a code shows that an app has it. The other sessions of the account end.
   * @param options.session the id of the session that stays
   * @param options.first true where there must be no other factor: of two who log in at once, the first one decides
   * @returns new recovery codes, in place of earlier ones
   * @throws Refusal `set-up-expired`, `second-factor-wrong`, `second-factor-there`
   */
  async confirm(
    account: string,
    place: string,
    code: string,
    options: { session?: string | undefined; first?: boolean } = {},
  ): Promise<string[]> {
    const key = this.pendingKey(account, place);
    if (key === undefined)
      throw new Refusal('conflict', 'set-up-expired', 'This key has expired. Set up the app for codes again.');
    const now = this.#now();
    const step = totpStep(key, digitsOf(code), now);
    if (step === undefined) throw wrongCode();
    const codes = newRecoveryCodes();
    await this.#change(account, (before) => {
      if (options.first === true && hasFactor(before)) throw alreadyThere();
      return { ...before, totp: { key, since: now, lastStep: step }, recovery: codes.map(recoveryHash) };
    });
    this.#pending.delete(place);
    await this.#options.sessions.endOf(account, options.session);
    return codes;
  }

  /**
   * Looks at a code of the app, or a recovery code. Either is good once.
   * @returns which it was; undefined where it is wrong
   * @throws TooManyAttempts, Refusal those of the vault
   */
  async check(account: string, code: string): Promise<'code' | 'recovery code' | undefined> {
    // Nobody guesses one of these, so they work where somebody else has used up the guesses of codes.
    if (looksLikeRecoveryCode(code)) return (await this.#useRecovery(account, code)) ? 'recovery code' : undefined;
    // Counted before it is looked at: of many that come at once, no more pass than of those that come one by one.
    this.#guesses.demand(account);
    this.#guesses.failed(account);
    let right = false;
    await this.#change(account, (before) => {
      const { totp } = before;
      const step = totp === undefined ? undefined : totpStep(totp.key, digitsOf(code), this.#now());
      // Somebody may have seen a code that was used.
      if (totp === undefined || step === undefined || step <= totp.lastStep) return before;
      right = true;
      return { ...before, totp: { ...totp, lastStep: step } };
    });
    if (right) this.#guesses.right(account);
    return right ? 'code' : undefined;
  }

  /** Makes new recovery codes; the earlier ones no longer work. @throws Refusal `second-factor-missing`, and as `setUp` does */
  async renewCodes(account: string, password: string): Promise<string[]> {
    await this.demandOwner(account, password);
    const codes = newRecoveryCodes();
    await this.#change(account, (before) => {
      if (!hasFactor(before))
        throw new Refusal('conflict', 'second-factor-missing', 'Your account has no second factor. Set one up first.');
      return { ...before, recovery: codes.map(recoveryHash) };
    });
    return codes;
  }

  /** Removes the app for codes. @throws Refusal `second-factor-required`, and as `setUp` does */
  async removeTotp(account: string, password: string): Promise<void> {
    await this.demandOwner(account, password);
    await this.#change(account, ({ totp: _, ...rest }) => this.#demandLeft(account, tidied(rest)));
  }

  /** Removes a passkey. @throws Refusal `passkey-not-found`, `second-factor-required`, and as `setUp` does */
  async removePasskey(account: string, passkey: string, password: string): Promise<void> {
    await this.demandOwner(account, password);
    await this.#change(account, (before) => {
      const passkeys = before.passkeys.filter(({ id }) => id !== passkey);
      if (passkeys.length === before.passkeys.length)
        throw new Refusal('not-found', 'passkey-not-found', `There is no passkey "${passkey}".`);
      return this.#demandLeft(account, tidied({ ...before, passkeys }));
    });
  }

  /**
   * Adds a passkey. The other sessions of the account end.
   * @param options as for `confirm`
   * @returns recovery codes, if this is the first factor
   * @throws Refusal `passkeys-too-many`, `passkey-taken`, `second-factor-there`
   */
  async addPasskey(
    account: string,
    passkey: Passkey,
    options: { session?: string | undefined; first?: boolean } = {},
  ): Promise<string[] | undefined> {
    const codes = newRecoveryCodes();
    let first = false;
    const { list, sessions } = this.#options;
    await list.change(MACHINE, (all) => {
      const before = all.find(({ id }) => id === account) ?? noFactors(account);
      first = !hasFactor(before);
      if (options.first === true && !first) throw alreadyThere();
      if (before.passkeys.length >= MAX_PASSKEYS) {
        const sentence = `An account can have at most ${MAX_PASSKEYS} passkeys. Remove one first.`;
        throw new Refusal('conflict', 'passkeys-too-many', sentence);
      }
      if (all.some(({ passkeys }) => passkeys.some(({ credential }) => credential === passkey.credential)))
        throw new Refusal('conflict', 'passkey-taken', 'This passkey is registered already.');
      const recovery = first ? codes.map(recoveryHash) : before.recovery;
      const after = { ...before, passkeys: [...before.passkeys, passkey], recovery };
      return [...all.filter(({ id }) => id !== account), after];
    });
    await sessions.endOf(account, options.session);
    return first ? codes : undefined;
  }

  /** Whose passkey has this credential. @throws Refusal those of the vault */
  async withCredential(credential: string): Promise<{ account: string; passkey: Passkey } | undefined> {
    for (const { id, passkeys } of await this.#options.list.of(MACHINE)) {
      const passkey = passkeys.find((one) => one.credential === credential);
      if (passkey !== undefined) return { account: id, passkey };
    }
    return undefined;
  }

  /** Notes that a passkey was used, and what its authenticator has counted. */
  async passkeyUsed(account: string, passkey: string, counter: number): Promise<void> {
    await this.#change(account, (before) => ({
      ...before,
      passkeys: before.passkeys.map((one) => (one.id === passkey ? { ...one, counter, lastUsedAt: this.#now() } : one)),
    }));
  }

  /** Removes all factors of an account, whose sessions end. @throws Refusal `user-not-found`, those of the vault */
  async reset(user: string): Promise<Account> {
    const account = this.#options.people.get(user);
    await this.#change(account.id, () => noFactors(account.id));
    await this.#options.sessions.endOf(account.id);
    return account;
  }

  /**
   * Lets nobody change the factors of an account who only has a session of it.
   * @throws Refusal `password-missing`, `password-wrong`, TooManyAttempts
   */
  async demandOwner(account: string, password: string): Promise<void> {
    this.demandPasswordSet(account);
    await this.#options.people.demandPassword(account, password, 'factor-password');
  }

  /** Second factors come after a password. @throws Refusal `password-missing` */
  demandPasswordSet(account: string): void {
    if (this.#options.people.get(account).password !== undefined) return;
    const sentence =
      'Your account has no password. Second factors come after a password; the provider that you log in with has its own.';
    throw new Refusal('conflict', 'password-missing', sentence);
  }

  /** @throws Refusal `second-factor-required` */
  #demandLeft(account: string, after: Factors): Factors {
    if (hasFactor(after) || !this.isRequired(this.#options.people.get(account))) return after;
    const sentence = 'Your account must have a second factor. Set up another one before you remove this one.';
    throw new Refusal('conflict', 'second-factor-required', sentence);
  }

  #offer(account: string, place: string): string {
    const key = newTotpKey();
    this.#pending.delete(place);
    this.#pending.set(place, { account, key, end: this.#now() + SET_UP_MS });
    for (const [oldest] of this.#pending) {
      if (this.#pending.size <= MAX_PENDING) break;
      this.#pending.delete(oldest);
    }
    return key;
  }

  async #useRecovery(account: string, code: string): Promise<boolean> {
    const hash = recoveryHash(code);
    let found = false;
    await this.#change(account, (before) => {
      const recovery = before.recovery.filter((one) => one !== hash);
      found = recovery.length < before.recovery.length;
      return found ? { ...before, recovery } : before;
    });
    return found;
  }

  async #change(account: string, make: (before: Factors) => Factors): Promise<void> {
    await this.#options.list.change(MACHINE, (all) => {
      const before = all.find(({ id }) => id === account) ?? noFactors(account);
      const after = make(before);
      if (after === before) return all;
      const others = all.filter(({ id }) => id !== account);
      return hasFactor(after) ? [...others, after] : others;
    });
  }
}

function digitsOf(code: string): string {
  return code.replace(/\s+/g, '');
}

/** What is said of a code that does not count. */
export function wrongCode(): Refusal {
  const sentence = 'Wrong code. Enter the one that your app shows now; each works once.';
  return new Refusal('forbidden', 'second-factor-wrong', sentence, { field: 'code' });
}

function alreadyThere(): Refusal {
  const sentence = 'Your account has a second factor already. Log in with it.';
  return new Refusal('conflict', 'second-factor-there', sentence);
}
