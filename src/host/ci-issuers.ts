import { createHash } from 'node:crypto';
import { createLocalJWKSet, decodeJwt, errors, jwtVerify, type JWTPayload, type LocalJWKSet } from 'jose';
import { z } from 'zod';
import { readJob, type CiIssuer, type CiJob } from '../domain/access/ci.js';
import { messageOf, Refusal } from '../errors.js';
import { parseUrl } from '../lib/parse-url.js';
import { get } from '../lib/reach.js';

/** How long (ms) an issuer may take for one answer, and how large (bytes) its answers may be. */
const LIMIT_MS = 5_000;
const MAX_ANSWER = 256 * 1024;

/** How long (ms) keys are used until they are fetched again. */
const KEPT_MS = 10 * 60_000;

/** How long (ms) nothing is fetched after that, however many tokens name keys that are not there, or after a failure. */
const COOL_MS = { unknown: 30_000, failed: 5_000 } as const;

/** The most keys of one issuer. */
const MAX_KEYS = 100;

/** What signs: never a shared secret, which `alg: HS256` would make of a public key. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512'] as const;

/** How far (s) clocks may differ, and how long (s) an ID token may work. */
const TOLERANCE = 30;
const MAX_AGE = 24 * 3_600;

const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.string() });
const keysSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(MAX_KEYS) });
const claimsSchema = z.looseObject({ aud: z.union([z.string(), z.array(z.string())]), jti: z.string().min(1) });

/** An ID token that was checked. */
export interface CiProof {
  issuer: CiIssuer;
  job: CiJob;
  audiences: readonly string[];
  /** sha256 of what tells the token from all others, and until when (ms since 1970) it can be shown. */
  hash: string;
  until: number;
}

export interface CiIssuersOptions {
  issuers: readonly CiIssuer[];
  /** Called with why keys could not be fetched; without tokens. */
  warn: (facts: Record<string, unknown>, sentence: string) => void;
  /** For tests: how long (ms) an issuer may take. */
  limitMs?: number;
  now?: () => number;
}

/** Checks the ID tokens of CI jobs (https://openid.net/specs/openid-connect-core-1_0.html) with the keys of their issuers. */
export class CiIssuers {
  readonly #options: CiIssuersOptions;
  readonly #now: () => number;
  /** One for each issuer of the settings: a token's own words add none. */
  readonly #keys: ReadonlyMap<string, IssuerKeys>;

  constructor(options: CiIssuersOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    const { limitMs = LIMIT_MS } = options;
    this.#keys = new Map(
      options.issuers.map(({ url }) => {
        const warn = (error: unknown): void =>
          options.warn({ issuer: url, detail: messageOf(error) }, 'the keys of a CI service were not fetched');
        return [url, new IssuerKeys(url, { limitMs, now: () => this.#now(), warn })];
      }),
    );
  }

  /** All issuers. */
  list(): readonly CiIssuer[] {
    return this.#options.issuers;
  }

  /**
   * Checks a token: its signature, its issuer and its dates. Who it is for and which job shows it is left to the caller.
   * @throws Refusal `ci-token-invalid`, `ci-token-expired`, `ci-issuer-unreachable`
   */
  async check(token: string): Promise<CiProof> {
    const issuer = this.#issuerOf(token);
    const claims = await this.#verify(issuer, token);
    const { aud, jti } = claimsSchema.safeParse(claims).data ?? {};
    const job = readJob(issuer.service, claims);
    // Not much longer, since all that were shown are remembered.
    const { exp = 0 } = claims;
    if (aud === undefined || jti === undefined || job === undefined || exp > this.#now() / 1_000 + MAX_AGE)
      throw invalid();
    const hash = createHash('sha256').update(`${issuer.url} ${jti}`).digest('hex');
    return { issuer, job, audiences: [aud].flat(), hash, until: (exp + TOLERANCE) * 1_000 };
  }

  /** Whose keys a token is to be checked with: nobody has checked yet what it says. */
  #issuerOf(token: string): CiIssuer {
    try {
      const { iss } = decodeJwt(token);
      const found = this.#options.issuers.find(({ url }) => url === iss);
      if (found !== undefined) return found;
    } catch (error) {
      throw invalid(error);
    }
    throw invalid();
  }

  async #verify(issuer: CiIssuer, token: string): Promise<JWTPayload> {
    const keys = this.#keys.get(issuer.url);
    if (keys === undefined) throw invalid();
    const verify = async (known: LocalJWKSet): Promise<JWTPayload> => {
      const { payload, protectedHeader } = await jwtVerify(token, known, {
        algorithms: [...ALGORITHMS],
        issuer: issuer.url,
        requiredClaims: ['exp'],
        maxTokenAge: MAX_AGE,
        clockTolerance: TOLERANCE,
        currentDate: new Date(this.#now()),
      });
      if (protectedHeader.kid === undefined) throw invalid();
      return payload;
    };
    try {
      return await verify(await this.#ask(issuer, keys.get()));
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw refusalFor(error);
    }
    // The issuer may sign with a new key by now.
    const newer = await this.#ask(issuer, keys.newer());
    if (newer === undefined) throw invalid();
    return verify(newer).catch((error: unknown) => {
      throw refusalFor(error);
    });
  }

  /** @throws Refusal `ci-issuer-unreachable` */
  async #ask<T>(issuer: CiIssuer, asked: Promise<T>): Promise<T> {
    try {
      return await asked;
    } catch (error) {
      const sentence = `The keys of the CI service ${issuer.name} could not be fetched, so its ID tokens can't be checked. Try again in a minute.`;
      throw new Refusal('unavailable', 'ci-issuer-unreachable', sentence, { cause: error });
    }
  }
}

/** The public keys of one issuer (https://www.rfc-editor.org/rfc/rfc7517), which it may replace at any time. */
class IssuerKeys {
  readonly #issuer: string;
  readonly #limitMs: number;
  readonly #now: () => number;
  readonly #warn: (error: unknown) => void;
  /** What was fetched last, or why it was not, and when (ms). */
  #last: { keys: LocalJWKSet; at: number } | { error: unknown; at: number } | undefined;
  #asking: Promise<LocalJWKSet> | undefined;

  /** @param options.warn called with why the keys could not be fetched, once for each time */
  constructor(
    issuer: string,
    { limitMs, now, warn }: { limitMs: number; now: () => number; warn: (error: unknown) => void },
  ) {
    this.#issuer = issuer;
    this.#limitMs = limitMs;
    this.#now = now;
    this.#warn = warn;
  }

  /** The keys, not older than some minutes. @throws Error where they cannot be fetched */
  async get(): Promise<LocalJWKSet> {
    const last = this.#last;
    if (last === undefined) return this.#fetch();
    if ('keys' in last) return this.#isOver(last.at, KEPT_MS) ? this.#fetch() : last.keys;
    if (this.#isOver(last.at, COOL_MS.failed)) return this.#fetch();
    throw last.error;
  }

  /** The keys as they are now; undefined where they were fetched just before. @throws Error where they cannot be fetched */
  async newer(): Promise<LocalJWKSet | undefined> {
    return this.#last === undefined || this.#isOver(this.#last.at, COOL_MS.unknown) ? this.#fetch() : undefined;
  }

  #isOver(at: number, ms: number): boolean {
    return this.#now() - at >= ms;
  }

  /** All who want them at once ask once. */
  async #fetch(): Promise<LocalJWKSet> {
    this.#asking ??= this.#look().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #look(): Promise<LocalJWKSet> {
    try {
      const base = this.#issuer.replace(/\/$/, '');
      const found = discoverySchema.parse(await this.#read(`${base}/.well-known/openid-configuration`));
      if (found.issuer !== this.#issuer) throw new Error('It calls itself by another name.');
      // What it names must be its own: the server asks nobody else on its word.
      if (parseUrl(found.jwks_uri)?.origin !== new URL(this.#issuer).origin)
        throw new Error('Its keys are on another origin.');
      const { keys } = keysSchema.parse(await this.#read(found.jwks_uri));
      const usable = createLocalJWKSet({ keys: keys.filter(({ kty }) => kty === 'RSA' || kty === 'EC') });
      this.#last = { keys: usable, at: this.#now() };
      return usable;
    } catch (error) {
      this.#last = { error, at: this.#now() };
      this.#warn(error);
      throw error;
    }
  }

  async #read(url: string): Promise<unknown> {
    const { status, body } = await get(url, { limitMs: this.#limitMs, most: MAX_ANSWER });
    if (status !== 200) throw new Error(`It answered with ${status}.`);
    return JSON.parse(body) as unknown;
  }
}

/** What is said of a token that cannot be checked is the same for all of them: nobody has shown who they are yet. */
function invalid(cause?: unknown): Refusal {
  const sentence = 'This is not a valid ID token of a CI service that this server trusts. Request one in the job.';
  return new Refusal('unauthorised', 'ci-token-invalid', sentence, { cause });
}

function refusalFor(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  // Only where the signature is right: that comes first.
  if (!(error instanceof errors.JWTExpired)) return invalid(error);
  const sentence = 'This ID token has expired. Request a new one in the job.';
  return new Refusal('unauthorised', 'ci-token-expired', sentence, { cause: error });
}
