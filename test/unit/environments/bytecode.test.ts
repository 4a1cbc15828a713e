import { mkdtemp, readdir, rename, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Bytecode } from '../../../src/environments/bytecode.js';
import { writeFiles } from '../../helpers/files.js';

let cache: string;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'bytecode-'));
});
afterEach(() => rm(cache, { recursive: true, force: true }));

it('forgets what was not used for a while, and nothing else of the cache', async () => {
  const bytecode = new Bytecode(cache);
  const folder = await bytecode.open(undefined);
  await writeFiles(folder, { 'cpython-311/old': '', 'cpython-311/new': '' });
  await writeFiles(cache, { 'uv/old': '' });
  const then = new Date(Date.now() - 60_000);
  for (const file of [join(folder, 'cpython-311/old'), join(cache, 'uv/old')]) await utimes(file, then, then);
  await bytecode.prune(30_000);
  expect(await readdir(join(folder, 'cpython-311'))).toEqual(['new']);
  expect(await readdir(join(cache, 'uv'))).toEqual(['old']);
});

it('keeps everything of a build in progress', async () => {
  const bytecode = new Bytecode(cache);
  const folder = await bytecode.open(undefined);
  const names = Array.from({ length: 200 }, (_, at) => String(at));
  await writeFiles(folder, Object.fromEntries(names.map((name) => [`${name}.draft`, ''])));
  const pruned = bytecode.prune(60_000);
  for (const name of names) await rename(join(folder, `${name}.draft`), join(folder, name));
  await pruned;
  expect((await readdir(folder)).sort()).toEqual(names.sort());
});

it('has nothing to forget where nothing was compiled yet', async () => {
  await new Bytecode(join(cache, 'none')).prune(0);
  expect(await readdir(cache)).toEqual([]);
});
