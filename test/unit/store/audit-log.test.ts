import { mkdtemp, readdir, readFile, rm, writeFile, appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AuditEntry, Happening } from '../../../src/domain/access/audit.js';
import { AuditLog } from '../../../src/store/audit-log.js';

let folder: string;
let warned: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'audit-'));
  warned = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const open = (options: { maxBytes?: number; keep?: number } = {}): Promise<AuditLog> =>
  AuditLog.open(folder, { warn: (sentence) => void warned.push(sentence), now: () => 0, ...options });

function happening(about: string): Happening {
  const facts = { door: 'api', from: '192.0.2.7', verb: 'access', what: 'PUT /x', app: 'shop', result: 'ok' } as const;
  return { who: 'ada@example.com', about, ...facts };
}

async function fill(log: AuditLog, count: number, from = 1): Promise<void> {
  for (let n = from; n < from + count; n += 1) log.append(happening(`entry ${n}`));
  await log.close();
}

async function all(log: AuditLog, options?: Parameters<AuditLog['entries']>[0]): Promise<AuditEntry[]> {
  const found: AuditEntry[] = [];
  for await (const entry of log.entries(options)) found.push(entry);
  return found;
}

const parts = async (): Promise<string[]> => (await readdir(folder)).filter((name) => name !== 'head.json').sort();

/** Changes the lines of a part on the disk. */
async function tamper(change: (lines: string[]) => string[], part = 0): Promise<void> {
  const path = join(folder, (await parts())[part] ?? '');
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  await writeFile(
    path,
    change(lines)
      .map((line) => `${line}\n`)
      .join(''),
  );
}

describe('the audit log', () => {
  test('holds its entries in order, and continues after a restart', async () => {
    await fill(await open(), 3);
    const log = await open();
    await fill(log, 2, 4);
    expect((await all(log)).map(({ n, about }) => `${n} ${about}`)).toEqual(
      [5, 4, 3, 2, 1].map((n) => `${n} entry ${n}`),
    );
    expect(await log.verify()).toMatchObject({ entries: 5, first: 1, last: 5, problem: undefined });
    expect(warned).toEqual([]);
  });

  test('is searched by what its entries contain', async () => {
    const log = await open();
    await fill(log, 20);
    expect((await all(log, { words: ['entry 1'] })).map(({ n }) => n)).toEqual([
      19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 1,
    ]);
    expect((await all(log, { words: ['entry 1'], before: 12 })).map(({ n }) => n)).toEqual([11, 10, 1]);
  });

  test('continues in another file when one is full, and keeps the newest files', async () => {
    const log = await open({ maxBytes: 1_000, keep: 3 });
    for (let n = 1; n <= 40; n += 1) await fill(log, 1, n);
    const names = await parts();
    expect(names).toHaveLength(3);
    const first = Number.parseInt(names[0] ?? '', 10);
    expect(first).toBeGreaterThan(1);
    expect(await log.verify()).toMatchObject({ first, last: 40, entries: 41 - first, problem: undefined });
    expect(await (await open()).verify()).toMatchObject({ first, problem: undefined });
    expect((await all(log)).map(({ n }) => n)).toEqual(Array.from({ length: 41 - first }, (_, place) => 40 - place));
    await rm(join(folder, names[1] ?? ''));
    expect((await log.verify()).problem).toMatch(/^Entries \d+ to \d+ are missing\.$/);
    await rm(join(folder, names[0] ?? ''));
    expect((await log.verify()).problem).toMatch(new RegExp(`^Entries ${first} to \\d+ are missing\\.$`));
  });

  test.each<[string, (lines: string[]) => string[], string]>([
    ['a changed entry', (lines) => lines.map((line) => line.replace('entry 3', 'entry X')), 'Entry 3 was changed.'],
    ['a missing one', (lines) => lines.filter((_, place) => place !== 2), 'Entry 3 is missing.'],
    ['one that is not an entry', (lines) => lines.with(2, '{}'), 'Entry 3 was changed.'],
    ['the last ones cut off', (lines) => lines.slice(0, 3), 'Entries 4 to 6 are missing.'],
    ['none left', () => [], 'Entries 1 to 6 are missing.'],
  ])('finds %s, also after a restart', async (_, change, problem) => {
    const log = await open();
    await fill(log, 6);
    await tamper(change);
    expect((await log.verify()).problem).toBe(problem);
    const again = await open();
    await fill(again, 2, 7);
    expect((await again.verify()).problem).toBe(problem);
  });

  test('finds an entry that was changed, even where all later ones were made to fit', async () => {
    await fill(await open(), 4);
    const other = await mkdtemp(join(tmpdir(), 'audit-'));
    const forged = await AuditLog.open(other, { warn: () => undefined, now: () => 0 });
    for (const about of ['entry 1', 'another', 'entry 3', 'entry 4']) forged.append(happening(about));
    await forged.close();
    const lines = (await readFile((await forged.files())[0] ?? '', 'utf8')).trimEnd().split('\n');
    await tamper(() => lines);
    await rm(other, { recursive: true });
    expect((await (await open()).verify()).problem).toBe('Entry 4 was changed.');
  });

  test('continues after a crash in the middle of a line', async () => {
    await fill(await open(), 2);
    await appendFile(join(folder, (await parts())[0] ?? ''), '{"n":3,"at":"19');
    const log = await open();
    await fill(log, 1, 3);
    expect(await log.verify()).toMatchObject({ entries: 3, problem: undefined });
  });

  test('keeps what the disk does not take for later', async () => {
    const log = await open();
    await fill(log, 1);
    const [name = ''] = await parts();
    await rm(join(folder, name));
    await rm(folder, { recursive: true });
    await writeFile(folder, 'in the way');
    await fill(log, 1, 2);
    expect(warned).toEqual([expect.stringContaining('the audit log cannot be written')]);
    await rm(folder);
    await fill(log, 1, 3);
    expect((await all(log)).map(({ n }) => n)).toEqual([3, 2]);
  });

  test('passes on its entries once another server has replaced this one', async () => {
    const log = await open();
    await log.handOver();
    log.append(happening('late'));
    const passed: unknown[] = [];
    log.passTo((one) => void passed.push(one.about));
    log.append(happening('later'));
    expect(passed).toEqual(['late', 'later']);
    expect(await all(log)).toEqual([]);
  });
});
