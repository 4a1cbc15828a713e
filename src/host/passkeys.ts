import { isIP } from 'node:net';
import { z } from 'zod';
import { Challenges } from '../domain/access/challenges.js';
import { parsePasskeyName } from '../domain/access/second-factor.js';
import { Refusal } from '../errors.js';
import { newEntryId } from '../lib/entry-id.js';
import type { People } from './people.js';
import type { SecondFactors } from './second-factors.js';

/** How long (ms) a browser waits for a person and their key. */
const TIMEOUT_MS = 5 * 60_000;

/** What a browser sends of a passkey, in base64url (https://www.w3.org/TR/webauthn-3/#dictdef-authenticationresponsejson). */
const text = z.string().max(8_000);
const id = z.string().regex(/^[\w-]{1,1400}$/);
const common = { id, rawId: id, type: z.literal('public-key'), clientExtensionResults: z.object({}) };
const answerSchema = z.object({
  ...common,
  response: z.object({
    clientDataJSON: text,
    authenticatorData: text,
    signature: text,
    userHandle: text.optional(),
  }),
});
const newSchema = z.object({
  ...common,
  response: z.object({
    clientDataJSON: text,
    attestationObject: z.string().max(50_000),
    transports: z.array(z.string().max(20)).max(10).default([]),
  }),
});

export interface PasskeysOptions {
  factors: Pick<SecondFactors, 'of' | 'withCredential' | 'addPasskey' | 'passkeyUsed' | 'anyPasskey' | 'demandOwner'>;
  people: Pick<People, 'get' | 'find'>;
  publicBase: () => string;
  now?: () => number;
}

/**
 * Registers passkeys and checks their answers (https://www.w3.org/TR/webauthn-3/). They belong to the host name of the public base, and
 * answer its origin alone.
 */
export class Passkeys {
  readonly #options: PasskeysOptions;
  readonly #challenges: Challenges;
  readonly #now: () => number;

  constructor(options: PasskeysOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#challenges = new Challenges(this.#now);
  }

  /** Returns whether browsers have passkeys for this server: they need a host name, and a page that nobody changed on its way. */
  usable(): boolean {
    const { protocol, hostname } = new URL(this.#options.publicBase());
    const local = hostname === 'localhost' || hostname.endsWith('.localhost');
    return local || (protocol === 'https:' && isIP(hostname.replace(/^\[|\]$/g, '')) === 0);
  }

  /** Returns whether somebody can log in with a passkey. @throws Refusal those of the vault */
  async offered(): Promise<boolean> {
    return this.usable() && (await this.#options.factors.anyPasskey());
  }

  /** What a browser keeps until it brings the answer. @param before what it keeps now */
  ticket(before: readonly string[]): string {
    return this.#challenges.ticket(before);
  }

  /**
   * What a browser is asked for, as JSON.
   * @param account whose passkeys count; undefined = a passkey says whose it is, and checks its person itself
   * @throws Refusal `passkey-unavailable`, those of the vault
   */
  async request(ticket: string, account?: string): Promise<string> {
    const { passkeys } = account === undefined ? { passkeys: [] } : await this.#options.factors.of(account);
    return JSON.stringify({
      challenge: this.#challenge(ticket, purposeOf(account)),
      rpId: this.#site().id,
      timeout: TIMEOUT_MS,
      userVerification: account === undefined ? 'required' : 'preferred',
      allowCredentials: passkeys.map(({ credential, transports }) => ({
        ...{ id: credential, type: 'public-key', transports },
      })),
    });
  }

  /**
   * Checks the answer, which counts once.
   * @param tickets what the browser keeps: a script may have planted others beside ours
   * @returns whose passkey it is
   * @throws Refusal `passkey-wrong`, `passkey-expired`, `passkey-unavailable`, those of the vault
   */
  async verify(tickets: readonly string[], answer: string, account?: string): Promise<{ id: string; email: string }> {
    const { factors, people } = this.#options;
    const site = this.#site();
    const asked = this.#asked(tickets, purposeOf(account));
    const response = parse(answerSchema, answer);
    const found = await factors.withCredential(response.id);
    const owner = found === undefined ? undefined : people.find(found.account);
    if (found === undefined || owner === undefined || owner.disabled) throw wrong();
    if (account !== undefined && owner.id !== account) throw wrong();
    // Step 6 of https://www.w3.org/TR/webauthn-3/#sctn-verifying-assertion
    const { userHandle } = response.response;
    if (account === undefined && userHandle !== Buffer.from(owner.id).toString('base64url')) throw wrong();
    const { verifyAuthenticationResponse } = await import('@simplewebauthn/server');
    const { passkey } = found;
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: { ...response, response: defined(response.response) },
      expectedChallenge: asked.is,
      expectedOrigin: site.origin,
      expectedRPID: site.id,
      credential: {
        id: passkey.credential,
        publicKey: new Uint8Array(Buffer.from(passkey.publicKey, 'base64url')),
        counter: passkey.counter,
      },
      // Instead of the password, having the device is not enough.
      requireUserVerification: account === undefined,
    }).catch(refuse);
    if (!verified) throw wrong();
    if (!this.#challenges.use(asked.by())) throw expired();
    await factors.passkeyUsed(owner.id, passkey.id, authenticationInfo.newCounter);
    return { id: owner.id, email: owner.email };
  }

  /**
   * What a browser is asked for to make a passkey, as JSON.
   * @param asked.place the session that asks, and in which alone the answer counts
   * @throws Refusal `passkey-unavailable`, `password-missing`, `password-wrong`, TooManyAttempts
   */
  async registration(account: string, asked: { ticket: string; place: string; password: string }): Promise<string> {
    await this.#options.factors.demandOwner(account, asked.password);
    return this.registrationAtLogin(account, asked.ticket, asked.place);
  }

  /** The same for somebody who must have a second factor, and has just given their password. @throws Refusal `passkey-unavailable` */
  async registrationAtLogin(account: string, ticket: string, place: string): Promise<string> {
    const { factors, people } = this.#options;
    const site = this.#site();
    const { email, name } = people.get(account);
    const { passkeys } = await factors.of(account);
    const { generateRegistrationOptions } = await import('@simplewebauthn/server');
    const challenge = this.#challenge(ticket, toMake(account, place));
    const options = await generateRegistrationOptions({
      rpName: 'streamlit-host',
      rpID: site.id,
      userName: email,
      userDisplayName: name === '' ? email : name,
      userID: new Uint8Array(Buffer.from(account)),
      challenge: new Uint8Array(Buffer.from(challenge, 'base64url')),
      timeout: TIMEOUT_MS,
      excludeCredentials: passkeys.map(({ credential }) => ({ id: credential })),
      authenticatorSelection: { residentKey: 'preferred', userVerification: 'preferred' },
    });
    return JSON.stringify(options);
  }

  /**
   * Takes a passkey that a browser has made. The account's other sessions end.
   * @param options as for `addPasskey`
   * @returns recovery codes, if it is the first factor
   * @throws Refusal `passkey-name-invalid`, `passkey-wrong`, `passkey-expired`, and those of `addPasskey`
   */
  async register(
    account: string,
    made: { tickets: readonly string[]; place: string; name: string; answer: string },
    options: { session?: string | undefined; first?: boolean } = {},
  ): Promise<string[] | undefined> {
    const site = this.#site();
    const name = parsePasskeyName(made.name);
    const asked = this.#asked(made.tickets, toMake(account, made.place));
    const response = parse(newSchema, made.answer);
    const { verifyRegistrationResponse } = await import('@simplewebauthn/server');
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response,
      expectedChallenge: asked.is,
      expectedOrigin: site.origin,
      expectedRPID: site.id,
      requireUserVerification: false,
    }).catch(refuse);
    if (!verified) throw wrong();
    if (!this.#challenges.use(asked.by())) throw expired();
    const { credential } = registrationInfo;
    const { transports } = response.response;
    const passkey = {
      ...{ id: newEntryId(), name, credential: credential.id, counter: credential.counter },
      publicKey: Buffer.from(credential.publicKey).toString('base64url'),
      ...(transports.length === 0 ? {} : { transports }),
      createdAt: this.#now(),
    };
    return this.#options.factors.addPasskey(account, passkey, options);
  }

  /** @throws Refusal `passkey-unavailable` */
  #site(): { id: string; origin: string } {
    if (!this.usable()) {
      const sentence = 'Passkeys need a public URL with HTTPS and a host name, or one on localhost.';
      throw new Refusal('conflict', 'passkey-unavailable', sentence);
    }
    const { hostname, origin } = new URL(this.#options.publicBase());
    return { id: hostname, origin };
  }

  /**
   * Tells what a browser may have been asked for, by each of its tickets, and by which one it was.
   * @throws Refusal `passkey-expired` where none is good
   */
  #asked(tickets: readonly string[], purpose: string): { is: (challenge: string) => boolean; by: () => string } {
    const known = new Map(tickets.map((ticket) => [this.#challenges.challenge(ticket, purpose), ticket]));
    known.delete(undefined);
    if (known.size === 0) throw expired();
    let by = '';
    return {
      is: (challenge) => {
        by = known.get(challenge) ?? '';
        return by !== '';
      },
      by: () => by,
    };
  }

  /** @throws Refusal `passkey-expired` */
  #challenge(ticket: string, purpose: string): string {
    const challenge = this.#challenges.challenge(ticket, purpose);
    if (challenge === undefined) throw expired();
    return challenge;
  }
}

/** An answer counts for what it was asked for. */
function purposeOf(account: string | undefined): string {
  return account === undefined ? 'log in' : `second factor of ${account}`;
}

function toMake(account: string, place: string): string {
  return `new passkey of ${account} in ${place}`;
}

/** Only the fields that are there. */
function defined<T extends { userHandle?: string | undefined }>({
  userHandle,
  ...rest
}: T): Omit<T, 'userHandle'> & { userHandle?: string } {
  return userHandle === undefined ? rest : { ...rest, userHandle };
}

/** @throws Refusal `passkey-wrong` */
function parse<T>(schema: z.ZodType<T>, answer: string): T {
  try {
    return schema.parse(JSON.parse(answer));
  } catch (error) {
    throw wrong(error);
  }
}

/** The library throws for every answer that does not fit. */
function refuse(error: unknown): never {
  throw wrong(error);
}

function wrong(cause?: unknown): Refusal {
  const sentence = 'This passkey was not accepted. Try again, or use another way.';
  return new Refusal('forbidden', 'passkey-wrong', sentence, { cause });
}

function expired(): Refusal {
  return new Refusal('forbidden', 'passkey-expired', 'This request has expired. Try again.');
}
