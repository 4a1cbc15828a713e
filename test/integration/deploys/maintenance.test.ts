import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Maintenance } from '../../../src/deploys/maintenance.js';
import type { Repository } from '../../../src/store/repository.js';
import { LfsObjects } from '../../../src/store/lfs-objects.js';
import { TestData } from '../../helpers/data.js';
import { until } from '../../helpers/host.js';

let data: TestData;
let repository: Repository;
let maintenance: Maintenance;
let said: string[];

beforeEach(async () => {
  data = await TestData.open();
  said = [];
  const say = (facts: object, text: string): void => void said.push(`${text} ${JSON.stringify(facts)}`);
  maintenance = new Maintenance({ ...data, mark: 'test/build', logger: { info: say, warn: say } });
  await data.app('shop');
  repository = await data.repository('shop');
});
afterEach(async () => {
  await maintenance.close();
  await data.close();
});

/** Bytes below a folder. */
async function sizeOf(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = names.filter((one) => one.isFile()).map((one) => stat(join(one.parentPath, one.name)));
  return (await Promise.all(files)).reduce((sum, { size }) => sum + size, 0);
}

/** Commits a file that no packing makes small, of which little changes; each version is an object of its own. */
async function commits(number: number, from?: string): Promise<string | undefined> {
  const file = join(data.paths.tmp, 'table.csv');
  let parent = from;
  for (let at = 0; at < number; at += 1) {
    await writeFile(file, BASE.replace(/^.{50}/, `${from ?? ''}${at}`.padStart(50, '.')));
    const change = { set: [{ path: 'table.csv', file }], remove: [], replace: true, author: 'ada', message: `${at}` };
    parent = await repository.commit({ parent, ...change }, data.paths.tmp);
    await repository.pointRef('refs/heads/main', parent);
    const lastRelease = data.store.get('shop').lastRelease + 1;
    await data.store.update('shop', (app) => ({ ...app, lastRelease }));
  }
  return parent;
}
const BASE = randomBytes(2_000_000).toString('base64');

it('versions of one large file are packed to little more than one of them, and every commit stays', async () => {
  const newest = await commits(20);
  const before = await sizeOf(repository.path);
  await maintenance.look();
  const after = await sizeOf(repository.path);
  expect(before).toBeGreaterThan(38_000_000);
  expect(after).toBeLessThan(3_000_000);
  expect(await repository.ask(['rev-list', '--count', 'main'])).toBe('20');
  await repository.ask(['fsck', '--strict']);
  expect(said).toEqual([expect.stringMatching(/^tidied a repository .*"app":"shop"/)]);
  // Little has come since.
  await commits(1, newest);
  await maintenance.look();
  expect(said).toHaveLength(1);
});

it('a lock that a killed git has left does not keep a branch from moving forever', async () => {
  const commit = (await commits(1)) ?? '';
  const heads = join(repository.path, 'refs/heads');
  const [old, held] = ['old', 'held'].map((name) => join(heads, `${name}.lock`));
  for (const lock of [old, held]) await writeFile(lock ?? '', '');
  const hours = Date.now() / 1_000 - 2 * 3_600;
  await utimes(old ?? '', hours, hours);
  await maintenance.look();
  expect((await readdir(heads)).sort()).toEqual(['held.lock', 'main']);
  await repository.pointRef('refs/heads/old', commit);
  await expect(repository.pointRef('refs/heads/held', commit)).rejects.toThrow('remove the file');
});

it('nothing is packed while the app is pushed to, and a push interrupts it', async () => {
  await commits(20);
  const release = maintenance.hold('shop');
  await maintenance.look();
  expect(said).toEqual([]);
  release();
  const looking = maintenance.look();
  await until('git runs', async () =>
    (await readdir(join(repository.path, 'objects/pack')).catch(() => [])).some((name) => name.startsWith('tmp_')),
  );
  const again = maintenance.hold('shop');
  await looking;
  expect(said).toEqual([]);
  again();
  await maintenance.look();
  expect(said).toHaveLength(1);
  await repository.ask(['fsck', '--strict']);
});

it('objects of a failed push expire after two days, unless a preview may need them', async () => {
  const lost = await repository.ask(['hash-object', '-w', '--stdin'], { input: 'of a failed push' });
  const quarantine = join(repository.path, 'objects/tmp_objdir-incoming-abc');
  await mkdir(quarantine);
  const file = join(repository.path, 'objects', lost.slice(0, 2), lost.slice(2));
  const old = new Date(Date.now() - 3 * 24 * 3_600_000);
  for (const one of [file, quarantine]) await utimes(one, old, old);
  await data.app('shop--try', { preview: { of: 'shop', branch: 'try' } as never });
  await data.repository('shop--try');
  await commits(20);
  await maintenance.look();
  expect(await repository.ask(['cat-file', '-t', lost])).toBe('blob');
  await data.store.remove('shop--try');
  await commits(20, await repository.resolve('refs/heads/main'));
  await maintenance.look();
  await expect(repository.ask(['cat-file', '-t', lost])).rejects.toThrow();
  await expect(stat(quarantine)).rejects.toThrow('ENOENT');
});

it('files of Git LFS that no commit names are deleted after two days, and those of a commit or of a preview are kept', async () => {
  const store = new LfsObjects(data.paths.lfs('shop'));
  const days = (number: number): Date => new Date(Date.now() - number * 24 * 3_600_000);
  /** Stores a file of Git LFS. @returns its pointer, as a file */
  const keep = async (text: string, at: Date): Promise<{ oid: string; size: number; file: string }> => {
    const pointer = { oid: createHash('sha256').update(text).digest('hex'), size: text.length };
    await store.keep(
      pointer,
      (async function* () {
        yield Buffer.from(text);
      })(),
    );
    await utimes(store.path(pointer.oid), at, at);
    const file = join(data.paths.tmp, `${text}.bin`);
    await writeFile(
      file,
      `version https://git-lfs.github.com/spec/v1\noid sha256:${pointer.oid}\nsize ${pointer.size}\n`,
    );
    return { ...pointer, file };
  };
  const [named, previewed, unnamed, recent] = [
    await keep('named', days(9)),
    await keep('previewed', days(9)),
    await keep('unnamed', days(3)),
    await keep('recent', days(1)),
  ];
  const commit = async (to: Repository, file: string): Promise<string> => {
    const change = { set: [{ path: 'data.bin', file }], remove: [], replace: true, author: 'ada', message: 'Data' };
    return to.commit({ parent: undefined, ...change }, data.paths.tmp);
  };
  await repository.keepRelease(1, await commit(repository, named.file));
  await data.app('shop--look', { preview: { of: 'shop', branch: 'look', lastUsedAt: new Date(0).toISOString() } });
  await commit(await data.repository('shop--look'), previewed.file);

  await maintenance.look();
  const stored = async (): Promise<boolean[]> =>
    Promise.all([named, previewed, unnamed, recent].map(async (one) => store.has(one)));
  expect(await stored()).toEqual([true, true, false, true]);
  expect(said.filter((line) => line.includes('Git LFS'))).toEqual([
    'deleted files of Git LFS that no commit names {"app":"shop","objects":1}',
  ]);
});
