import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { scratch } from '../helpers/ends.js';
import { writeFiles } from '../helpers/files.js';
import { ROOT } from '../helpers/host.js';

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
  await promisify(execFile)('python3', ['-I', '-S', join(ROOT, 'python/compile.py'), folder]);
  const made = (await readdir(folder, { recursive: true })).filter((path) => path.endsWith('.pyc'));
  expect(made.map((path) => path.replace(/\.cpython-\d+\.pyc$/, '')).sort()).toEqual([
    'lib/site-packages/loud/__pycache__/__init__',
    'lib/site-packages/loud/__pycache__/testing',
  ]);
});
