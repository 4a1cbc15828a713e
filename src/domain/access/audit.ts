import { createHash } from 'node:crypto';
import { z } from 'zod';

/** Where somebody came in: pages of the console, the API and the command line, git, or an app's own pages. */
export const doors = ['console', 'api', 'git', 'app'] as const;

/** Where somebody came in. */
export type Door = (typeof doors)[number];

/** What came of it. */
export const results = ['ok', 'refused', 'failed'] as const;

/** What somebody did, or tried to do. It holds no secret, and nothing of what an app is made of or shows. */
export const happeningSchema = z.object({
  /** Who, as records show them; "nobody" where that is not known. */
  who: z.string(),
  /** The id of their account; not there for the admin token. */
  account: z.string().optional(),
  /** True where they used a token, and not a browser's session. */
  token: z.boolean().optional(),
  door: z.enum(doors),
  /** The address that they came from. */
  from: z.string(),
  /** A verb of the table of permissions, or a login. */
  verb: z.string(),
  /** The route, such as `PUT /apps/{id}/roles/{who}`. */
  what: z.string(),
  app: z.string().optional(),
  /** Whom or what else it was about, such as `ada@example.com owner`. */
  about: z.string().optional(),
  result: z.enum(results),
  /** Why it was refused. */
  code: z.string().optional(),
  /** How many more of theirs were left out before this one, since they came too fast. */
  more: z.number().optional(),
});

/** What somebody did, or tried to do. */
export type Happening = z.infer<typeof happeningSchema>;

const entrySchema = happeningSchema.extend({
  /** Counts from 1, without a gap. */
  n: z.number().int().positive(),
  /** ISO date. */
  at: z.string(),
  /** The hash of the entry before. */
  prev: z.string(),
  hash: z.string(),
});

/** One entry of the audit log. */
export type AuditEntry = z.infer<typeof entrySchema>;

/** What the first entry has for the hash of the one before. */
export const BEGINNING = '0'.repeat(64);

/** The most characters of one field. */
const MAX_FIELD = 300;

const HASH = /^(.*),"hash":"([0-9a-f]{64})"\}$/;

/** Returns an entry as one line without its end, and its hash, which covers everything in it and all entries before. */
export function seal(n: number, at: Date, happening: Happening, prev: string): { line: string; hash: string } {
  const fields = Object.entries(happening).filter(([, value]) => value !== undefined);
  const short = fields.map(([name, value]) => [name, typeof value === 'string' ? value.slice(0, MAX_FIELD) : value]);
  const body = JSON.stringify({ n, at: at.toISOString(), ...(Object.fromEntries(short) as Happening), prev });
  const hash = hashOf(body);
  return { line: `${body.slice(0, -1)},"hash":"${hash}"}`, hash };
}

/** Returns the entry of a line; undefined where it was changed, or is none. */
export function open(line: string): AuditEntry | undefined {
  const [, body, hash] = HASH.exec(line) ?? [];
  return body !== undefined && hashOf(`${body}}`) === hash ? read(line) : undefined;
}

/** Returns the entry of a line, whether or not it was changed; undefined where it is none. */
export function read(line: string): AuditEntry | undefined {
  try {
    return entrySchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined; // Not JSON: that is the only reason.
  }
}

function hashOf(body: string): string {
  return createHash('sha256').update(body).digest('hex');
}
