import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, realpath, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endWithFile, scratch } from '../helpers/ends.js';
import { whenCompiled } from '../helpers/compiler.js';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive, visit } from '../helpers/pushing.js';

const folder = await mkdtemp(join(tmpdir(), 'full-start-'));
const data = join(folder, 'data');
/** In MB, and far below the size of the disk. */
const FLOOR = { STREAMLIT_HOST_DISK_FLOOR_MB: '50' };

/** Only root may mount a disk. */
function mount(): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=900m,nr_inodes=60k', 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const mounted = mount();

const conditions = {
  full: {
    begin: () => Promise.allSettled([writeFile(join(folder, 'filler'), Buffer.alloc(900 * 1024 * 1024))]),
    end: () => rm(join(folder, 'filler')),
  },
  'without inodes': {
    begin: async () => {
      await mkdir(join(folder, 'fillers'));
      for (let made = 0, full = false; !full; made += 500) {
        const files = Array.from({ length: 500 }, (_, at) => writeFile(join(folder, 'fillers', String(made + at)), ''));
        full = (await Promise.allSettled(files)).some(({ status }) => status === 'rejected');
      }
    },
    end: () => rm(join(folder, 'fillers'), { recursive: true }),
  },
  'read-only': {
    // What runs has its files open: only this path to them is read-only.
    begin: async () => {
      execFileSync('mount', ['--bind', data, data]);
      execFileSync('mount', ['-o', 'remount,bind,ro', data]);
    },
    end: async () => void execFileSync('umount', ['--lazy', data]),
  },
};

describe.skipIf(!mounted)('a server that is restarted on a disk (needs root, to mount a small one)', () => {
  let host: TestHost;
  let project: Project;

  beforeAll(async () => {
    host = await startHost({ data, env: FLOOR });
    project = await Project.create(textApp('text:before'));
    await pushLive(project, host, 'kept');
    await whenCompiled(host.data);
  });
  afterAll(async () => {
    await host?.stop({ keepData: true });
    execFileSync('umount', ['--lazy', folder]);
    await rm(folder, { recursive: true, force: true });
  });

  it('that has little room left refuses new deploys with a sentence, and live apps keep running', async () => {
    const { bavail, bsize } = await statfs(folder);
    await writeFile(join(folder, 'filler'), Buffer.alloc(bavail * bsize - 30_000_000));
    const { pid } = await host.app('kept');
    host = await host.signal('SIGKILL').then(() => startHost({ data, env: FLOOR }));
    await project.commit(textApp('text:after'), 'Too much');
    const { code, output } = await project.git('push', host.remote('kept'), 'main');
    const told = /disk has only \d+ MB left, and deploys need 50 MB\. Nothing new is deployed/;
    expect([code, output]).toEqual([1, expect.stringMatching(told)]);
    const again = await host.send('POST', '/apps/kept/redeploy', {});
    expect([again.status, await again.json()]).toEqual([503, expect.objectContaining({ code: 'disk-low' })]);
    expect(await (await fetch(`${host.url}/readyz`)).json()).toMatchObject({ reasons: [{ part: 'disk' }] });
    expect(await visit(host, 'kept')).toContain('text:before');
    expect((await host.app('kept')).pid).toBe(pid);
    await rm(join(folder, 'filler'));
    await project.git('reset', '--hard', 'HEAD~1');
    await until('there is room', async () => (await fetch(`${host.url}/readyz`)).status === 200);
  });

  it.each(Object.keys(conditions) as (keyof typeof conditions)[])(
    'that is %s serves running apps, says what is missing, and accepts pushes once it can write',
    async (name) => {
      await until('it runs', async () => (await host.app('kept')).state === 'running');
      const { pid } = await host.app('kept');
      await host.signal('SIGKILL');
      // Of a process that ended meanwhile.
      const socket = join(data, 'run/app/ended');
      await writeFile(socket, '');
      const { begin, end } = conditions[name];
      await begin();
      let over = false;
      const once = async (): Promise<void> => {
        if (!over) await end();
        over = true;
      };
      try {
        host = await startHost({ data, env: FLOOR });
        expect(await visit(host, 'kept')).toContain('text:before');
        expect((await host.app('kept')).pid).toBe(pid);
        expect(host.output).toContain('The disk is full or read-only. Postponed: ');
      } finally {
        await once();
      }
      await project.commit(textApp('text:before'), `After ${name}`);
      await until('a push goes live', async () => (await project.git('push', host.remote('kept'), 'main')).code === 0);
      expect((await host.app('kept')).state).toBe('running');
      await until('its socket is gone', () => !existsSync(socket));
    },
  );
});

it.each(['build', `build/${randomUUID()}`, 'git'])(
  'a server that was killed while something of it (%s) still writes ends that, and starts',
  async (kind) => {
    const folder = await scratch('killed-install-');
    await mkdir(join(folder, 'tmp'), { recursive: true });
    const mark = createHash('sha256')
      .update(await realpath(folder))
      .digest('hex')
      .slice(0, 16);
    const script = `
import os, sys, itertools
for n in itertools.count():
    os.makedirs(f"{sys.argv[1]}/environment-x/{n % 50}", exist_ok=True)
    open(f"{sys.argv[1]}/environment-x/{n % 50}/{n}", "w").close()
    if n == 2000: print("busy", flush=True)
`;
    const install = spawn('python3', ['-c', script, join(folder, 'tmp')], {
      env: { PATH: process.env.PATH ?? '', STREAMLIT_HOST_CHILD: `${mark}/${kind}` },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    endWithFile(() => void install.kill('SIGKILL'));
    await new Promise((resolve) => install.stdout.once('data', resolve));
    const host = await startHost({ data: folder });
    expect(install.signalCode).toBe('SIGKILL');
    expect(await readdir(join(folder, 'tmp'))).toEqual([]);
    expect((await fetch(`${host.url}/healthz`)).status).toBe(200);
  },
);
