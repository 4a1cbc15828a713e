import { mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { digestOf, filesIn, isThere, readTopFile } from '../../../src/store/folder.js';
import { writeFiles } from '../../helpers/files.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'folder-'));
  await write({
    'app.py': 'x = 1\n',
    'pages/1_Map.py': '',
    'data/big.csv': '1,2\n',
    '.streamlit/config.toml': '',
    'venv/lib/a.py': '',
    '.git/HEAD': '',
    'my-python/pyvenv.cfg': '',
    'my-python/b.py': '',
  });
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const write = (files: Record<string, string>): Promise<void> => writeFiles(dir, files);

it("the files of a folder are the app's, without environments, git and links", async () => {
  await symlink('/etc', join(dir, 'etc'));
  expect((await filesIn(dir)).map((file) => file.path)).toEqual([
    '.streamlit/config.toml',
    'app.py',
    'data/big.csv',
    'pages/1_Map.py',
  ]);
  await expect(filesIn(join(dir, 'nowhere'))).rejects.toThrow('ENOENT');
});

it('the top-level files of a folder can be read up to a size', async () => {
  expect(String(await readTopFile(dir, 'app.py', 100))).toBe('x = 1\n');
  expect([
    await readTopFile(dir, 'app.py', 2),
    await readTopFile(dir, 'none', 2),
    await readTopFile(dir, 'data', 100),
  ]).toEqual([undefined, undefined, undefined]);
  expect([
    await isThere(join(dir, 'data'), 'folder'),
    await isThere(join(dir, 'data'), 'file'),
    await isThere(join(dir, 'app.py', 'x')),
  ]).toEqual([true, false, false]);
});

it("the digest of a folder's code changes with its text and names, and with added and deleted files", async () => {
  const seen = new Set([await digestOf(dir)]);
  for (const change of [
    { 'app.py': 'x = 2\n' },
    { 'pages/2.py': '' },
    { '.streamlit/config.toml': '[theme]\n' },
    { 'requirements.txt': 'streamlit\n' },
  ]) {
    await write(change);
    seen.add(await digestOf(dir));
  }
  await rm(join(dir, 'pages/1_Map.py'));
  seen.add(await digestOf(dir));
  expect([...seen].map((digest) => /^[0-9a-f]{40}$/.test(digest))).toEqual([true, true, true, true, true, true]);
});

it("the digest of a folder's code does not change with data, environments, caches and times", async () => {
  const before = await digestOf(dir);
  await write({
    'data/big.csv': '3,4\n',
    'venv/lib/a.py': 'new',
    '__pycache__/app.pyc': 'x',
    'my-python/c.py': '',
    '.streamlit/secrets.toml': 'a = 1\n',
  });
  await utimes(join(dir, 'app.py'), new Date(0), new Date(0));
  expect(await digestOf(dir)).toBe(before);
});

it("the digest of a folder's code includes a main file elsewhere", async () => {
  const apart = await mkdtemp(join(tmpdir(), 'apart-'));
  try {
    const main = join(apart, 'app.py');
    const missing = await digestOf(dir, main);
    await writeFile(main, 'y = 1\n');
    const there = await digestOf(dir, main);
    await writeFile(main, 'y = 2\n');
    expect(new Set([missing, there, await digestOf(dir, main)]).size).toBe(3);
    expect(await digestOf(dir, join(dir, 'app.py'))).toBe(await digestOf(dir));
  } finally {
    await rm(apart, { recursive: true });
  }
});
