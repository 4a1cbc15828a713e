import { spawnSync } from 'node:child_process';
import { chmod, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { LABELS } from '../../src/runtime/docker/engine.js';
import { asUser } from '../helpers/as-user.js';
import { startDocker } from '../helpers/container.js';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { fixture, pushLive } from '../helpers/pushing.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';

/** A user of a server that is not root. */
const USER = 10_001;

/** Says what it can see and do, from within. @param data the server's data folder */
const curious = (data: string): string => `
import os
import streamlit as st

def may_write(folder):
    try:
        open(os.path.join(folder, "written"), "w").close()
        return True
    except OSError:
        return False

status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
st.text("status:" + " ".join(status[name].split()[0] for name in ("CapBnd", "NoNewPrivs", "Seccomp")))
st.text("user:" + str(os.getuid()))
st.text("write:" + " ".join(str(may_write(folder)) for folder in (os.environ["STREAMLIT_HOST_STORAGE"], "/tmp", ".", "/usr", "/")))
st.text("others:" + str(sorted(name for name in os.listdir(${JSON.stringify(data)}) if name not in ("apps", "environments", "run"))))
st.text("secret:" + os.environ["STREAMLIT_HOST_APP"])
`;

/** A release that shows a text. */
function showing(text: string): Record<string, string> {
  return { 'app.py': `import streamlit as st\n\nst.text(${JSON.stringify(text)})\n` };
}

const docker = await startDocker('own');

describe.skipIf(docker.lacks !== '')(`a server that runs apps in containers (${docker.lacks || 'Docker'})`, () => {
  let host: TestHost;
  let project: Project;
  const env = {
    STREAMLIT_HOST_RUNTIME: 'docker',
    STREAMLIT_HOST_DOCKER_SOCKET: docker.socket,
  };

  beforeAll(async () => {
    host = await startHost({ env });
    project = await Project.create({
      ...textApp('text:one'),
      'app.py': curious(host.data),
    });
    await pushLive(project, host, 'boxed');
  });

  /** Every container of Docker: its id, and the mark of what runs in it. */
  const containers = (): string[] =>
    spawnSync(
      'docker',
      ['--host', `unix://${docker.socket}`, 'ps', '--format', `{{.ID}} {{.Label "${LABELS.mark}"}}`],
      {
        encoding: 'utf8',
      },
    )
      .stdout.split('\n')
      .filter(Boolean);
  const open = async (release: number, at = host): Promise<StreamlitClient> => {
    const client = await StreamlitClient.connect(`${at.url}/apps/boxed/`, { path: `/apps/boxed/~${release}` });
    await client.run();
    return client;
  };

  it('serves a pushed app from a container without rights, which sees its own files alone', async () => {
    expect(await host.app('boxed')).toMatchObject({
      state: 'running',
      release: 1,
      pid: null,
      cage: { kind: 'container', own_user: true, network: true, description: 'Container, own user' },
    });
    expect(containers()).toHaveLength(1);
    const page = await open(1);
    expect(page.text('status:')).toBe('0000000000000000 1 2');
    expect(Number(page.text('user:'))).toBeGreaterThan(1_000_000);
    expect(page.text('write:')).toBe('True True False False False');
    expect(page.text('others:')).toBe('[]');
    await page.close();
    const log = await readFile(join(host.data, 'apps/boxed/run.log'), 'utf8');
    expect(log).toMatch(/started instance=\S+\/boxed\/1\//);
    const { memory_bytes: memory } = await host.app('boxed');
    expect(memory).toBeGreaterThan(20_000_000);
  });

  it('says which runtime it is, and that it works', async () => {
    expect(await (await host.api('/apps')).json()).toMatchObject({
      runtime: { kind: 'docker', version: expect.stringMatching(/^\d+\./) as string },
      waits_for: [],
    });
    const { checks } = (await (await host.api('/server/checks')).json()) as {
      checks: { name: string; message: string }[];
    };
    expect(checks.find(({ name }) => name === 'runtime')).toMatchObject({
      ok: true,
      message: expect.stringMatching(/^Apps run in containers of Docker \d+\..*, each as its own user\.$/) as string,
    });
  });

  it('keeps the containers of an app and their pages over a kill of the server, and ends none that is in use', async () => {
    const before = containers();
    await host.signal('SIGKILL');
    expect(containers()).toEqual(before);
    host = await startHost({ env, data: host.data });
    expect(containers()).toEqual(before);
    expect(await host.app('boxed')).toMatchObject({ state: 'running', release: 1, restarts: 0 });
    const page = await open(1);
    expect(page.text('secret:')).toBe('boxed');
    await page.close();
  });

  it('runs the replicas of an app in a container each, and the next server adopts them with their pages', async () => {
    const machine = 'import os\nimport streamlit as st\n\nst.text("machine:" + os.uname().nodename)\n';
    await pushLive(await Project.create({ ...textApp('text:many'), 'app.py': machine }), host, 'many');
    const count = (): number => containers().filter((one) => one.includes('/many/')).length;
    const visit = async (pin: string): Promise<string> => {
      const client = await StreamlitClient.connect(`${host.url}/apps/many/`, { path: `/apps/many/~${pin}` });
      await client.run();
      const name = client.text('machine:');
      await client.close();
      return name;
    };
    expect((await host.send('PATCH', '/apps/many', { replicas: 2 })).status).toBe(200);
    expect(count()).toBe(2);
    const [one, two] = [await visit('1'), await visit('1-2')];
    expect(one).not.toBe(two);
    await host.signal('SIGKILL');
    host = await startHost({ env, data: host.data });
    expect([await visit('1'), await visit('1-2')]).toEqual([one, two]);
    expect(await host.app('many')).toMatchObject({ processes: [{ replica: 1 }, { replica: 2 }] });
    await host.send('PATCH', '/apps/many', { replicas: 1 });
    await host.send('POST', '/apps/many/stop', {});
    expect(count()).toBe(0);
  });

  it('keeps an open page on its container through a deploy', async () => {
    const page = await open(1);
    await project.commit(showing('text:two'), 'two');
    await pushLive(project, host, 'boxed');
    expect(page.isOpen).toBe(true);
    await page.run();
    expect(page.text('secret:')).toBe('boxed');
    expect(containers()).toHaveLength(2);
    const newer = await open(2);
    expect(newer.text('text:')).toBe('two');
    await newer.close();
    await page.close();
  });

  it('keeps containers and open pages when the server is replaced', async () => {
    const page = await open(2);
    const before = containers();
    const answer = await host.send('POST', '/server/reload', { wait_seconds: 1 });
    expect(await answer.text(), host.output).toContain('"reloaded":true');
    expect(containers()).toEqual(before);
    expect(page.isOpen).toBe(true);
    await page.run();
    expect(page.text('text:')).toBe('two');
    await page.close();
    expect((await open(2)).text('text:')).toBe('two');
  });

  it('refuses a push while Docker does not answer, in one line, and keeps serving', async () => {
    await rename(docker.socket, `${docker.socket}.away`);
    try {
      await project.commit(showing('text:three'), 'three');
      const pushed = await project.git('push', host.remote('boxed'), 'main');
      expect(pushed.code).toBe(1);
      expect(/! \[remote rejected\][^\n]*/.exec(pushed.output)?.[0]).toContain('Docker does not answer');
      expect((await open(2)).text('text:')).toBe('two');
      expect(await (await host.api('/apps')).json()).toMatchObject({ waits_for: ['Docker does not answer.'] });
    } finally {
      await rename(`${docker.socket}.away`, docker.socket);
    }
    await until(
      'Docker is found again',
      async () => ((await (await host.api('/apps')).json()) as { waits_for: string[] }).waits_for.length === 0,
    );
  });

  it('says that an app was killed because its memory was used up, and leaves the old release serving', async () => {
    const greedy = await fixture('greedy');
    const pushed = await greedy.git('push', host.remote('boxed'), '+main');
    expect(pushed.code).toBe(1);
    expect(/! \[remote rejected\][^\n]*/.exec(pushed.output)?.[0]).toContain(
      'the app used up its memory limit of 400 MB',
    );
    expect((await open(2)).text('text:')).toBe('two');
    await until('the others have ended', () => containers().every((one) => /\/boxed\/[12]\//.test(one)));
  });

  it('starts an app again after Docker was restarted', async () => {
    const before = containers();
    await docker.restart();
    await until('the app runs again', async () => {
      const { state, restarts } = await host.app('boxed');
      return state === 'running' && restarts === 1;
    });
    expect(containers().filter((one) => before.includes(one))).toEqual([]);
    expect((await open(2)).text('text:')).toBe('two');
  });

  it('needs rights on the socket, and runs apps as its own user where it is not root', async () => {
    const { data = '', env: own, under = [] } = await asUser(USER);
    const options = { data, under, env: { ...own, ...env } };
    await chmod(dirname(docker.socket), 0o711);
    await expect(startHost(options)).rejects.toThrow(
      `The server may not use Docker's socket, ${docker.socket}. Add its user to the group "docker"`,
    );
    await chmod(docker.socket, 0o666);
    const other = await startHost(options);
    await pushLive(await Project.create({ ...textApp(''), 'app.py': curious(data) }), other, 'boxed');
    expect((await other.app('boxed')).cage).toMatchObject({ kind: 'container', own_user: false });
    const page = await open(1, other);
    expect(page.text('status:')).toBe('0000000000000000 1 2');
    expect(page.text('user:')).toBe(String(USER));
    expect(page.text('write:')).toBe('True True False False False');
    expect(page.text('others:')).toBe('[]');
    await page.close();
    await other.stop();
  });

  it('keeps containers that run when the runtime is changed, and ends them with the apps', async () => {
    await host.stop({ keepData: true, keepApps: true });
    const before = containers();
    host = await startHost({ data: host.data, env: { ...env, STREAMLIT_HOST_RUNTIME: 'process' } });
    expect(containers()).toEqual(before);
    expect(await host.app('boxed')).toMatchObject({ state: 'running', release: 2, cage: { kind: 'container' } });
    const page = await open(2);
    expect(page.text('text:')).toBe('two');
    await page.close();
    await host.stop();
    expect(containers()).toEqual([]);
  });
});
