import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { PREFIX, tokenSchema, type Token } from '../domain/access/tokens.js';
import { Refusal } from '../errors.js';
import { newEntryId } from '../lib/entry-id.js';
import type { Paths } from './paths.js';
import { RecordFile } from './record-file.js';

/** How long a revoked or expired token is remembered (ms), to tell its holder why it is refused. */
const REMEMBERED_MS = 30 * 24 * 3_600_000;

/** How old (ms) the time of last use on disk may be: not every request is worth a write. */
const USED_MS = 3_600_000;

/** The most tokens of one account or app, without those of CI jobs; and the most of those. */
const MAX_TOKENS = 100;
const MAX_CI_TOKENS = 200;

const fileSchema = z.object({ tokens: z.array(tokenSchema) });

/** What a new token is made of. */
export type TokenFacts = Pick<Token, 'name' | 'of' | 'scope' | 'apps' | 'expiresAt' | 'ci'>;

/** The tokens of people and apps, in `tokens.json`, as hashes. */
export class Tokens {
  readonly #record: RecordFile<{ tokens: Token[] }>;
  readonly #warn: (sentence: string) => void;
  readonly #now: () => number;

  #noting: Promise<void> = Promise.resolve();

  private constructor(
    record: RecordFile<{ tokens: Token[] }>,
    { warn, now }: { warn: (sentence: string) => void; now: () => number },
  ) {
    this.#record = record;
    this.#warn = warn;
    this.#now = now;
  }

  /** The tokens that the data folder holds. @param warn called with what could not be read or written */
  static async open(
    { tokens: file, lastTokens: last }: Pick<Paths, 'tokens' | 'lastTokens'>,
    warn: (sentence: string) => void,
    now: () => number = Date.now,
  ): Promise<Tokens> {
    const record = await RecordFile.open({
      ...{ file, last, warn },
      schema: fileSchema,
      empty: { tokens: [] },
      what: 'the tokens',
      without: 'no token but the admin token works',
    });
    return new Tokens(record, { warn, now });
  }

  /** All tokens, the newest first. */
  list(): Token[] {
    return this.#record.content.tokens.toReversed();
  }

  /** Makes a token. @returns the token itself, which is nowhere else @throws Refusal `tokens-too-many`, `ci-token-used`, `ci-jobs-too-many` */
  async make(facts: TokenFacts): Promise<{ token: Token; secret: string }> {
    const prefix = 'account' in facts.of ? PREFIX.personal : PREFIX.deploy;
    const secret = prefix + randomBytes(32).toString('base64url');
    const now = this.#now();
    const token: Token = {
      ...facts,
      id: newEntryId(),
      hash: hashOf(secret),
      hint: secret.slice(0, 8),
      createdAt: now,
    };
    return this.#record.change(({ tokens }) => {
      const kept = tokens.filter((one) => neededUntil(one) > now);
      demandRoom(kept, token);
      return [{ tokens: [...kept, token] }, { token, secret }];
    });
  }

  /** Ends tokens for good; fine where they have ended. */
  async revoke(which: (token: Token) => boolean): Promise<void> {
    const now = this.#now();
    if (!this.#record.content.tokens.some((one) => which(one) && one.revokedAt === undefined)) return;
    await this.#record.change(({ tokens }) => [
      { tokens: tokens.map((one) => (which(one) ? { ...one, revokedAt: one.revokedAt ?? now } : one)) },
      undefined,
    ]);
  }

  /** Finds a token by the secret itself. */
  find(secret: string): Token | undefined {
    const hash = hashOf(secret);
    return this.#record.content.tokens.find((one) => one.hash === hash);
  }

  /** Resolves when all that happened is on disk. */
  async written(): Promise<void> {
    await this.#noting;
  }

  /** Remembers that a token was used just now. */
  used({ id, lastUsedAt = 0 }: Token): void {
    const now = this.#now();
    if (now - lastUsedAt < USED_MS) return;
    this.#noting = this.#record
      .change(({ tokens }) => [
        { tokens: tokens.map((one) => (one.id === id ? { ...one, lastUsedAt: now } : one)) },
        undefined,
      ])
      .catch((error: unknown) => this.#warn(`cannot write down that a token was used: ${String(error)}`));
  }
}

/** Until when (ms) a token is remembered: of a CI job no longer than it or what it got it with works, as there is one for each job. */
function neededUntil({ ci, revokedAt, expiresAt }: Token): number {
  if (ci !== undefined) return Math.max(expiresAt, ci.proofUntil);
  return (revokedAt ?? expiresAt) + REMEMBERED_MS;
}

/** @throws Refusal `tokens-too-many`, `ci-token-used`, `ci-jobs-too-many` */
function demandRoom(kept: readonly Token[], token: Token): void {
  const { ci } = token;
  // For any app: a job asks for a proof for each app.
  if (ci !== undefined && kept.some((one) => one.ci?.proof === ci.proof)) {
    const sentence = 'This ID token was used before, and each works once. Request another one in the job.';
    throw new Refusal('forbidden', 'ci-token-used', sentence);
  }
  const many = kept.filter((one) => sameOwner(one, token) && (one.ci === undefined) === (ci === undefined)).length;
  if (ci === undefined && many >= MAX_TOKENS) {
    const sentence = `There can be ${MAX_TOKENS} tokens. Revoke some that are not used.`;
    throw new Refusal('conflict', 'tokens-too-many', sentence);
  }
  if (ci !== undefined && many >= MAX_CI_TOKENS) {
    const sentence = `The last ${MAX_CI_TOKENS} CI jobs of this app have tokens that have not expired. Try again in some minutes.`;
    throw new Refusal('unavailable', 'ci-jobs-too-many', sentence);
  }
}

function sameOwner(a: Token, b: Token): boolean {
  return JSON.stringify(a.of) === JSON.stringify(b.of);
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
