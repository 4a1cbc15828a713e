import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { execute } from '../../../src/lib/spawn.js';
import { requireWorkingDirectory } from '../../../src/lib/working-directory.js';

test('a working directory that is gone is left, and one that exists is kept', async () => {
  const before = process.cwd();
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'gone-'));
  try {
    process.chdir(folder);
    requireWorkingDirectory();
    expect((await execute('/bin/pwd', ['-P'])).stdout.trim()).toBe(folder);
    await rm(folder, { recursive: true });
    expect((await execute('/bin/pwd', ['-P'])).stdout.trim()).toBe('/');
  } finally {
    process.chdir(before);
  }
});
