import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { restoreBackup } from '../../../src/backup/archive.js';
import { Backups, type BackupPlan } from '../../../src/backup/backups.js';
import { scratch } from '../../helpers/ends.js';
import { writeFiles } from '../../helpers/files.js';

let folder: string;
let data: string;
let held: string[];
const path = process.env.PATH ?? '';

beforeEach(async () => {
  folder = await scratch('backups-');
  data = join(folder, 'data');
  held = [];
  await writeFiles(data, {
    'vault.key': 'the key',
    'users.json': '{}',
    'redis/dump': 'no part of it',
    'environments/abc/bin/python': 'no part of it',
    'apps/shop/meta.json': '{"id":"shop"}',
    'apps/shop/config.json.sealed': 'sealed',
    'apps/shop/releases/1/build.log': 'built',
    'apps/shop/releases/1/source/app.py': 'made again',
    'apps/shop/repo.git/HEAD': 'ref: refs/heads/main',
    'apps/shop/repo.git/objects/ab/cd': 'object',
    'apps/shop/repo.git/objects/pack/tmp_pack_x': 'unfinished',
    'apps/shop/storage/data.csv': 'a,b',
  });
});
afterEach(() => vi.useRealTimers());

function backups(plan?: BackupPlan): Backups {
  const logger = { info: () => undefined, error: () => undefined };
  const hold = (): (() => void) => {
    held.push('held');
    return () => void held.push('released');
  };
  return new Backups({ data, tmp: join(folder, 'tmp'), path, plan, s3: undefined, hold, logger });
}

async function filesOf(where: string): Promise<string[]> {
  const found = await readdir(where, { recursive: true, withFileTypes: true });
  return found
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name).slice(where.length + 1))
    .sort();
}

it('a backup holds what cannot be made again and, unless it is asked for, no key', async () => {
  const { place } = await backups().make(join(folder, 'to'), false);
  expect((await stat(place)).mode & 0o777).toBe(0o600);
  expect(held).toEqual(['held', 'released']);
  const restored = join(folder, 'restored');
  await expect(restoreBackup(createReadStream(place), restored, { key: undefined, path })).rejects.toMatchObject({
    code: 'backup-key-missing',
  });
  await restoreBackup(createReadStream(place), restored, { key: Buffer.from('kept'), path });
  expect(await filesOf(restored)).toEqual([
    'apps/shop/config.json.sealed',
    'apps/shop/meta.json',
    'apps/shop/releases/1/build.log',
    'apps/shop/repo.git/HEAD',
    'apps/shop/repo.git/objects/ab/cd',
    'apps/shop/storage/data.csv',
    'users.json',
    'vault.key',
  ]);
  expect(await readFile(join(restored, 'vault.key'), 'utf8')).toBe('kept');
});

it('a backup that is cut off, or something else, restores nothing', async () => {
  const { place } = await backups().make(join(folder, 'to'), true);
  const whole = await readFile(place);
  await writeFile(join(folder, 'cut'), whole.subarray(0, whole.length - 20));
  await writeFile(join(folder, 'other'), 'hello');
  for (const file of ['cut', 'other'])
    await expect(
      restoreBackup(createReadStream(join(folder, file)), join(folder, 'restored'), { key: undefined, path }),
    ).rejects.toMatchObject({ code: 'backup-unreadable' });
  await mkdir(join(folder, 'full/apps'), { recursive: true });
  await expect(
    restoreBackup(createReadStream(place), join(folder, 'full'), { key: undefined, path }),
  ).rejects.toMatchObject({ code: 'restore-not-empty' });
  expect((await readdir(folder)).sort()).toEqual(['cut', 'data', 'full', 'other', 'tmp', 'to']);
});

it('by a plan, a backup is made when the newest one is too old, and only the newest ones stay', async () => {
  const to = join(folder, 'to');
  await writeFiles(to, {
    'streamlit-host-20260101T000000Z.tar.gz': 'old',
    'streamlit-host-20260102T000000Z.tar.gz': 'newer',
    'notes.txt': 'of somebody else',
  });
  const planned = backups({ to, everyMs: 3_600_000, keep: 2, key: true });
  await planned.begin();
  await planned.close();
  const names = (await readdir(to)).sort();
  expect(names).toHaveLength(3);
  expect(names.slice(0, 2)).toEqual(['notes.txt', 'streamlit-host-20260102T000000Z.tar.gz']);
  const again = backups({ to, everyMs: 3_600_000, keep: 2, key: true });
  await again.begin();
  await again.close();
  expect((await readdir(to)).sort()).toEqual(names);
});
