import { lstat, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Owners } from '../../../src/store/owners.js';
import { Paths } from '../../../src/store/paths.js';

let paths: Paths;
beforeEach(async () => void (paths = new Paths(await mkdtemp(join(tmpdir(), 'owners-')))));
afterEach(() => rm(paths.data, { recursive: true, force: true }));

describe.runIf(process.getuid?.() === 0)('where each app is a user of its own (needs root)', () => {
  it('an app gets a user and keeps it, and another app gets another one', async () => {
    const owners = new Owners(paths, () => true);
    const [one, other] = [await owners.settle('one'), await owners.settle('other')];
    expect(other).not.toBe(one);
    expect(await owners.settle('one')).toBe(one);
    expect((await stat(paths.storage('one'))).uid).toBe(one);
  });

  it.each(['folder', 'file', 'missing'])(
    'an app owns its own folder, and not what it has linked in its place (%s)',
    async (what) => {
      const owners = new Owners(paths, () => true);
      const uid = await owners.settle('one');
      const [theirs, own] = [join(paths.data, 'theirs'), join(paths.storage('one'), '.tmp')];
      if (what === 'folder') await mkdir(theirs);
      if (what === 'file') await writeFile(theirs, '');
      await symlink(theirs, own);
      await owners.makeFolder(own, uid);
      expect(await lstat(own).then((facts) => [facts.isDirectory(), facts.uid])).toEqual([true, uid]);
      if (what !== 'missing') expect((await stat(theirs)).uid).toBe(0);
      // What is in it stays.
      await writeFile(join(own, 'kept'), '');
      await owners.makeFolder(own, uid);
      expect((await stat(join(own, 'kept'))).isFile()).toBe(true);
    },
  );
});
