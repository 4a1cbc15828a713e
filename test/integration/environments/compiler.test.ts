import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { UNCOMPILED, type Compiler } from '../../../src/environments/compiler.js';
import { FACTS } from '../../../src/environments/places.js';
import { compilerOf } from '../../helpers/compiler.js';
import { writeFiles } from '../../helpers/files.js';

let folder: string;
let compiler: Compiler | undefined;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'compiler-'))));
afterEach(async () => {
  await compiler?.close();
  await rm(folder, { recursive: true, force: true });
});

it('a marker that a crash has left empty means the cage', async () => {
  const { stdout } = await promisify(execFile)('python3', ['-I', '-S', '-c', 'import sys; print(sys.executable)']);
  await writeFiles(folder, {
    [`environments/one/${FACTS}`]: JSON.stringify({ python: { executable: stdout.trim() } }),
    [`environments/one/${UNCOMPILED}`]: '',
    'environments/one/lib/shop.py': 'x = 1\n',
  });
  let cages = 0;
  compiler = compilerOf(folder, join(folder, 'cache'), {
    cage: async () => {
      cages += 1;
      return undefined;
    },
  });
  compiler.add('one');
  await compiler.idle();
  expect(cages).toBe(1);
  expect(existsSync(join(folder, 'environments/one', UNCOMPILED))).toBe(false);
  expect(existsSync(join(folder, 'environments/one/lib/__pycache__'))).toBe(true);
});

it('only what a start imports is compiled ahead of it, and the rest is still to come', async () => {
  const { stdout } = await promisify(execFile)('python3', ['-I', '-S', '-c', 'import sys; print(sys.executable)']);
  const packages = 'environments/one/lib/python3.12/site-packages';
  await writeFiles(folder, {
    [`environments/one/${FACTS}`]: JSON.stringify({ python: { executable: stdout.trim() } }),
    [`environments/one/${UNCOMPILED}`]: '{"caged":false}',
    [`${packages}/streamlit/__init__.py`]: '',
    [`${packages}/streamlit/web/__init__.py`]: '',
    [`${packages}/streamlit/web/cli.py`]: 'import click\n',
    [`${packages}/click.py`]: '',
    [`${packages}/shop.py`]: '',
  });
  compiler = compilerOf(folder, join(folder, 'cache'));
  const compiled = (name: string): boolean => existsSync(join(folder, packages, name, '__pycache__'));
  compiler.ahead('one');
  compiler.ahead('gone');
  await compiler.idle();
  expect([compiled('streamlit/web'), existsSync(join(folder, 'environments/one', UNCOMPILED))]).toEqual([true, true]);
  expect(await readdir(join(folder, packages, '__pycache__'))).toHaveLength(1);
  compiler.add('one');
  await compiler.idle();
  expect(await readdir(join(folder, packages, '__pycache__'))).toHaveLength(2);
  expect(await readdir(join(folder, 'tmp'))).toEqual([]);
});
