import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkVersions, isAtLeast, parseVersion } from '../../../scripts/lib/versions.js';

let bin: string;

beforeEach(async () => {
  bin = await mkdtemp(join(tmpdir(), 'versions-'));
});
afterEach(() => rm(bin, { recursive: true, force: true }));

async function program(name: string, says: string): Promise<void> {
  const file = join(bin, name);
  await writeFile(file, `#!/bin/sh\necho "${says}"\n`);
  await chmod(file, 0o755);
}

it('versions are parsed from what programs print', () => {
  expect(parseVersion('git version 2.39.5 (Apple Git-154)')).toEqual([2, 39]);
  expect(parseVersion('Python 3.10.0rc1')).toEqual([3, 10]);
  expect(parseVersion('Valkey server v=9.1.2 sha=00000000:1')).toEqual([9, 1]);
  expect(parseVersion('command not found')).toBeUndefined();
});

it('versions are compared as numbers', () => {
  expect(isAtLeast([3, 10], [3, 10])).toBe(true);
  expect(isAtLeast([3, 9], [3, 10])).toBe(false);
  expect(isAtLeast([4, 0], [3, 10])).toBe(true);
  expect(isAtLeast([2, 90], [3, 10])).toBe(false);
  expect(isAtLeast(undefined, [0, 0])).toBe(false);
});

it('versions that are new enough pass', async () => {
  await program('git', 'git version 2.29.0');
  await program('python3', 'Python 3.10.4');
  await expect(checkVersions({ PATH: bin }, '20.19.0')).resolves.toBeUndefined();
});

it('versions that are missing or too old are named in one line', async () => {
  await program('python3', 'Python 3.9.2');
  await expect(checkVersions({ PATH: bin }, '18.19.0')).rejects.toThrow(
    'streamlit-host needs Node.js 20.19 or newer (found 18.19) and git 2.29 or newer (found none) ' +
      'and Python 3.10 or newer (found 3.9). Install what is missing, then start again.',
  );
});
