import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newApp, type App } from '../../src/domain/app/app.js';
import { AppStore } from '../../src/store/apps.js';
import { Paths } from '../../src/store/paths.js';
import { Vault } from '../../src/store/vault.js';
import { releaseOf } from '../helpers/release.js';

const folder = await mkdtemp(join(tmpdir(), 'tiny-disk-'));

/** Only root may mount a disk. */
function mount(): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const mounted = mount();

/** Leaves so many pages of room, so that a write that needs more is cut off rather than refused. */
async function leave(pages: number): Promise<void> {
  await rm(join(folder, 'filler'), { force: true });
  const { bavail, bsize } = await statfs(folder);
  await writeFile(join(folder, 'filler'), Buffer.alloc((bavail - pages) * bsize));
}

describe.skipIf(!mounted)('a disk with space for a part of a file (needs root, to mount a small one)', () => {
  const paths = new Paths(folder);
  const long = (app: App): App => ({
    ...app,
    releases: Array.from({ length: 60 }, (_, at) => releaseOf(at + 1, 'failed')),
  });

  beforeAll(async () => {
    await new AppStore(paths).load();
  });
  afterAll(async () => {
    execFileSync('umount', ['--lazy', folder]);
    await rm(folder, { recursive: true, force: true });
  });

  it("keeps an app's record unchanged, says so, and leaves nothing behind", async () => {
    const store = new AppStore(paths);
    await store.create(newApp('hello', 'Hello', new Date(0)));
    const before = await readFile(paths.meta('hello'), 'utf8');
    for (const pages of [0, 1, 2, 3]) {
      await leave(pages);
      await expect(store.update('hello', long)).rejects.toMatchObject({ code: 'ENOSPC' });
      expect(await readFile(paths.meta('hello'), 'utf8')).toBe(before);
      expect(store.get('hello').releases).toEqual([]);
      expect((await readdir(paths.app('hello'))).filter((name) => name.endsWith('.draft'))).toEqual([]);
    }
    await rm(join(folder, 'filler'));
    expect((await store.update('hello', long)).releases).toHaveLength(60);
    const next = new AppStore(paths);
    expect(await next.load()).toEqual([]);
    expect(next.get('hello').releases).toHaveLength(60);
  });

  it('lets an app be stopped, and records that once there is space', async () => {
    const store = new AppStore(paths);
    await store.load();
    const onDisk = async (): Promise<App> => JSON.parse(await readFile(paths.meta('hello'), 'utf8')) as App;
    await leave(0);
    const told: unknown[] = [];
    store.subscribe((_, app) => told.push(app?.wanted));
    expect(await store.want('hello', 'stopped')).toMatchObject({ wanted: 'stopped' });
    expect([store.get('hello').wanted, (await onDisk()).wanted, told]).toEqual(['stopped', 'running', ['stopped']]);
    await expect(store.writeLate()).rejects.toMatchObject({ code: 'ENOSPC' });
    // What is not true by itself is refused as ever, and does not take the note with it.
    await expect(store.want('hello', 'running')).rejects.toMatchObject({ code: 'ENOSPC' });
    await rm(join(folder, 'filler'));
    await store.writeLate();
    expect((await onDisk()).wanted).toBe('stopped');
    const { mtimeMs } = await stat(paths.meta('hello'));
    await store.writeLate();
    expect((await stat(paths.meta('hello'))).mtimeMs).toBe(mtimeMs);
  });

  it("keeps an app's config and the vault's key unchanged", async () => {
    const vault = new Vault(paths);
    expect(await vault.open()).toEqual([]);
    await vault.write('hello', 'config', 'before');
    await leave(1);
    await expect(vault.write('hello', 'config', 'x'.repeat(20_000))).rejects.toMatchObject({ code: 'ENOSPC' });
    await leave(0);
    await expect(vault.rotate()).rejects.toMatchObject({ code: 'ENOSPC' });
    await rm(join(folder, 'filler'));
    expect(await new Vault(paths).open()).toEqual([]);
    expect(await new Vault(paths).read('hello', 'config')).toBe('before');
  });
});
