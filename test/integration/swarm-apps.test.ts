import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { LABELS } from '../../src/runtime/docker/engine.js';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { portRange } from '../helpers/ports.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';
import { startSwarm, swarmData, type SwarmNode } from '../helpers/swarm.js';

const { lacks, address, registry, nodes } = await startSwarm(3);

/** A release that says where it runs, and a text. */
function showing(text: string): Record<string, string> {
  return {
    'app.py': `import os\nimport streamlit as st\n\nprint("shown", flush=True)\nst.text(${JSON.stringify(text)})\nst.text("secret:" + os.environ["STREAMLIT_HOST_APP"])\nst.text("user:" + str(os.getuid()))\n`,
  };
}

describe.skipIf(lacks !== '')(`a server that runs apps on a Swarm of three nodes (${lacks || 'Docker'})`, () => {
  let host: TestHost;
  let project: Project;
  let env: Record<string, string>;

  beforeAll(async () => {
    env = {
      STREAMLIT_HOST_RUNTIME: 'swarm',
      STREAMLIT_HOST_DOCKER_SOCKET: nodes[0]?.socket ?? '',
      STREAMLIT_HOST_SWARM_ADDRESS: `${address}:${portRange(1).min}`,
      STREAMLIT_HOST_SWARM_REGISTRY: registry,
      // So that any node may run it.
      STREAMLIT_HOST_SWARM_STORAGE: 'shared',
    };
    host = await startHost({ env, data: await swarmData() });
    project = await Project.create({ ...textApp('text:one'), ...showing('text:one') });
    await pushLive(project, host, 'boxed');
  });

  /** Every container of an app that runs: its node, its id, and the mark of what runs in it. What pulls images has none. */
  const containers = async (): Promise<{ node: SwarmNode; line: string }[]> => {
    const found = await Promise.all(
      nodes.map(async (node) => {
        const text = await node.docker('ps', '--format', `{{.ID}} {{.Label "${LABELS.mark}"}}`).catch(() => ''); // It was killed.
        return text
          .split('\n')
          .filter((line) => / \S/.test(line))
          .map((line) => ({ node, line }));
      }),
    );
    return found.flat();
  };
  const lines = async (): Promise<string[]> => (await containers()).map(({ line }) => line);
  const open = async (release: number): Promise<StreamlitClient> => {
    const client = await StreamlitClient.connect(`${host.url}/apps/boxed/`, { path: `/apps/boxed/~${release}` });
    await client.run();
    return client;
  };

  it('serves a pushed app from one of them, with a session', async () => {
    expect(await host.app('boxed')).toMatchObject({
      state: 'running',
      release: 1,
      pid: null,
      cage: { kind: 'container', own_user: true, network: true },
    });
    expect(await lines()).toHaveLength(1);
    const page = await open(1);
    expect(page.text('text:')).toBe('one');
    expect(page.text('secret:')).toBe('boxed');
    expect(Number(page.text('user:'))).toBeGreaterThan(1_000_000);
    await page.close();
    await until('its output is in the log', async () =>
      (await readFile(join(host.data, 'apps/boxed/run.log'), 'utf8')).includes('\nshown\n'),
    );
    // It is measured every second, and at first before Streamlit is loaded.
    await until('its memory is known', async () => ((await host.app('boxed')).memory_bytes as number) > 20_000_000);
  });

  it('says what runs apps, and that it works', async () => {
    expect(await (await host.api('/apps')).json()).toMatchObject({
      runtime: { kind: 'swarm', version: expect.stringMatching(/^\d+\./) as string },
      waits_for: [],
    });
    const { checks } = (await (await host.api('/server/checks')).json()) as {
      checks: { name: string; message: string }[];
    };
    expect(checks.find(({ name }) => name === 'runtime')).toMatchObject({
      ok: true,
      message: expect.stringMatching(/^Apps run on a Swarm of 3 machines, with Docker \d/) as string,
    });
  });

  it('keeps the container of an app over a kill of the server', async () => {
    const before = await lines();
    await host.signal('SIGKILL');
    expect(await lines()).toEqual(before);
    host = await startHost({ env, data: host.data });
    await until('it serves', async () => (await host.app('boxed')).state === 'running');
    expect(await lines()).toEqual(before);
    expect(await host.app('boxed')).toMatchObject({ release: 1, restarts: 0 });
    const page = await open(1);
    expect(page.text('text:')).toBe('one');
    await page.close();
  });

  it('keeps an open page on its container through a deploy', async () => {
    const page = await open(1);
    await project.commit(showing('text:two'), 'two');
    await pushLive(project, host, 'boxed');
    expect(page.isOpen).toBe(true);
    await page.run();
    expect(page.text('text:')).toBe('one');
    expect((await open(2)).text('text:')).toBe('two');
    await page.close();
  });

  it('keeps containers and open pages when the server is replaced', async () => {
    const page = await open(2);
    const before = await lines();
    const answer = await host.send('POST', '/server/reload', { wait_seconds: 1 });
    expect(await answer.text(), host.output).toContain('"reloaded":true');
    expect(await lines()).toEqual(before);
    expect(page.isOpen).toBe(true);
    await page.run();
    expect(page.text('text:')).toBe('two');
    await page.close();
    expect((await open(2)).text('text:')).toBe('two');
  });

  it('serves an app again from another node when its own is killed', async () => {
    const live = (): Promise<{ node: SwarmNode; line: string } | undefined> =>
      containers().then((all) => all.find(({ line }) => line.includes('/boxed/2/')));
    let found = await live();
    // With the manager goes the Swarm itself, as long as it is the only one.
    if (found?.node === nodes[0]) {
      await nodes[0]?.docker('node', 'update', '--availability', 'drain', 'n1');
      await until('it runs on a worker', async () => {
        found = await live();
        return found !== undefined && found.node !== nodes[0] && (await host.app('boxed')).state === 'running';
      });
    }
    const began = Date.now();
    await found?.node.kill();
    await until(
      'it is served again',
      async () => {
        const now = await live();
        if (now === undefined || now.node === found?.node) return false;
        const answer = await fetch(`${host.url}/apps/boxed/~2/_stcore/health`).catch(() => undefined);
        return answer?.ok === true;
      },
      60_000,
    );
    console.log(`served again ${Date.now() - began} ms after its node was killed`);
    const page = await open(2);
    expect(page.text('text:')).toBe('two');
    await page.close();
  });

  it('ends everything with the apps', async () => {
    await host.stop();
    expect(await lines()).toEqual([]);
  });
});
