import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { scratch } from '../helpers/ends.js';
import { writeFiles } from '../helpers/files.js';
import { ROOT } from '../helpers/host.js';

const run = promisify(execFile);

test('an environment is compiled, but for what is wrong and for its packages’ tests, and nothing of it is run', async () => {
  const folder = await scratch('compile-');
  await writeFiles(folder, {
    'lib/site-packages/loud/__init__.py': 'raise SystemExit(9)\n',
    'lib/site-packages/loud/wrong.py': 'def (:\n',
    'lib/site-packages/loud/testing.py': 'x = 1\n',
    'lib/site-packages/loud/tests/test_loud.py': 'x = 1\n',
    'lib/site-packages/loud/deep/test/data.py': 'x = 1\n',
    'lib/site-packages/evil.pth': 'import sys; sys.exit(9)\n',
  });
  await run('python3', ['-I', '-S', join(ROOT, 'python/compile.py'), folder]);
  const made = (await readdir(folder, { recursive: true })).filter((path) => path.endsWith('.pyc'));
  expect(made.map((path) => path.replace(/\.cpython-\d+\.pyc$/, '')).sort()).toEqual([
    'lib/site-packages/loud/__pycache__/__init__',
    'lib/site-packages/loud/__pycache__/testing',
  ]);
});

const SITE = 'lib/python3/site-packages';
const WHEEL = { 'shop-1.dist-info/METADATA': 'Name: shop\n' };

/** Compiles an environment, with what uv has unpacked. @returns what a process hears of its module on import */
async function compiled(folder: string, cache: string): Promise<string> {
  await run('python3', ['-I', '-S', join(ROOT, 'python/compile.py'), folder, cache]);
  const about = 'import shop; print(shop.value, shop.name.__code__.co_filename, shop.__cached__)';
  const path = `import sys; sys.path[:0] = [${JSON.stringify(join(folder, SITE))}]`;
  return (await run('python3', ['-B', '-c', `${path}; ${about}`])).stdout;
}

/** Links an unpacked wheel into an environment, as uv does. */
async function link(unpacked: string, folder: string): Promise<void> {
  await mkdir(join(folder, 'lib/python3'), { recursive: true });
  await run('cp', ['-al', unpacked, join(folder, SITE)]);
}

/** The only file that was compiled in a folder. */
async function bytecodeIn(folder: string): Promise<string> {
  const all = (await readdir(folder, { recursive: true })).filter((path) => path.endsWith('.pyc'));
  expect(all).toHaveLength(1);
  return join(folder, all[0] ?? '');
}

test('a wheel is compiled once for all environments that have it, and each process sees it in its own place', async () => {
  const [cache, one, two] = [await scratch('cache-'), await scratch('one-'), await scratch('two-')];
  const files = { ...WHEEL, 'shop.py': 'value = 1\ndef name(): pass\n' };
  const unpacked = join(cache, 'archive-v0/abc');
  await writeFiles(unpacked, files);
  await link(unpacked, one);
  await compiled(one, cache);
  const entry = await bytecodeIn(unpacked);
  expect(await readFile(entry)).toEqual(await readFile(await bytecodeIn(one)));
  expect(await readdir(cache)).toEqual(['archive-v0']);

  // As an install links it, with all that lies there.
  await link(unpacked, two);
  const { ino } = await stat(entry);
  expect(await compiled(two, cache)).toContain(`1 ${two}/${SITE}/shop.py ${two}/${SITE}/__pycache__/shop.`);
  expect((await stat(await bytecodeIn(two))).ino).toBe(ino);
  expect((await stat(entry)).ino).toBe(ino);
});

test('bytecode that a build has put into an environment is replaced, and reaches no other one', async () => {
  const cache = await scratch('cache-');
  const files = { ...WHEEL, 'shop.py': 'value = 1\ndef name(): pass\n' };
  const [evil, honest, fake] = [join(cache, 'archive-v0/abc'), join(cache, 'archive-v0/xyz'), await scratch('fake-')];
  // What looks like the bytecode of the same source, and is that of another one.
  await writeFiles(join(fake, SITE), { 'shop.py': 'value = "evil"\ndef name(): pass\n' });
  await compiled(fake, cache);
  const forged = await readFile(await bytecodeIn(fake));
  await writeFiles(honest, files);
  const built = await scratch('built-');
  await link(honest, built);
  await compiled(built, await scratch('none-'));
  (await readFile(await bytecodeIn(built))).copy(forged, 8, 8, 16);
  const name = basename(await bytecodeIn(built));
  await writeFile(join(built, SITE, '__pycache__', name), forged);
  // Another index has a wheel of the same name and sources, and with that bytecode.
  await writeFiles(evil, files);
  await mkdir(join(evil, '__pycache__'));
  await writeFile(join(evil, '__pycache__', name), forged);
  expect(await compiled(built, cache)).toContain('1 ');
  expect((await readFile(await bytecodeIn(honest))).includes('evil')).toBe(false);

  // A build that was not linked from the cache gives nothing to it.
  await rm(join(honest, '__pycache__'), { recursive: true });
  const copied = await scratch('copied-');
  await cp(honest, join(copied, SITE), { recursive: true });
  await mkdir(join(copied, SITE, '__pycache__'));
  await writeFile(join(copied, SITE, '__pycache__', name), forged);
  expect(await compiled(copied, cache)).toContain('1 ');
  expect(await readdir(honest)).not.toContain('__pycache__');
});

test('a wheel whose source was changed by an install gets no bytecode from it', async () => {
  const [cache, folder] = [await scratch('cache-'), await scratch('changed-')];
  await writeFiles(join(cache, 'archive-v0/abc'), { ...WHEEL, 'shop.py': 'value = 1\ndef name(): pass\n' });
  await writeFiles(join(folder, SITE), { ...WHEEL, 'shop.py': 'value = 2\ndef name(): pass\n' });
  expect(await compiled(folder, cache)).toContain('2 ');
  expect((await readdir(cache, { recursive: true })).filter((path) => path.endsWith('.pyc'))).toEqual([]);
});

test('a cache that is gone or cannot be written keeps no environment from being compiled', async () => {
  const folder = await scratch('alone-');
  await writeFiles(join(folder, SITE), { ...WHEEL, 'shop.py': 'value = 1\ndef name(): pass\n' });
  expect(await compiled(folder, join(folder, 'none'))).toContain('1 ');
  await bytecodeIn(folder);

  const [locked, other] = [await scratch('locked-'), await scratch('other-')];
  await writeFiles(join(locked, 'archive-v0/abc'), { ...WHEEL, 'shop.py': 'value = 1\ndef name(): pass\n' });
  // Where drafts would be put, there is something else.
  await symlink('/dev/null', join(locked, 'streamlit-host'));
  await writeFiles(join(other, SITE), { ...WHEEL, 'shop.py': 'value = 1\ndef name(): pass\n' });
  expect(await compiled(other, locked)).toContain('1 ');
  await bytecodeIn(other);
});
