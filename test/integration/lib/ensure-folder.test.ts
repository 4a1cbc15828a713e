import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ensureFolder } from '../../../src/lib/ensure-folder.js';

const folder = await mkdtemp(join(tmpdir(), 'ensure-folder-'));
const disk = join(folder, 'disk');

/** Only root may mount a disk: one that has room for two files. */
function mount(): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'nr_inodes=3', 'tmpfs', disk], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

await ensureFolder(disk);
const mounted = mount();
afterAll(async () => {
  if (mounted) execFileSync('umount', [disk]);
  await rm(folder, { recursive: true, force: true });
});

it('creates a folder with those above it, once, and with the permissions that it is given', async () => {
  const path = join(folder, 'a/b');
  expect(await ensureFolder(path, 0o700)).toBe(join(folder, 'a'));
  expect(await ensureFolder(path, 0o700)).toBeUndefined();
  expect((await stat(path)).mode & 0o777).toBe(0o700);
});

it('reports a file that is in the way', async () => {
  await writeFile(join(folder, 'file'), '');
  await expect(ensureFolder(join(folder, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
  await expect(ensureFolder(join(folder, 'file/below'))).rejects.toMatchObject({ code: 'ENOTDIR' });
});

describe.skipIf(!mounted)('on a disk without inodes (needs root, to mount a small one)', () => {
  it('says that the disk is full, and not that the folder is missing', async () => {
    await ensureFolder(join(disk, 'there'));
    await writeFile(join(disk, 'file'), '');
    for (const path of ['new', 'new/below', 'there/new'])
      await expect(ensureFolder(join(disk, path))).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(await ensureFolder(join(disk, 'there'))).toBeUndefined();
  });
});
