import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { doors, results, type AuditEntry } from '../../domain/access/audit.js';
import { route, type ApiContext, type Route } from './route.js';

/** The most entries of one answer. */
const MOST = 1_000;

const text = z.string().max(200);

const query = z.object({
  who: text.optional().describe('Only entries of this person or token.'),
  app: text.optional().describe('Only entries about this app.'),
  q: text.optional().describe('Only entries that contain this text.'),
  before: z.coerce.number().int().positive().optional().describe('Only entries before this one.'),
  limit: z.coerce.number().int().min(1).max(MOST).default(100),
});

const entrySchema = z
  .object({
    n: z.number().int().describe('Counts from 1, without a gap.'),
    at: z.string(),
    who: z.string().describe('An email address, the name of a token, "admin" or "nobody".'),
    account: z.string().nullable().describe('The id of the account.'),
    token: z.boolean().describe("Whether they used a token, not a browser's session."),
    door: z.enum(doors).describe('Where they came in.'),
    from: z.string().describe('Their IP address.'),
    verb: z.string().describe('What they must be allowed to do.'),
    what: z.string().describe('The route.'),
    app: z.string().nullable(),
    about: z.string().nullable().describe('Whom or what else it was about.'),
    result: z.enum(results),
    code: z.string().nullable().describe('Why it was refused.'),
  })
  .meta({ id: 'AuditEntry' });

const verifiedSchema = z
  .object({
    ok: z.boolean(),
    entries: z.number().int(),
    first: z.number().int().describe('The first entry that is kept.'),
    last: z.number().int(),
    hash: z.string().describe('The hash of the last entry.'),
    problem: z.string().nullable(),
  })
  .meta({ id: 'AuditVerified' });

export type AuditEntryAnswer = z.infer<typeof entrySchema>;
export type AuditVerifiedAnswer = z.infer<typeof verifiedSchema>;

/** The calls about the audit log. */
export function auditRoutes({ auditLog }: Pick<ApiContext, 'auditLog'>): Route[] {
  return [
    route({
      method: 'get',
      path: '/audit',
      tag: 'server',
      can: 'audit',
      summary: 'Read the audit log, the newest entries first',
      query,
      answers: {
        200: {
          description: 'The entries. "next" is what to send as "before" for more; null at the end.',
          content: {
            'application/json': z.object({ entries: z.array(entrySchema), next: z.number().int().nullable() }),
          },
        },
      },
      async handle(ctx, input) {
        const { entries, next } = await findEntries(auditLog, input.query);
        ctx.body = { entries: entries.map(present), next: next ?? null };
      },
    }),

    route({
      method: 'get',
      path: '/audit/verify',
      tag: 'server',
      can: 'audit',
      summary: 'Verify that no entry of the audit log was changed or is missing',
      answers: {
        200: { description: 'What was found.', content: { 'application/json': verifiedSchema } },
      },
      async handle(ctx) {
        const { problem, ...found } = await auditLog.verify();
        ctx.body = { ok: problem === undefined, ...found, problem: problem ?? null };
      },
    }),

    route({
      method: 'get',
      path: '/audit/export',
      tag: 'server',
      can: 'audit',
      summary: 'Download the audit log',
      answers: {
        200: {
          description: 'JSON lines, the oldest entry first, as they are stored.',
          content: { 'application/x-ndjson': { type: 'string' } },
        },
      },
      async handle(ctx) {
        ctx.attachment('audit.jsonl');
        ctx.type = 'application/x-ndjson';
        ctx.body = Readable.from(contentOf(await auditLog.files()), { objectMode: false });
      },
    }),
  ];
}

/** What is looked for in the audit log. */
export interface AuditSearch {
  who?: string | undefined;
  app?: string | undefined;
  q?: string | undefined;
  before?: number | undefined;
  limit: number;
}

/** Finds entries, the newest first. @returns also where to go on; undefined at the end */
export async function findEntries(
  log: ApiContext['auditLog'] | Pick<ApiContext['auditLog'], 'entries'>,
  { who, app, q, before, limit }: AuditSearch,
): Promise<{ entries: AuditEntry[]; next: number | undefined }> {
  const words = [who, app, q].flatMap((word) =>
    word === undefined ? [] : JSON.stringify(word.toLowerCase()).slice(1, -1),
  );
  const entries: AuditEntry[] = [];
  for await (const entry of log.entries({ before, words })) {
    if (who !== undefined && entry.who.toLowerCase() !== who.toLowerCase()) continue;
    if (app !== undefined && entry.app !== app) continue;
    if (entries.length === limit) return { entries, next: entries.at(-1)?.n };
    entries.push(entry);
  }
  return { entries, next: undefined };
}

async function* contentOf(files: readonly string[]): AsyncGenerator<Buffer> {
  for (const file of files) for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) yield chunk;
}

function present({
  account,
  token,
  app,
  about,
  code,
  n,
  at,
  who,
  door,
  from,
  verb,
  what,
  result,
}: AuditEntry): AuditEntryAnswer {
  return {
    ...{ n, at, who, account: account ?? null, token: token ?? false, door, from, verb, what },
    ...{ app: app ?? null, about: about ?? null, result, code: code ?? null },
  };
}
