import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { installedPackages, Locks } from '../../../src/environments/locks.js';
import { writeFiles } from '../../helpers/files.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'locks-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('a lock is kept and replaced', async () => {
  const locks = new Locks(join(folder, 'locks'));
  expect(await locks.take('a')).toBeUndefined();
  await locks.keep('a', 'six==1\n');
  await locks.keep('a', 'six==2\n');
  expect(await locks.take('a')).toBe('six==2\n');
});

it('a lock goes when no release names it and it was not used for a while', async () => {
  const root = join(folder, 'locks');
  const locks = new Locks(root);
  await locks.prune(new Set(), 0);
  for (const key of ['named', 'unused', 'taken']) {
    await locks.keep(key, '');
    const then = new Date(Date.now() - 10_000);
    await utimes(join(root, `${key}.txt`), then, then);
  }
  await locks.take('taken');
  await locks.prune(new Set(['named']), 5_000);
  expect((await readdir(root)).sort()).toEqual(['named.txt', 'taken.txt']);
});

it('the packages of an environment are told by what they have left there', async () => {
  await writeFiles(join(folder, 'lib/python3.12/site-packages'), {
    'Six-1.17.dist-info/METADATA': 'Metadata-Version: 2.1\nName: Six\nVersion: 1.17\n\nName: other\n',
    'a-1.dist-info/METADATA': 'Name: a\r\nVersion: 1\r\n\r\nText\r\n',
    'a-1.dist-info/direct_url.json': '{"url": "https://example.com/a.zip"}',
    'b-1.dist-info/METADATA': 'Name: b\nVersion: 1\n',
    'b-1.dist-info/direct_url.json': '{',
    'pip-25.dist-info/METADATA': 'Name: pip\nVersion: 25\n',
    'empty-1.dist-info/RECORD': '',
    'six.py': '',
  });
  const found = await installedPackages(folder);
  expect(found.sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
    { name: '', version: '', origin: undefined },
    { name: 'Six', version: '1.17', origin: undefined },
    { name: 'a', version: '1', origin: { url: 'https://example.com/a.zip' } },
    { name: 'b', version: '1', origin: {} },
  ]);
});
