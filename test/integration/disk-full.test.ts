import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHost, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';

/** A file system of its own, so that it can be filled; only root may mount one. */
function mount(folder: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1400m', 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false; // Not root, or a machine that lets nobody mount: the test's name says that it needs it.
  }
}

const folder = await mkdtemp(join(tmpdir(), 'small-disk-'));
const mounted = mount(folder);

describe.skipIf(!mounted)('a full disk (needs root, to mount a small one)', () => {
  let host: TestHost;
  let project: Project;

  beforeAll(async () => {
    host = await startHost({ data: join(folder, 'data') });
    project = await Project.create(textApp('before'));
    await pushLive(project, host, 'full');
  });

  afterAll(async () => {
    await host?.stop();
    execFileSync('umount', ['--lazy', folder]);
    await rm(folder, { recursive: true, force: true });
  });

  it('in the middle of a build fails the push with a sentence, leaves nothing behind, and the old release serves', async () => {
    const before = await host.app('full');
    const environments = await readdir(join(host.data, 'environments'));
    const { bavail, bsize } = await statfs(folder);
    // Room for a release and its logs, not for an environment.
    await writeFile(join(folder, 'filler'), Buffer.alloc(bavail * bsize - 60 * 1024 * 1024));

    await project.commit({ ...textApp('after'), 'requirements.txt': 'streamlit\nsix\n' }, 'Another environment');
    const refused = await project.git('push', host.remote('full'), 'main');
    expect(refused.code).toBe(1);
    expect(refused.output).toMatch(/remote rejected.*disk is full/);
    expect(await readdir(join(host.data, 'environments'))).toEqual(environments);
    expect((await readdir(join(host.data, 'tmp'))).filter((name) => name.startsWith('environment-'))).toEqual([]);
    const after = await host.app('full');
    expect({ pid: after.pid, release: after.release, state: after.state }).toEqual({ pid: before.pid, release: before.release, state: 'running' });
    expect((await fetch(`${host.url}/apps/full/_stcore/health`)).status).toBe(200);

    await rm(join(folder, 'filler'));
    const again = await project.git('push', host.remote('full'), 'main');
    expect(again.code, again.output).toBe(0);
  });
});
