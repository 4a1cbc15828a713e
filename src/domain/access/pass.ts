import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { Refusal } from '../../errors.js';
import { ENTRY_ID, newEntryId } from '../../lib/entry-id.js';
import { parseUrl } from '../../lib/parse-url.js';
import { isLoopback } from './origins.js';

/** How long (ms) the shared password opens an app in a browser. */
export const PASS_MS = 7 * 24 * 3_600_000;

/** How many days a share link works: unless told, and at most; and how many of an app work at once. */
export const SHARE = { usualDays: 30, mostDays: 366, most: 100 } as const;

/** The most origins that may frame an app. */
const MAX_FRAMES = 20;

const MAX_NAME = 60;

export const shareSchema = z.object({
  id: z.string().regex(ENTRY_ID),
  /** sha256 of the code; the code itself is in the link and nowhere else. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  /** Whom it is for. */
  name: z.string(),
  /** True where pages of other origins, which the app names, may frame what it opens. */
  embed: z.boolean(),
  by: z.string(),
  /** ms since 1970. */
  createdAt: z.number(),
  expiresAt: z.number(),
});

/** A link that opens one app without an account. */
export type Share = z.infer<typeof shareSchema>;

/** What of an app decides who opens it without an account. */
export interface Guarded {
  opens?: string | undefined;
  /** The hash of the shared password. */
  visitPassword?: string | undefined;
  shares?: readonly Share[] | undefined;
}

/** Why a browser opens an app without a role in it. */
export interface Pass {
  /** As the audit log shows it. */
  who: string;
  embed: boolean;
}

/** Returns a new share link and its code. */
export function newShare(
  input: { name: string; embed: boolean; expiresAt: number },
  by: string,
  now: number,
): { share: Share; code: string } {
  const code = randomBytes(24).toString('base64url');
  return { share: { id: newEntryId(), hash: hashOf(code), ...input, by, createdAt: now }, code };
}

/** Returns the share link with this code, as long as it works. */
export function findShare({ shares = [] }: Guarded, code: string, now: number): Share | undefined {
  const hash = hashOf(code);
  return shares.find((one) => one.hash === hash && one.expiresAt > now);
}

/** What a browser keeps that came with a share link. */
export function sharePass(code: string): string {
  return `s.${code}`;
}

/** What a browser keeps that knew the password: it ends with the password, whose hash signs it. @param until ms since 1970 */
export function passwordPass(app: string, hash: string, until: number): string {
  return `p.${until}.${createHmac('sha256', hash).update(`streamlit-host pass of ${app} until ${until}`).digest('base64url')}`;
}

/**
 * Returns why a browser may open an app.
 * @param values what it keeps @param app the id that is visited @param guarded the app, of a preview its own one
 */
export function passFor(values: readonly string[], app: string, guarded: Guarded, now: number): Pass | undefined {
  const passes = values.flatMap((value) => passIn(value, app, guarded, now) ?? []);
  // A browser may keep several of one app: in a frame, the one that may be there counts.
  return passes.find(({ embed }) => embed) ?? passes[0];
}

function passIn(value: string, app: string, guarded: Guarded, now: number): Pass | undefined {
  const [kind, first = ''] = value.split('.');
  const share = kind === 's' ? findShare(guarded, first, now) : undefined;
  if (share !== undefined) return { who: `share link ${share.name}`, embed: share.embed };
  if (kind !== 'p' || guarded.opens !== 'password' || guarded.visitPassword === undefined) return undefined;
  const until = Number(first);
  const right = until > now && isSame(value, passwordPass(app, guarded.visitPassword, until));
  return right ? { who: 'password', embed: false } : undefined;
}

/** Returns the name of a share link, trimmed. @throws Refusal `share-name-invalid` */
export function parseShareName(text: string): string {
  const name = text.trim();
  if (name !== '' && name.length <= MAX_NAME && !/[\p{Cc}\p{Cs}]/u.test(name)) return name;
  const sentence = `Name the link in 1 to ${MAX_NAME} characters, for example after who gets it.`;
  throw new Refusal('invalid', 'share-name-invalid', sentence, { field: 'name' });
}

/** Returns the origins that may frame an app, each once. @throws Refusal `origin-invalid`, `origins-too-many` */
export function parseFrames(texts: readonly string[]): string[] {
  const origins = texts.map((text) => {
    const url = parseUrl(text.trim());
    // What a browser would take for a pattern is none.
    const plain = url !== undefined && url.href === `${url.origin}/` && /^[a-z0-9.:[\]-]+$/.test(url.hostname);
    if (plain && (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))))
      return url.origin;
    const sentence = 'Use origins such as https://wiki.example.com, without a path.';
    throw new Refusal('invalid', 'origin-invalid', sentence, { field: 'frames' });
  });
  if (new Set(origins).size <= MAX_FRAMES) return [...new Set(origins)];
  throw new Refusal('invalid', 'origins-too-many', `At most ${MAX_FRAMES} origins can frame an app.`, {
    field: 'frames',
  });
}

/** Of their hashes, since two texts of one length may differ in bytes, which `timingSafeEqual` does not compare. */
function isSame(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(hashOf(a)), Buffer.from(hashOf(b)));
}

function hashOf(code: string): string {
  return createHash('sha256').update(code).digest('hex');
}
