import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** How long (ms) a challenge is good: somebody may have to fetch their key. */
export const CHALLENGE_MS = 10 * 60_000;

/** How much of that (ms) must be left for a ticket to be handed out again. */
const FRESH_MS = 5 * 60_000;

const TICKET = /^([\w-]{22})\.([0-9a-z]{1,10})\.([\w-]{43})$/;

/**
 * Challenges for passkeys. Each is made from a ticket, which the browser keeps in a cookie, so that nothing is kept here of those that are
 * never answered; only what was used is remembered until it ends.
 */
export class Challenges {
  readonly #key = randomBytes(32);
  readonly #now: () => number;
  /** When each used ticket ends. */
  readonly #used = new Map<string, number>();

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** A ticket: one that a browser has, as long as it is fresh, so that several open pages work. */
  ticket(before: readonly string[] = []): string {
    const fresh = before.find((one) => (this.#endOf(one) ?? 0) - this.#now() > FRESH_MS);
    if (fresh !== undefined) return fresh;
    const body = `${randomBytes(16).toString('base64url')}.${(this.#now() + CHALLENGE_MS).toString(36)}`;
    return `${body}.${this.#sign(`ticket ${body}`)}`;
  }

  /** The challenge of a ticket, in base64url: another one for each purpose; undefined where it was forged, used or has ended. */
  challenge(ticket: string, purpose: string): string | undefined {
    return this.#endOf(ticket) === undefined ? undefined : this.#sign(`challenge ${ticket} ${purpose}`);
  }

  /** Uses a ticket up. @returns false where somebody else was faster, or it has ended */
  use(ticket: string): boolean {
    const end = this.#endOf(ticket);
    if (end === undefined) return false;
    for (const [old, until] of this.#used) if (until <= this.#now()) this.#used.delete(old);
    this.#used.set(ticket, end);
    return true;
  }

  /** When a ticket of ours ends, in ms since 1970; undefined where it is none, or no longer good. */
  #endOf(ticket: string): number | undefined {
    const [, random = '', time = '', mac = ''] = TICKET.exec(ticket) ?? [];
    const right = Buffer.from(this.#sign(`ticket ${random}.${time}`));
    if (mac.length !== right.length || !timingSafeEqual(Buffer.from(mac), right)) return undefined;
    const end = parseInt(time, 36);
    return end > this.#now() && !this.#used.has(ticket) ? end : undefined;
  }

  #sign(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('base64url');
  }
}
