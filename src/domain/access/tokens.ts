import { z } from 'zod';
import { Refusal } from '../../errors.js';
import { ENTRY_ID } from '../../lib/entry-id.js';
import { scopes } from './scopes.js';

/** How tokens begin, so that programs that look for leaked secrets know them: of a person, and of an app for its deploys. */
export const PREFIX = { personal: 'shp_', deploy: 'shd_' } as const;

/** How many days a token works: unless told, and at most. */
export const DAYS = { usual: 90, most: 366 } as const;

const MAX_NAME = 60;

export const tokenSchema = z.object({
  id: z.string().regex(ENTRY_ID),
  /** sha256 of the token; the token itself is kept nowhere. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  /** Its first characters, by which a person knows it again. */
  hint: z.string(),
  name: z.string(),
  /** Whose it is: an account's, or an app's for its deploys. */
  of: z.union([z.object({ account: z.string() }), z.object({ app: z.string() })]),
  scope: z.enum(scopes),
  /** The apps that it is for; not there = all. */
  apps: z.array(z.string()).optional(),
  /** ms since 1970. */
  createdAt: z.number(),
  expiresAt: z.number(),
  lastUsedAt: z.number().optional(),
  revokedAt: z.number().optional(),
  /** Of one that a CI job got. */
  ci: z
    .object({
      /** The id of the rule that trusts the job. */
      rule: z.string(),
      /** sha256 of what the job has shown, and until when (ms since 1970) that could be shown again. */
      proof: z.string(),
      proofUntil: z.number(),
    })
    .optional(),
});

/** A secret that scripts and git log in with. */
export type Token = z.infer<typeof tokenSchema>;

/** Returns the name of a token, trimmed. @throws Refusal `token-name-invalid` */
export function parseTokenName(text: string): string {
  const name = text.trim();
  if (name !== '' && name.length <= MAX_NAME && !/[\p{Cc}\p{Cs}]/u.test(name)) return name;
  const sentence = `Name the token in 1 to ${MAX_NAME} characters, such as "laptop" or "CI".`;
  throw new Refusal('invalid', 'token-name-invalid', sentence, { field: 'name' });
}

/** True while a token works. */
export function isActive({ revokedAt, expiresAt }: Token, now: number): boolean {
  return revokedAt === undefined && expiresAt > now;
}

/** Returns whether a text is made as our tokens are, whether or not it works. */
export function looksLikeToken(text: string): boolean {
  return Object.values(PREFIX).some((prefix) => text.startsWith(prefix));
}
