import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { claimData } from '../../../src/store/lock.js';

describe('claimData', () => {
  let folder: string;
  const made: string[] = [];
  const make = async (): Promise<string> => {
    const path = await mkdtemp(join(tmpdir(), 'lock-'));
    made.push(path);
    return path;
  };

  beforeEach(async () => {
    folder = await make();
  });
  // Not before the end: a lock is held until this process ends, and a new folder could be given the old one's number.
  afterAll(() => Promise.all(made.map((path) => rm(path, { recursive: true, force: true }))));

  it('gives a folder to one of many concurrent claims, by any path', async () => {
    const other = `${folder}-by-another-name`;
    await symlink(folder, other);
    const outcomes = await Promise.all([folder, other, folder, other, folder].map((path) => claimData(path)));
    expect(outcomes.filter((mine) => mine)).toHaveLength(1);
    await rm(other);
  });

  it('gives different folders to different servers', async () => {
    const another = await make();
    expect(await claimData(folder)).toBeDefined();
    expect(await claimData(another)).toBeDefined();
  });
});
