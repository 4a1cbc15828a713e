import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Visitors } from '../../../src/metrics/visitors.js';

const NOON = Date.UTC(2026, 2, 4, 12);
const DAY = 86_400_000;

let folder: string;
let file: string;
const warnings: string[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'visitors-'));
  file = join(folder, 'visitors.json');
  warnings.length = 0;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function open(now = NOON): Promise<Visitors> {
  const visitors = new Visitors(file, (text) => void warnings.push(text));
  await visitors.open(now);
  return visitors;
}

it('counts a visitor of an app once a day', async () => {
  const visitors = await open();
  const seen = (app: string, who: string, now = NOON): boolean => visitors.isNew(app, who, now);
  expect([seen('shop', 'ada'), seen('shop', 'ada'), seen('shop', 'bob'), seen('blog', 'ada')]).toEqual([
    true,
    false,
    true,
    true,
  ]);
  expect(seen('shop', 'ada', NOON + DAY)).toBe(true);
});

it('knows after a restart who was there today', async () => {
  const visitors = await open();
  visitors.isNew('shop', 'ada', NOON);
  await visitors.flush();
  expect((await open()).isNew('shop', 'ada', NOON)).toBe(false);
  expect((await open(NOON + DAY)).isNew('shop', 'ada', NOON + DAY)).toBe(true);
});

it('keeps no address, and no hash that another day would have as well', async () => {
  const hashes = async (now: number): Promise<string> => {
    const visitors = await open(now);
    visitors.isNew('shop', '192.0.2.7 Firefox', now);
    await visitors.flush();
    return readFile(file, 'utf8');
  };
  const [first, second] = [await hashes(NOON), await hashes(NOON + DAY)];
  expect(first + second).not.toMatch(/192|Firefox/);
  const of = (text: string): string => String((JSON.parse(text) as { apps: { shop: string[] } }).apps.shop);
  expect(of(first)).not.toBe(of(second));
});

it('moves a file that cannot be read aside, and says so', async () => {
  await writeFile(file, '{"day":');
  expect((await open()).isNew('shop', 'ada', NOON)).toBe(true);
  expect(warnings[0]).toMatch(/^Cannot read .*visitors.json.*moved to/);
});
