import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
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
