import { access, readlink, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';

interface DeployAnswer {
  release: number;
  state: string;
  live: boolean;
  source: string;
}

describe('releases', () => {
  let host: TestHost;
  let project: Project;

  beforeAll(async () => {
    host = await startHost();
    project = await Project.create(textApp('one'));
    await pushLive(project, host, 'kept');
  });

  const push = async (text: string): Promise<void> => {
    await project.commit(textApp(text), text);
    await pushLive(project, host, 'kept');
  };

  const deploys = async (): Promise<DeployAnswer[]> =>
    ((await (await host.api('/apps/kept/deploys?per_page=100')).json()) as { deploys: DeployAnswer[] }).deploys;

  const rollback = (release: number): Promise<Response> => host.send('POST', '/apps/kept/rollback', { release });

  it('are rolled back to with their code and environment, without an install, and the branch does not move', async () => {
    await push('two');
    const head = (await project.git('rev-parse', 'HEAD')).output.trim();
    const diff = await (await host.api('/apps/kept/deploys/1/diff')).text();
    expect(diff).toContain('-st.write("two")');
    expect(diff).toContain('+st.write("one")');

    const asked = await rollback(1);
    expect(asked.status).toBe(202);
    const { release } = (await asked.json()) as DeployAnswer;
    expect(release).toBe(3);
    await until('the rollback is live', async () => (await host.app('kept')).release === 3);
    const log = (await (await host.api('/apps/kept/deploys/3')).json()) as { log: { lines: string[] }; source: string };
    expect(log.source).toBe('rollback');
    expect(log.log.lines.join('\n')).toContain('Rolling back to release 1');
    expect(log.log.lines.join('\n')).not.toMatch(/dependencies/i);
    expect((await project.git('ls-remote', host.remote('kept'), 'refs/heads/main')).output).toContain(head);
  });

  it('that were never live cannot be rolled back to, and nothing changes', async () => {
    await project.commit({ 'app.py': 'raise SystemError("no")\n' }, 'Broken');
    expect((await project.git('push', host.remote('kept'), 'main')).code).toBe(1);
    const failed = (await deploys())[0];
    expect(failed?.state).toBe('failed');
    const refused = await rollback(failed?.release ?? 0);
    expect(refused.status).toBe(409);
    expect(((await refused.json()) as { code: string }).code).toBe('release-never-live');
    expect((await rollback(999)).status).toBe(404);
    expect((await host.app('kept')).release).toBe(3);
  });

  it('are kept ten at a time; older ones are deleted from disk, the list and git', async () => {
    for (let number = 0; number < 11; number += 1) await push(`many ${number}`);
    // Tidied up behind each deploy, after its push has returned.
    const left = await until('ten are left', async () => {
      const list = await deploys();
      const served = list.filter((deploy) => ['live', 'draining', 'retired'].includes(deploy.state));
      return served.length === 10 ? list : undefined;
    });
    expect(left.map((deploy) => deploy.release)).not.toContain(1);
    expect(left.filter((deploy) => deploy.live)).toHaveLength(1);
    await expect(access(join(host.data, 'apps/kept/releases/1'))).rejects.toThrow('ENOENT');
    const newest = left[0]?.release ?? 0;
    await access(join(host.data, `apps/kept/releases/${newest}/source/app.py`));
    expect((await fetch(`${host.url}/apps/kept/_stcore/health`)).status).toBe(200);
  });

  it("are rolled back to with a rebuilt environment if the old one's Python is gone", async () => {
    const host = await startHost({ environments: 'own' });
    const project = await Project.create(textApp('one'));
    await pushLive(project, host, 'moved');
    await project.commit(textApp('two'), 'two');
    await pushLive(project, host, 'moved');
    const environment = join(host.data, 'apps/moved', await readlink(join(host.data, 'apps/moved/venv')));
    // As after an upgrade of the machine: the link in the environment leads nowhere. What runs goes on.
    await rm(join(environment, 'bin/python'));
    await symlink('/nonexistent/python3', join(environment, 'bin/python'));
    expect((await host.send('POST', '/apps/moved/rollback', { release: 1 })).status).toBe(202);
    const app = await until('the rollback has ended', async () => {
      const { deploys } = (await (await host.api('/apps/moved/deploys')).json()) as {
        deploys: { release: number; state: string; reason: string | null }[];
      };
      const last = deploys.find(({ release }) => release === 3);
      return last !== undefined && ['live', 'failed'].includes(last.state) ? last : undefined;
    });
    expect(app).toMatchObject({ state: 'live', reason: null });
  });
});
