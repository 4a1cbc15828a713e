import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { readdirSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { WarmWorker } from '../../../src/lib/workers.js';
import { filesSize, folderSize } from '../../../src/metrics/folder-size.js';
import { endWithFile, scratch } from '../../helpers/ends.js';
import { ROOT } from '../../helpers/host.js';

const LIMITS = { entries: 1_000, ms: 60_000 };
const LARGE = 1_000_000;

let folder: string;
beforeAll(async () => {
  folder = await scratch('sizes-');
  await mkdir(join(folder, 'app/deep/deeper'), { recursive: true });
  await writeFile(join(folder, 'app/one'), Buffer.alloc(LARGE, 1));
  await writeFile(join(folder, 'app/deep/deeper/two'), Buffer.alloc(LARGE, 2));
  await writeFile(join(folder, 'outside'), Buffer.alloc(LARGE, 3));
  await symlink(folder, join(folder, 'app/link'));
});

test('a folder takes what its files take, without what links lead to', () => {
  const size = folderSize(join(folder, 'app'), LIMITS);
  expect(size).toBeGreaterThanOrEqual(2 * LARGE);
  expect(size).toBeLessThan(2 * LARGE + 50_000);
});

test('missing files and folders take nothing', () => {
  expect(folderSize(join(folder, 'nowhere'), LIMITS)).toBe(0);
  expect(filesSize([join(folder, 'nowhere')])).toBe(0);
  expect(filesSize([join(folder, 'outside'), join(folder, 'nowhere')])).toBeGreaterThanOrEqual(LARGE);
});

test('disks that are mounted in a folder are left out', () => {
  // /dev has some of its own, and takes nothing itself.
  expect(readdirSync('/dev').length).toBeGreaterThan(3);
  expect(folderSize('/dev', LIMITS)).toBeLessThan(LARGE);
});

test('a limit ends it with what was found by then', async () => {
  await mkdir(join(folder, 'many'));
  for (let file = 0; file < 20; file += 1) await writeFile(join(folder, 'many', String(file)), Buffer.alloc(10_000, 1));
  const all = folderSize(join(folder, 'many'), LIMITS);
  const some = folderSize(join(folder, 'many'), { ...LIMITS, entries: 10 });
  expect(some).toBe(all / 2);
  expect(folderSize(join(folder, 'many'), { ...LIMITS, ms: -1 })).toBe(0);
});

test('the thread that measures has the lowest priority, and the server keeps its own', async () => {
  const before = new Set(readdirSync('/proc/self/task'));
  const worker = new WarmWorker(join(ROOT, 'dist/metrics/sizes-worker.cjs'), {
    ...{ workMs: 20_000, startMs: 30_000, memoryMb: 128 },
  });
  endWithFile(() => worker.close());
  const question = { storage: join(folder, 'app'), logs: [join(folder, 'outside')] };
  const size = (await worker.ask(question)) as { storage: number; logs: number };
  expect(size.storage).toBeGreaterThanOrEqual(2 * LARGE);
  expect(size.logs).toBeGreaterThanOrEqual(LARGE);
  const added = readdirSync('/proc/self/task').filter((thread) => !before.has(thread));
  expect(added.map((thread) => getPriority(Number(thread)))).toContain(19);
  expect(getPriority(process.pid)).toBeLessThan(19);
});
