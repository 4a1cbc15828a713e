import { mkdir, mkdtemp, readdir, readFile, rm, writeFile, appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AuditEntry, Happening } from '../../../src/domain/access/audit.js';
import { AuditLog } from '../../../src/store/audit-log.js';

let folder: string;
let warned: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'audit-'));
  warned = [];
});
afterEach(async () => {
  for (const one of [folder, ...(await aside())]) await rm(one, { recursive: true, force: true });
});

/** The folders that were moved aside. */
async function aside(): Promise<string[]> {
  const names = await readdir(dirname(folder));
  return names.filter((name) => name.startsWith(`${basename(folder)}.`)).map((name) => join(dirname(folder), name));
}

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

  test.each([
    ['that has room', 10_000],
    ['that is full', 1],
  ])('continues after a crash in the middle of a line of a part %s', async (_, maxBytes) => {
    await fill(await open(), 2);
    await appendFile(join(folder, (await parts())[0] ?? ''), '{"n":3,"at":"19');
    const log = await open({ maxBytes });
    await fill(log, 1, 3);
    expect(await log.verify()).toMatchObject({ entries: 3, problem: undefined });
  });

  test.each([
    ['is empty', ''],
    ['is damaged', '{"first":1,'],
    ['is null', 'null'],
    ['is something else', '{"first":"x"}'],
  ])('continues where its head.json %s, and loses nothing', async (_, content) => {
    const before = await open({ maxBytes: 1_000, keep: 2 });
    for (let n = 1; n <= 20; n += 1) await fill(before, 1, n);
    const { first } = await before.verify();
    await writeFile(join(folder, 'head.json'), content);
    const log = await open({ maxBytes: 10_000, keep: 2 });
    expect(warned).toEqual([expect.stringContaining('the audit log has no valid head.json')]);
    await fill(log, 1, 21);
    expect(await log.verify()).toMatchObject({ first, last: 21, entries: 22 - first, problem: undefined });
    expect(await (await open()).verify()).toMatchObject({ first, last: 21, problem: undefined });
    expect(warned).toHaveLength(1);
    expect(await aside()).toEqual([]);
  });

  test('continues without its head.json where the newest part is still empty or ends in the middle of a line', async () => {
    await fill(await open(), 2);
    await appendFile(join(folder, (await parts())[0] ?? ''), '{"n":3,"at":"19');
    await rm(join(folder, 'head.json'));
    await writeFile(join(folder, '000000000003.jsonl'), '');
    const log = await open();
    await fill(log, 1, 3);
    expect(await parts()).toEqual(['000000000001.jsonl', '000000000003.jsonl']);
    expect((await all(log)).map(({ n }) => n)).toEqual([3, 2, 1]);
    expect(await log.verify()).toMatchObject({ entries: 3, problem: undefined });
  });

  test.each<[string, (part: string) => Promise<void>]>([
    ['whose last entry and head.json are damaged', (part) => appendFile(part, '{"n":4}\n')],
    ['whose newest part cannot be read', () => mkdir(join(folder, '000000000009.jsonl'))],
  ])('that is %s is moved aside, and a new one begins', async (_, damage) => {
    await fill(await open(), 3);
    const [name = ''] = await parts();
    await damage(join(folder, name));
    await writeFile(join(folder, 'head.json'), '');
    const kept = await readFile(join(folder, name), 'utf8');
    const log = await open();
    const [place = ''] = await aside();
    expect(warned.at(-1)).toMatch(/^the audit log cannot be read: .*; it was moved to .*, and a new one begins$/);
    expect(warned.at(-1)).toContain(place);
    await fill(log, 1);
    expect(await log.verify()).toMatchObject({ first: 1, last: 1, entries: 1, problem: undefined });
    expect(await readFile(join(place, name), 'utf8')).toBe(kept);
  });

  test('never writes into a part that it did not begin', async () => {
    const log = await open();
    await writeFile(join(folder, '000000000001.jsonl'), 'of another one\n');
    await fill(log, 1);
    expect(warned).toEqual([expect.stringContaining('EEXIST')]);
    expect(await readFile(join(folder, '000000000001.jsonl'), 'utf8')).toBe('of another one\n');
  });

  test('writes each entry once, even where an old part cannot be deleted', async () => {
    const log = await open({ maxBytes: 1, keep: 1 });
    await fill(log, 1);
    await rm(join(folder, '000000000001.jsonl'));
    await mkdir(join(folder, '000000000001.jsonl'));
    await fill(log, 1, 2);
    await fill(log, 1, 3);
    expect(warned).not.toEqual([]);
    expect(new Set(warned.map((one) => one.split(':')[0]))).toEqual(
      new Set(['old parts of the audit log cannot be deleted']),
    );
    for (const n of [2, 3]) {
      const lines = (await readFile(join(folder, `00000000000${n}.jsonl`), 'utf8')).trimEnd().split('\n');
      expect(lines.map((line) => (JSON.parse(line) as AuditEntry).n)).toEqual([n]);
    }
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

  test('passes on what the disk has not taken, and writes it no more itself', async () => {
    const log = await open();
    await rm(folder, { recursive: true });
    await writeFile(folder, 'in the way');
    await fill(log, 1);
    await log.handOver();
    log.append(happening('late'));
    await rm(folder);
    const passed: unknown[] = [];
    log.passTo((one) => void passed.push(one.about));
    expect(passed).toEqual(['entry 1', 'late']);
    expect(await all(log)).toEqual([]);
  });
});
