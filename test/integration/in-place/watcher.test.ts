import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { newApp, type App } from '../../../src/domain/app/app.js';
import { Watcher } from '../../../src/in-place/watcher.js';
import { writeFiles } from '../../helpers/files.js';

let folder: string;
let watcher: Watcher;
/** The apps whose code has changed, as often as it was told. */
let told: string[];
let warned: object[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'watcher-'));
  told = [];
  warned = [];
  watcher = new Watcher({ logger: { warn: (facts) => void warned.push(facts) } });
  watcher.subscribe(async (id) => void told.push(id));
});
afterEach(async () => {
  await watcher.close();
  await rm(folder, { recursive: true, force: true });
});

async function app(id: string, watch = true): Promise<App> {
  const dir = join(folder, id);
  await writeFiles(dir, { 'app.py': '', 'data.csv': '' });
  return { ...newApp(id, id, new Date(0)), place: { key: id, dir, restartOnCrash: true, watch } };
}
const times = (id: string): number => told.filter((one) => one === id).length;
const waits = { timeout: 20_000, interval: 20 };

it('many code changes at once are reported as one, without data changes and unwatched apps', async () => {
  const [sales, stock, quiet] = [await app('sales'), await app('stock'), await app('quiet', false)];
  watcher.follow([sales, stock, quiet]);
  // What changed before it was watched is told too.
  await vi.waitFor(() => expect([...told].sort()).toEqual(['sales', 'stock']), waits);
  await writeFiles(join(folder, 'stock'), { 'data.csv': '1', '__pycache__/app.pyc': '', 'venv/x.py': '' });
  await writeFiles(join(folder, 'quiet'), { 'app.py': 'two' });
  const changes = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`part_${at}.py`, '']));
  await writeFiles(join(folder, 'sales'), changes);
  await vi.waitFor(() => expect(times('sales')).toBeGreaterThan(1), waits);
  expect(times('stock')).toBe(1);
  await writeFiles(join(folder, 'stock'), { 'app.py': 'two' });
  await vi.waitFor(() => expect(times('stock')).toBeGreaterThan(1), waits);
  expect(times('quiet')).toBe(0);
  // Once, unless the machine was so busy that it seemed quiet in between.
  expect(times('sales')).toBeLessThan(5);
  expect(warned).toEqual([]);
});

it('no change is reported for an app that is no longer watched, or after the watcher is closed', async () => {
  const [sales, stock] = [await app('sales'), await app('stock')];
  watcher.follow([sales, stock]);
  await vi.waitFor(() => expect([...told].sort()).toEqual(['sales', 'stock']), waits);
  watcher.follow([stock]);
  await writeFiles(join(folder, 'sales'), { 'app.py': 'two' });
  await writeFiles(join(folder, 'stock'), { 'app.py': 'two' });
  await vi.waitFor(() => expect(times('stock')).toBeGreaterThan(1), waits);
  expect(times('sales')).toBe(1);
  const before = told.length;
  await writeFiles(join(folder, 'stock'), { 'app.py': 'three' });
  await watcher.close();
  watcher.follow([sales]);
  expect(told).toHaveLength(before);
});

it('a listener that fails is logged, and the others are still called', async () => {
  watcher.subscribe(() => Promise.reject(new Error('no deploy')));
  const late: string[] = [];
  const leave = watcher.subscribe(async (id) => void late.push(id));
  leave();
  watcher.follow([await app('sales')]);
  await vi.waitFor(() => expect(told).toEqual(['sales']), waits);
  await vi.waitFor(() => expect(warned).toHaveLength(1));
  expect(late).toEqual([]);
});
