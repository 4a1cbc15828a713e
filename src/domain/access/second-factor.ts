import { z } from 'zod';
import { ENTRY_ID } from '../../lib/entry-id.js';
import { Refusal } from '../../errors.js';

const passkeySchema = z.object({
  /** Names it in lists. */
  id: z.string().regex(ENTRY_ID),
  name: z.string(),
  /** What its authenticator calls it, in base64url. */
  credential: z.string(),
  /** In base64url. */
  publicKey: z.string(),
  /** How often it was used, as its authenticator counts; 0 where that does not count. */
  counter: z.number(),
  transports: z.array(z.string()).optional(),
  /** ms since 1970. */
  createdAt: z.number(),
  lastUsedAt: z.number().optional(),
});

/** A passkey of an account. */
export type Passkey = z.infer<typeof passkeySchema>;

export const factorsSchema = z.object({
  /** The account. */
  id: z.string(),
  /** The key of an app for codes, since when (ms since 1970), and the last step of time whose code was used. */
  totp: z.object({ key: z.string(), since: z.number(), lastStep: z.number() }).optional(),
  passkeys: z.array(passkeySchema),
  /** The hashes of recovery codes that were not used yet. */
  recovery: z.array(z.string()),
});

/** With what an account proves who it is beside its password. */
export type Factors = z.infer<typeof factorsSchema>;

/** The most passkeys of one account. */
export const MAX_PASSKEYS = 20;

const MAX_NAME = 60;

/** Those of an account that has none. */
export function noFactors(id: string): Factors {
  return { id, passkeys: [], recovery: [] };
}

/** Returns whether an account has a second factor: recovery codes alone are none. */
export function hasFactor({ totp, passkeys }: Pick<Factors, 'totp' | 'passkeys'>): boolean {
  return totp !== undefined || passkeys.length > 0;
}

/** Returns the factors without what is of no use alone. */
export function tidied(factors: Factors): Factors {
  return hasFactor(factors) ? factors : { ...factors, recovery: [] };
}

/** Returns the name of a passkey, trimmed. @throws Refusal `passkey-name-invalid` */
export function parsePasskeyName(text: string): string {
  const name = text.trim();
  if (name !== '' && name.length <= MAX_NAME && !/[\p{Cc}\p{Cs}]/u.test(name)) return name;
  const sentence = `Name the passkey in 1 to ${MAX_NAME} characters, such as "phone" or "security key".`;
  throw new Refusal('invalid', 'passkey-name-invalid', sentence, { field: 'passkey-name' });
}
