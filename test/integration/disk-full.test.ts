import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whenCompiled } from '../helpers/compiler.js';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { ask } from '../helpers/web.js';
import { OPENED } from '../helpers/forms.js';

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

/** Fills it to the last byte. */
async function fill(): Promise<void> {
  await Promise.allSettled([writeFile(join(folder, 'filler'), Buffer.alloc(1400 * 1024 * 1024))]);
}

describe.skipIf(!mounted)('a full disk (needs root, to mount a small one)', () => {
  let host: TestHost;
  let project: Project;

  beforeAll(async () => {
    host = await startHost({ data: join(folder, 'data'), env: { STREAMLIT_HOST_DISK_FLOOR_MB: '0' } });
    project = await Project.create(textApp('before'));
    await pushLive(project, host, 'full');
    await whenCompiled(host.data);
  });

  afterAll(async () => {
    await host?.stop();
    execFileSync('umount', ['--lazy', folder]);
    await rm(folder, { recursive: true, force: true });
  });

  it('during a build fails the push with a sentence, leaves nothing behind, and keeps the old release serving', async () => {
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
    expect({ pid: after.pid, release: after.release, state: after.state }).toEqual({
      pid: before.pid,
      release: before.release,
      state: 'running',
    });
    expect((await fetch(`${host.url}/apps/full/_stcore/health`)).status).toBe(200);

    await rm(join(folder, 'filler'));
    const again = await project.git('push', host.remote('full'), 'main');
    expect(again.code, again.output).toBe(0);
    await whenCompiled(host.data);
  });

  it('is named as the reason for a refused change, and nothing is half done', async () => {
    const record = join(host.data, 'apps/full/meta.json');
    await until(
      'nothing happens any more',
      async () =>
        (await host.app('full')).state === 'running' && !(await readFile(record, 'utf8')).includes('"draining"'),
    );
    const before = await readFile(record, 'utf8');
    await fill();
    const form = new FormData();
    form.set('app', new Blob(['import streamlit as st\n']), 'app.py');
    const answers = [
      await host.api('/apps/full', { method: 'PATCH', body: form }),
      await host.api('/apps/full/files/app.py', { method: 'PUT', body: '# edited\n' }),
      await host.send('PATCH', '/apps/full/config', { vars: { MOOD: 'good' } }),
      await host.send('POST', '/apps/full/redeploy', {}),
      await host.send('POST', '/apps/full/restart', {}),
      await host.send('POST', '/apps', { name: 'Another' }),
    ];
    await rm(join(folder, 'filler'));
    const said = await Promise.all(
      answers.map(async (answer) => [answer.status, ((await answer.json()) as { detail: string }).detail]),
    );
    for (const one of said)
      expect(one).toEqual([503, expect.stringMatching(/^The server's disk is full\. Free some space/)]);
    expect(await readFile(record, 'utf8')).toBe(before);
    expect((await host.app('full')).state).toBe('running');
    expect(await readdir(join(host.data, 'tmp'))).toEqual([]);
    expect(await readdir(join(host.data, 'apps'))).toEqual(['full']);
  });

  it('does not prevent stopping an app, which is recorded once there is space', async () => {
    const record = join(host.data, 'apps/full/meta.json');
    const before = await readFile(record, 'utf8');
    const { pid } = await host.app('full');
    await fill();
    const stopped = await host.send('POST', '/apps/full/stop', {});
    expect(stopped.status, await stopped.text()).toBe(200);
    expect((await host.app('full')).state).toBe('stopped');
    expect(() => process.kill(pid as number, 0)).toThrow('ESRCH');
    expect(await readFile(record, 'utf8')).toBe(before);
    await rm(join(folder, 'filler'));
    await until('it is on record', async () => {
      const { wanted, processes } = JSON.parse(await readFile(record, 'utf8')) as {
        wanted: string;
        processes: object[];
      };
      return wanted === 'stopped' && processes.length === 0;
    });
    expect((await host.send('POST', '/apps/full/start', {})).status).toBe(200);
    await until('it runs again', async () => (await host.app('full')).state === 'running');
  });

  it('does not prevent using the console or deleting an app, which frees space', async () => {
    await fill();
    const login = await ask(host.loginUrl, { headers: OPENED });
    expect([login.status, login.headers['set-cookie']?.[0]]).toEqual([303, expect.stringContaining('session')]);
    const { pid } = await host.app('full');
    const removed = await host.api('/apps/full?confirm=full', { method: 'DELETE' });
    expect(removed.status, await removed.text()).toBe(204);
    expect(await readdir(join(host.data, 'apps'))).toEqual([]);
    expect(() => process.kill(pid as number, 0)).toThrow('ESRCH');
    await rm(join(folder, 'filler'));
  });
});
