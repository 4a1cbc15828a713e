import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { leftoversIn, removeLeftover, removeQuarantines } from '../../../src/store/leftovers.js';
import { writeFiles } from '../../helpers/files.js';

let repository: string;
beforeEach(async () => {
  repository = await mkdtemp(join(tmpdir(), 'leftovers-'));
});
afterEach(() => rm(repository, { recursive: true, force: true }));

const KEPT = [
  'HEAD',
  'config',
  'objects/69/9fa3ca471a92607c6f4d986202505821690d2e',
  'objects/info/alternates',
  'objects/pack/pack-1.pack',
  'packed-refs',
  'refs/heads/feature/a.locked',
  'refs/heads/main',
  'refs/heads/tmp_work',
];
const QUARANTINES = ['objects/incoming-x/69/a', 'objects/tmp_objdir-incoming-y/pack/pack-2.pack'];
const LEFT = [
  'HEAD.lock',
  'gc.pid',
  'objects/info/commit-graph.lock',
  'objects/maintenance.lock',
  'objects/pack/tmp_pack_z',
  'packed-refs.lock',
  'refs/heads/feature/a.lock',
  'refs/heads/main.lock',
];

const write = (paths: readonly string[]): Promise<void> =>
  writeFiles(repository, Object.fromEntries(paths.map((path) => [path, ''])));
const files = async (): Promise<string[]> =>
  (await readdir(repository, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(repository.length + 1))
    .sort();

it('deletes what a killed git has left in a repository, and nothing else', async () => {
  await write([...KEPT, ...QUARANTINES, ...LEFT]);
  for (const path of await leftoversIn(repository)) await removeLeftover(path);
  expect(await files()).toEqual(KEPT);
});

it('deletes nothing but what pushes have left, where other git processes may work', async () => {
  await write([...KEPT, ...QUARANTINES, ...LEFT]);
  await removeQuarantines(repository);
  expect(await files()).toEqual([...KEPT, ...LEFT].sort());
});

it('finds nothing where there is no repository', async () => {
  expect(await leftoversIn(join(repository, 'none'))).toEqual([]);
  await removeQuarantines(join(repository, 'none'));
});
