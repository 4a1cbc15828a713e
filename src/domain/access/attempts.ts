import { Refusal } from '../../errors.js';
import { networkOf } from './visitor.js';

/** What one address, or network of IPv6, may still try. */
interface Budget {
  left: number;
  /** When it was counted, ms. */
  at: number;
}

/** Wrong tokens in a row before an address has to wait. */
const BURST = 20;

/** How long it takes (ms) until one more attempt is allowed. */
const REFILL_MS = 3_000;

/** Addresses remembered; the one heard of longest ago is forgotten first. */
const MAX_ADDRESSES = 10_000;

/** Too many wrong passwords or tokens from one address. */
export class TooManyAttempts extends Refusal {
  /** seconds */
  readonly retryAfter: number;

  constructor(retryAfter: number) {
    super('unavailable', 'too-many-attempts', `Too many login attempts. Try again in ${retryAfter} seconds.`);
    this.retryAfter = retryAfter;
  }

  override get status(): number {
    return 429;
  }
}

/**
 * Slows down guessing of passwords, tokens and login codes. Only wrong ones are counted, and sessions that are open go on: a
 * guesser behind the same reverse proxy as everybody else locks the others out no longer than the guessing lasts.
 */
export class Attempts {
  readonly #budgets = new Map<string, Budget>();
  readonly #now: () => number;
  readonly #burst: number;
  readonly #refillMs: number;

  constructor(now: () => number = Date.now, { burst = BURST, refillMs = REFILL_MS } = {}) {
    this.#now = now;
    this.#burst = burst;
    this.#refillMs = refillMs;
  }

  /** @throws TooManyAttempts where the address has used up its budget */
  demand(address: string): void {
    const left = this.#left(address);
    if (left < 1) throw new TooManyAttempts(Math.ceil(((1 - left) * this.#refillMs) / 1_000));
  }

  /** Counts a wrong one. */
  failed(address: string): void {
    const left = Math.max(0, this.#left(address) - 1);
    const place = networkOf(address);
    this.#budgets.delete(place);
    this.#budgets.set(place, { left, at: this.#now() });
    if (this.#budgets.size > MAX_ADDRESSES) {
      for (const oldest of this.#budgets.keys()) {
        this.#budgets.delete(oldest);
        break;
      }
    }
  }

  /** Counts a wrong one, and says where there are too many. @throws TooManyAttempts */
  count(address: string): void {
    this.demand(address);
    this.failed(address);
  }

  /** Takes back one that was counted before it was looked at, and was right. */
  right(address: string): void {
    const budget = this.#budgets.get(networkOf(address));
    if (budget !== undefined) budget.left = Math.min(this.#burst, budget.left + 1);
  }

  /** How many addresses are remembered. */
  get size(): number {
    return this.#budgets.size;
  }

  #left(address: string): number {
    const budget = this.#budgets.get(networkOf(address));
    if (budget === undefined) return this.#burst;
    return Math.min(this.#burst, budget.left + Math.max(0, this.#now() - budget.at) / this.#refillMs);
  }
}
