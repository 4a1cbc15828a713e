import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Credentials } from '../../../src/store/credentials.js';

describe('the admin token', () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'credentials-'));
    file = join(folder, 'data', 'admin-token');
  });
  afterEach(() => rm(folder, { recursive: true }));

  test('is created once, kept for its owner only, and is the same at the next start', async () => {
    const first = await Credentials.load(file);
    const token = (await readFile(file, 'utf8')).trim();
    expect(Buffer.from(token, 'base64url')).toHaveLength(32);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(first.check(token)).toEqual({ kind: 'token', name: 'admin', admin: true });

    const second = await Credentials.load(file);
    expect(second.check(token)).toEqual({ kind: 'token', name: 'admin', admin: true });
    expect(second.fingerprint).toBe(first.fingerprint);
    expect((await readFile(file, 'utf8')).trim()).toBe(token);
  });

  test('is not written to a file if it was configured', async () => {
    const credentials = await Credentials.load(file, 'given-token-of-mine');
    expect(credentials.check('given-token-of-mine')).toEqual({ kind: 'token', name: 'admin', admin: true });
    await expect(stat(file)).rejects.toThrow('ENOENT');
  });

  test('opens nothing if it is wrong, shorter, longer or empty', async () => {
    const credentials = new Credentials('given-token-of-mine');
    for (const wrong of ['', 'given', 'given-token-of-mine ', 'given-token-of-minE', 'x'.repeat(10_000)]) {
      expect(credentials.check(wrong)).toBeUndefined();
    }
  });

  test('has its file made private again if a copy had opened it', async () => {
    await Credentials.load(file);
    await chmod(file, 0o644);
    await Credentials.load(file);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test('is not created over a file with other content', async () => {
    await Credentials.load(file);
    await writeFile(file, 'short\n');
    await expect(Credentials.load(file)).rejects.toThrow('does not hold a token');
    expect(await readFile(file, 'utf8')).toBe('short\n');
  });

  test('is not revealed by its fingerprint', () => {
    const { fingerprint } = new Credentials('given-token-of-mine');
    expect(fingerprint).toMatch(/^[0-9a-f]{32}$/);
    expect(new Credentials('given-token-of-minf').fingerprint).not.toBe(fingerprint);
    expect(JSON.stringify(new Credentials('given-token-of-mine'))).not.toContain('given-token');
  });
});
