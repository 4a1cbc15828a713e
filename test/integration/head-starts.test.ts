import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { scratch } from '../helpers/ends.js';
import { ROOT, startHost, until, type TestHost } from '../helpers/host.js';
import { Project, run, textApp } from '../helpers/project.js';
import { processesWith, pushLive, refOf, visit } from '../helpers/pushing.js';

/** An app that shows what its process was told, and prints where it is. */
const app = (text: string): Record<string, string> => ({
  'app.py': [
    'import os, sys',
    'import streamlit as st',
    'print("printed by", os.environ["STREAMLIT_HOST_RELEASE"], flush=True)',
    `st.text("text:${text}")`,
    'st.text("release=" + os.environ["STREAMLIT_HOST_RELEASE"] + " zone=" + os.environ.get("ZONE", "none"))',
    'st.text("backend=" + os.environ["MPLBACKEND"])',
    'st.text("theme=" + str(st.get_option("theme.primaryColor")) + " stdin=" + repr(sys.stdin.read()))',
  ].join('\n'),
  'requirements.txt': 'streamlit\n',
  '.streamlit/config.toml': '[theme]\nprimaryColor = "#123456"\n',
});

describe('a deploy of an app that has run before', () => {
  let host: TestHost;

  beforeAll(async () => void (host = await startHost({ env: { STREAMLIT_HOST_SESSION_TTL_SECONDS: '1' } })));

  /** An app that is live, and what is known of its processes. */
  async function live(id: string): Promise<{
    project: Project;
    /** What the process of the live release was given as it began. */
    given: () => Promise<string>;
    /** True where it began before its release was there, and was told later what to run. */
    wasAhead: () => Promise<boolean>;
    onlyTheLiveOneRuns: () => Promise<unknown>;
  }> {
    const project = await Project.create(app('one'));
    await pushLive(project, host, id);
    const given = async (): Promise<string> => readFile(`/proc/${String((await host.app(id)).pid)}/environ`, 'latin1');
    return {
      project,
      given,
      wasAhead: async () => !(await given()).includes('STREAMLIT_HOST_RELEASE='),
      onlyTheLiveOneRuns: () =>
        until('nothing else of the app runs', async () => {
          const { pid } = await host.app(id);
          return (await processesWith(`/${id}/`)).every((one) => one === pid);
        }),
    };
  }

  it('uses an interpreter that started during the push, and gives it everything a new one would get', async () => {
    const { given, project, wasAhead } = await live('swift');
    expect(await wasAhead()).toBe(false);
    await project.commit(app('two'), 'two');
    await pushLive(project, host, 'swift');
    expect(await wasAhead()).toBe(true);
    const seen = await visit(host, 'swift');
    for (const text of ['text:two', 'release=2 zone=none', "theme=#123456 stdin=''"]) expect(seen).toContain(text);
    expect(await readFile(join(host.data, 'apps/swift/run.log'), 'utf8')).toContain('printed by 2');
    expect(await given()).toMatch(/STREAMLIT_HOST_CHILD=[^\0]*\/swift\/2\//);
  });

  it('starts a new interpreter with the current config vars after a config change or a rollback', async () => {
    const { given, onlyTheLiveOneRuns, wasAhead } = await live('reconfigured');
    expect((await host.send('PATCH', '/apps/reconfigured/config', { vars: { ZONE: 'north' } })).ok).toBe(true);
    await until('the change is live', async () => (await host.app('reconfigured')).release === 2);
    expect([await wasAhead(), /ZONE=north/.test(await given())]).toEqual([true, true]);
    expect(await visit(host, 'reconfigured')).toContain('release=2 zone=north');
    expect((await host.send('POST', '/apps/reconfigured/rollback', { release: 1 })).status).toBe(202);
    await until('the rollback is live', async () => (await host.app('reconfigured')).release === 3);
    expect([await wasAhead(), /ZONE=/.test(await given())]).toEqual([true, false]);
    expect(await visit(host, 'reconfigured')).toContain('release=3 zone=none');
    await onlyTheLiveOneRuns();
  });

  it("leaves Streamlit's own environment variables unset, whatever a config var says", async () => {
    await live('backed');
    expect((await host.send('PATCH', '/apps/backed/config', { vars: { MPLBACKEND: 'TkAgg' } })).ok).toBe(true);
    await until('the change is live', async () => (await host.app('backed')).release === 2);
    expect(await visit(host, 'backed')).toContain('backend=Agg');
  });

  it('uses its own packages if the push changes them, and nothing of the other interpreter is left', async () => {
    const { onlyTheLiveOneRuns, project, wasAhead } = await live('packed');
    await project.commit({ 'requirements.txt': 'streamlit\nsix\n' }, 'more packages');
    await pushLive(project, host, 'packed');
    expect(await wasAhead()).toBe(false);
    await onlyTheLiveOneRuns();
  });

  it("starts in its release's folder if a config var configures Python itself", async () => {
    const { given, onlyTheLiveOneRuns, project, wasAhead } = await live('parted');
    expect((await host.send('PATCH', '/apps/parted/config', { vars: { PYTHONPATH: 'parts' } })).ok).toBe(true);
    await until(
      'the change is live',
      async () => (await host.app('parted')).state === 'running' && (await given()).includes('PYTHONPATH=parts'),
    );
    await project.commit(
      { 'parts/part.py': 'TEXT = "here"', 'app.py': 'import part, streamlit as st\nst.text("part=" + part.TEXT)' },
      'in parts',
    );
    await pushLive(project, host, 'parted');
    expect(await visit(host, 'parted')).toContain('part=here');
    expect(await wasAhead()).toBe(false);
    await onlyTheLiveOneRuns();
  });

  it('leaves nothing running if the push is refused, deploys nothing or is already live', async () => {
    const { onlyTheLiveOneRuns, project } = await live('lonely');
    const before = await host.app('lonely');
    await project.commit({ 'app.py': 'raise ValueError("no")' }, 'broken');
    expect((await project.git('push', host.remote('lonely'), 'main')).code).toBe(1);
    await project.git('rm', '--quiet', 'app.py');
    await project.git('commit', '--quiet', '-m', 'nothing left');
    expect((await project.git('push', host.remote('lonely'), 'main')).code).toBe(1);
    expect((await project.git('push', host.remote('lonely'), 'HEAD~2:refs/heads/stored')).code).toBe(0);
    await onlyTheLiveOneRuns();
    expect(await host.app('lonely')).toMatchObject({ release: before.release, pid: before.pid });
    expect(await refOf(host, 'lonely', 'refs/heads/stored')).toBeDefined();
  });
});

describe("the launcher of an app's Python", () => {
  const launcher = join(ROOT, 'python/launch.py');

  it('runs nothing without an order', async () => {
    expect(await run('python3', [launcher, 'hello'], '/')).toEqual({ code: 1, output: '' });
  });

  it('does not let a file of the app shadow a module that Streamlit imports', async () => {
    const host = await startHost();
    const project = await Project.create({
      ...textApp('mine'),
      'typing_extensions.py': 'raise ImportError("not this one")',
      'calendar.py': 'raise ImportError("nor this")',
    });
    await pushLive(project, host, 'shadow');
    expect(await visit(host, 'shadow')).toContain('mine');
  });

  it('does not let one do so if Streamlit is imported after the order either, as older versions are', async () => {
    const folder = await scratch('launch-');
    const packages = join(folder, 'packages/streamlit/web');
    await mkdir(packages, { recursive: true });
    await mkdir(join(folder, 'app'));
    for (const path of [join(packages, '__init__.py'), join(packages, '../__init__.py')]) await writeFile(path, '');
    await writeFile(
      join(packages, 'cli.py'),
      'import colorsys, sys\ndef main(prog_name):\n    import beside\n    print(prog_name, sys.argv, beside.TEXT)\n',
    );
    await writeFile(join(folder, 'app/colorsys.py'), 'raise ImportError("not this one")');
    await writeFile(join(folder, 'app/beside.py'), 'TEXT = "beside"');
    const order = JSON.stringify({ argv: ['streamlit', 'run'], cwd: join(folder, 'app'), environment: {} });
    const output = execFileSync('python3', [launcher, 'hello'], {
      cwd: folder,
      input: order,
      env: { PATH: process.env.PATH, PYTHONPATH: join(folder, 'packages') },
    });
    expect(output.toString()).toBe("streamlit ['streamlit', 'run'] beside\n");
  });
});
