import { mkdir, mkdtemp, readdir, readFile, rm, rmdir, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { app, blank, BOX_ID, page, pageId, pageOf } from '../../../src/metrics/fields.js';
import { MetricsStore, type Resolution } from '../../../src/metrics/store.js';

/** As the real ones, with blocks of a few spans. */
const RESOLUTIONS: Resolution[] = [
  { name: '10s', seconds: 10, blockSpans: 12, keepBlocks: 4, maxBytes: 1e6 },
  { name: '5m', seconds: 300, blockSpans: 4, keepBlocks: 4, maxBytes: 1e6 },
  { name: '1h', seconds: 3_600, blockSpans: 2, keepBlocks: 3, maxBytes: 1e6 },
];
const HOUR = 3_600_000;
const BEGIN = 1_000 * HOUR;

let folder: string;
const warnings: string[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'metrics-'));
  warnings.length = 0;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function open(now = BEGIN): Promise<MetricsStore> {
  const store = new MetricsStore(folder, (text) => void warnings.push(text), RESOLUTIONS);
  await store.open(now);
  return store;
}

function requests(count: number, release = 1): number[] {
  const values = blank('shop');
  [values[app.samples], values[app.requests2xx], values[app.release]] = [1, count, release];
  return values;
}

/** One request in each span of 10 s. @returns the end of the last one */
async function record(store: MetricsStore, from: number, spans: number): Promise<number> {
  for (let span = 1; span <= spans; span += 1) await store.add(from + span * 10_000, new Map([['shop', requests(1)]]));
  return from + spans * 10_000;
}

async function total(
  store: MetricsStore,
  seconds: number,
  from = BEGIN - HOUR,
  to = BEGIN + 100 * HOUR,
): Promise<number> {
  const points = await store.series('shop', from, to, seconds);
  return points.reduce((sum, { values }) => sum + (values[app.requests2xx] ?? 0), 0);
}

async function files(level = '10s'): Promise<string[]> {
  return (await readdir(join(folder, level))).sort();
}

describe('MetricsStore', () => {
  it('keeps the pages of an app under ids of their own, and reads them without the others', async () => {
    const store = await open();
    const visited = (views: number): [string, number[]][] =>
      ['shop', 'shopping'].flatMap((id) => [
        [id, requests(1)],
        [pageId(id, '/'), [views, 0, 0]],
        [pageId(id, '/sales'), [1, 1, 250]],
      ]);
    // Some are in a block, some in a journal, and some not on disk yet.
    for (let span = 1; span <= 20; span += 1) await store.add(BEGIN + span * 10_000, new Map(visited(2)));
    expect(await files()).toContain(`${BEGIN / 120_000}.block`);
    const pages = await store.all(BEGIN, BEGIN + HOUR, 10, (id) => pageOf(id)?.app === 'shop');
    const sums = [...pages].map(([id, points]) => [
      id,
      points.length,
      points.reduce((sum, { values }) => sum + (values[page.views] ?? 0), 0),
    ]);
    expect(sums).toEqual([
      ['shop /', 20, 40],
      ['shop /sales', 20, 20],
    ]);
    const coarse = await store.all(BEGIN, BEGIN + HOUR, 300, (id) => id === 'shop /sales');
    expect([...coarse.values()].map((points) => points.map(({ values }) => values))).toEqual([[[20, 20, 5_000]]]);
    expect(await total(store, 10)).toBe(20);
    await store.close();
  });

  it('answers with what is not on disk yet', async () => {
    const store = await open();
    await record(store, BEGIN, 2);
    for (const seconds of [10, 300, 3_600]) expect(await total(store, seconds)).toBe(2);
    expect(await total(store, 1_800)).toBe(2);
  });

  it('has the same sums in all resolutions, across blocks and after it was opened again', async () => {
    const store = await open();
    // 200 spans: half an hour and more.
    const at = await record(store, BEGIN, 200);
    for (const seconds of [300, 3_600, 86_400]) expect(await total(store, seconds)).toBe(200);
    await store.close();
    const again = await open(at);
    for (const seconds of [300, 3_600]) expect(await total(again, seconds)).toBe(200);
    await record(again, at, 300);
    for (const seconds of [300, 3_600]) expect(await total(again, seconds)).toBe(500);
    expect(warnings).toEqual([]);
  });

  it('loses no more than the last batch where the server is killed', async () => {
    const store = await open();
    await record(store, BEGIN, 100);
    // Nobody closes it.
    const again = await open(BEGIN + 100 * 10_000);
    const kept = await total(again, 3_600);
    expect(kept).toBeGreaterThanOrEqual(95);
    expect(await total(again, 10, BEGIN + 90 * 10_000)).toBeGreaterThanOrEqual(5);
  });

  it('sums up what an earlier server did not come to', async () => {
    const store = await open();
    const at = await record(store, BEGIN, 28);
    await store.close();
    const later = await open(at + 2 * HOUR);
    expect(await total(later, 300)).toBe(28);
    expect(await total(later, 3_600)).toBe(28);
  });

  it('packs blocks that are over, and keeps only the newest', async () => {
    const store = await open();
    await record(store, BEGIN, 12 * 7 + 6);
    const names = await files();
    expect(names.filter((name) => name.endsWith('.block'))).toHaveLength(4);
    expect(names.filter((name) => name.endsWith('.journal'))).toHaveLength(1);
    // Four blocks of twelve, and what is in the journal.
    expect(await total(store, 10)).toBe(4 * 12 + 6);
  });

  it('keeps to its size on disk', async () => {
    const small = RESOLUTIONS.map((one) => ({ ...one, maxBytes: 900, keepBlocks: 100 }));
    const store = new MetricsStore(folder, (text) => void warnings.push(text), small);
    await store.open(BEGIN);
    for (let span = 1; span <= 400; span += 1) {
      const many = Array.from({ length: 5 }, (_, place) => [`app-${place}`, requests(span * 977)] as const);
      await store.add(BEGIN + span * 10_000, new Map(many));
      expect(store.bytes).toBeLessThan(3 * 900 + 900);
    }
    expect(warnings).toEqual([]);
  });

  it('shows where nothing was measured', async () => {
    const store = await open();
    await record(store, BEGIN, 3);
    await record(store, BEGIN + 60_000, 3);
    await store.close();
    const ticks = (await (await open()).series('shop', BEGIN, BEGIN + HOUR, 10)).map(
      ({ tick }) => tick - BEGIN / 10_000,
    );
    expect(ticks).toEqual([0, 1, 2, 6, 7, 8]);
  });

  it('continues after the clock is put back, and loses nothing', async () => {
    const store = await open();
    await record(store, BEGIN, 30);
    await record(store, BEGIN, 30);
    await store.close();
    const again = await open(BEGIN + 300_000);
    for (const seconds of [10, 300, 3_600]) expect(await total(again, seconds)).toBe(60);
    const points = await again.series('shop', BEGIN, BEGIN + HOUR, 10);
    expect(points.map(({ tick }) => tick)).toEqual([...new Set(points.map(({ tick }) => tick))].sort((a, b) => a - b));
  });

  it('keeps what is there while the clock is in the future', async () => {
    const store = await open();
    await record(store, BEGIN, 12);
    await record(store, BEGIN + 1e6 * HOUR, 3);
    await record(store, BEGIN + 120_000, 12);
    expect(await total(store, 10)).toBe(24);
  });

  it('catches up after the clock was in the future', async () => {
    const store = await open();
    const measured = (at: number): Promise<void> =>
      store.add(
        at,
        new Map([
          ['shop', requests(1)],
          [BOX_ID, blank(BOX_ID)],
        ]),
      );
    for (let span = 1; span <= 90; span += 1) await measured(BEGIN + span * 10_000);
    await measured(BEGIN + 50 * HOUR);
    for (let span = 91; span <= 100; span += 1) await measured(BEGIN + span * 10_000);
    await store.close();
    const again = await open(BEGIN + 1_000_000);
    expect(await total(again, 300, BEGIN, BEGIN + HOUR)).toBe(100);
  });

  it('counts nothing twice where a block cannot be packed', async () => {
    const store = await open();
    const block = join(folder, '10s', `${BEGIN / 10_000 / 12}.block`);
    await mkdir(join(block, 'in the way'), { recursive: true });
    const at = await record(store, BEGIN, 18);
    const later = await record(store, at, 12);
    expect(await total(store, 10)).toBe(30);
    expect(warnings).toEqual([expect.stringMatching(/^Metrics cannot be packed: /)]);
    await rm(block, { recursive: true });
    await record(store, later, 6);
    for (const seconds of [10, 300]) expect(await total(store, seconds)).toBe(36);
    expect((await files()).filter((name) => name.endsWith('.journal'))).toHaveLength(1);
  });

  it('moves a damaged journal aside, says so, and keeps the part that can be read', async () => {
    const store = await open();
    await record(store, BEGIN, 12);
    await store.close();
    const name = (await files()).find((one) => one.endsWith('.journal')) ?? '';
    const bytes = await readFile(join(folder, '10s', name));
    // In the first of two frames.
    bytes[20] = (bytes[20] ?? 0) ^ 0xff;
    await writeFile(join(folder, '10s', name), bytes);
    await open();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^Cannot read .*journal.*damaged.*moved to/);
    expect(await files()).toContain(`${name}.unreadable`);
  });

  it('moves a block of a newer version aside, and continues', async () => {
    const store = await open();
    const at = await record(store, BEGIN, 24);
    await store.close();
    const name = (await files()).find((one) => one.endsWith('.block')) ?? '';
    const bytes = await readFile(join(folder, '10s', name));
    bytes[4] = 9;
    await writeFile(join(folder, '10s', name), bytes);
    const again = await open(at);
    expect(await total(again, 10)).toBe(12);
    expect(warnings[0]).toContain('newer version');
    await record(again, at, 12);
    expect(await total(again, 10)).toBe(24);
  });

  it('takes a block that was cut off as damaged', async () => {
    const store = await open();
    await record(store, BEGIN, 24);
    await store.close();
    const name = (await files()).find((one) => one.endsWith('.block')) ?? '';
    await truncate(join(folder, '10s', name), 20);
    expect(await total(await open(), 10)).toBe(12);
    expect(warnings[0]).toContain('damaged');
  });

  it('does not count a journal twice that a crash has left next to its block', async () => {
    const store = await open();
    await record(store, BEGIN, 12);
    const [name = ''] = await files();
    const journal = await readFile(join(folder, '10s', name));
    await record(store, BEGIN + 120_000, 6);
    await store.close();
    expect(await files()).not.toContain(name);
    await writeFile(join(folder, '10s', name), journal);
    const again = await open(BEGIN + HOUR);
    expect(await total(again, 10)).toBe(18);
    expect(await files()).not.toContain(name);
  });

  it('keeps what cannot be written, and writes it later', async () => {
    const store = await open();
    await record(store, BEGIN, 12);
    const next = join(folder, '10s', `${BEGIN / 120_000 + 1}.journal`);
    await mkdir(next);
    await record(store, BEGIN + 120_000, 6);
    expect(warnings).toHaveLength(1);
    await rmdir(next);
    await record(store, BEGIN + 180_000, 6);
    expect(warnings).toHaveLength(1);
    await store.close();
    expect(await total(await open(BEGIN + HOUR), 10)).toBe(24);
  });
});
