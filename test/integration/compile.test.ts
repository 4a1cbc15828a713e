import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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

/** Compiles an environment of one module, with what was compiled before. @returns what a process hears of it on import */
async function compiled(folder: string, source: string, store: string): Promise<string> {
  await writeFiles(folder, { 'shop.py': source });
  await run('python3', ['-I', '-S', join(ROOT, 'python/compile.py'), folder, store]);
  const about = 'import shop; print(shop.value, shop.name.__code__.co_filename, shop.__cached__)';
  const { stdout } = await run('python3', [
    '-B',
    '-c',
    `import sys; sys.path[:0] = [${JSON.stringify(folder)}]; ${about}`,
  ]);
  return stdout;
}

test('a file is compiled once for all environments that have it, and each process sees it in its own place', async () => {
  const store = await scratch('bytecode-');
  const entries = async (): Promise<string[]> =>
    (await readdir(store, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  const source = 'value = 1\ndef name(): pass\n';
  const [one, two, three] = [await scratch('one-'), await scratch('two-'), await scratch('three-')];
  await compiled(one, source, store);
  const [entry = ''] = await entries();
  const long = new Date(1_000_000_000_000);
  await utimes(entry, long, long);

  const heard = await compiled(two, source, store);
  expect(heard).toContain(`1 ${two}/shop.py ${two}/__pycache__/shop.`);
  expect(await entries()).toEqual([entry]);
  // It was taken, since that is what its time tells.
  expect((await stat(entry)).mtimeMs).toBeGreaterThan(long.getTime());
  const [pyc = ''] = await readdir(join(two, '__pycache__'));
  const made = await readFile(join(two, '__pycache__', pyc));
  expect((await readFile(entry)).subarray(32)).toEqual(made);

  expect(await compiled(three, source.replace('1', '2'), store)).toContain(`2 ${three}/shop.py`);
  expect(await entries()).toHaveLength(2);

  // The machine lost its power as the entry was written.
  await writeFile(entry, (await readFile(entry)).subarray(0, -5));
  expect(await compiled(await scratch('four-'), source, store)).toContain('1 /');
  expect((await readFile(entry)).subarray(32)).toEqual(made);
});

test('a source that changes while it is compiled is not kept for another one', async () => {
  const [folder, store] = [await scratch('changing-'), await scratch('bytecode-')];
  const fifo = join(folder, 'shop.py');
  await run('mkfifo', [fifo]);
  const [source, evil] = ['value = "theirs"', 'value = "evil"'];
  // Whoever opens it gets the one, and the next one gets the other.
  const feeder = spawn('sh', ['-c', `printf '${source}' >"$0"; sleep 0.2; printf '${evil}' >"$0"`, fifo]);
  await run('python3', ['-I', '-S', join(ROOT, 'python/compile.py'), folder, store]);
  feeder.kill('SIGKILL');
  const kept = await readdir(store, { recursive: true, withFileTypes: true });
  const entry = kept.find((one) => one.name === createHash('sha256').update(source).digest('hex'));
  const content = await readFile(join(entry?.parentPath ?? '', entry?.name ?? ''));
  expect(content.includes('theirs')).toBe(true);
  expect(content.includes('evil')).toBe(false);
});
