import { Refusal } from '../errors.js';
import type { AuditEntryAnswer, AuditVerifiedAnswer } from '../web/api/audit.js';
import type { Context } from './context.js';
import { tableLines } from './output.js';
import { asClause } from '../lib/words.js';

export interface AuditOptions {
  who?: string;
  app?: string;
  contains?: string;
  limit: number;
}

/** Lists entries of the audit log, the newest first. */
export async function audit(cli: Context, { who, app, contains, limit }: AuditOptions): Promise<void> {
  const asked = Object.entries({ who, app, q: contains, limit: String(limit) });
  const query = new URLSearchParams(asked.filter((entry): entry is [string, string] => entry[1] !== undefined));
  const { entries } = await (await cli.api()).get<{ entries: AuditEntryAnswer[] }>(`/audit?${query.toString()}`);
  if (cli.out.json) return cli.out.data(entries);
  if (entries.length === 0) return cli.out.note('No entries match.');
  const lines = tableLines(
    entries,
    [
      { title: 'When', value: ({ at }) => at.slice(0, 19).replace('T', ' ') },
      { title: 'Who', value: (each) => each.who },
      { title: 'What', value: (each) => each.what },
      { title: 'App', value: (each) => each.app ?? '' },
      { title: 'About', value: (each) => each.about ?? '' },
      { title: 'From', value: ({ from, door }) => `${from} ${door}` },
      { title: 'Result', value: ({ result, code }) => (code === null ? result : `${result}: ${code}`) },
    ],
    cli.out,
  );
  for (const line of lines) cli.out.print(line);
}

/** Verifies the audit log. @throws Refusal `audit-broken` */
export async function verifyAudit(cli: Context): Promise<void> {
  const found = await (await cli.api()).get<AuditVerifiedAnswer>('/audit/verify');
  if (cli.out.json) cli.out.data(found);
  const { problem, entries, first, last, hash } = found;
  if (problem !== null) {
    const sentence = `The audit log is not intact: ${asClause(problem)}.`;
    throw new Refusal('conflict', 'audit-broken', sentence);
  }
  if (cli.out.json) return;
  const range = entries === 0 ? '' : `, ${first} to ${last}`;
  cli.out.print(`The audit log is intact: ${entries} ${entries === 1 ? 'entry' : 'entries'}${range}.`);
  cli.out.print(`Hash of the last entry: ${hash}`);
}
