import { beforeAll, describe, expect, it } from 'vitest';
import { LABELS } from '../../src/runtime/docker/engine.js';
import type { NodesAnswer } from '../../src/web/api/answers.js';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { portRange } from '../helpers/ports.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';
import { startSwarm, swarmData, type SwarmNode } from '../helpers/swarm.js';

const { lacks, address, registry, nodes } = await startSwarm(3);

/** A release that shows a text. */
function showing(text: string): Record<string, string> {
  return { 'app.py': `import streamlit as st\n\nst.text(${JSON.stringify(text)})\n` };
}

describe.skipIf(lacks !== '')(`a Swarm whose nodes come and go (${lacks || 'Docker'})`, () => {
  let host: TestHost;
  let project: Project;
  let manager: SwarmNode;

  beforeAll(async () => {
    [manager] = nodes as [SwarmNode];
    // Apps run on workers alone.
    await manager.docker('node', 'update', '--availability', 'drain', 'n1');
    host = await startHost({
      data: await swarmData(),
      env: {
        STREAMLIT_HOST_RUNTIME: 'swarm',
        STREAMLIT_HOST_DOCKER_SOCKET: manager.socket,
        STREAMLIT_HOST_SWARM_ADDRESS: `${address}:${portRange(1).min}`,
        STREAMLIT_HOST_SWARM_REGISTRY: registry,
        // So that any node may run it.
        STREAMLIT_HOST_SWARM_STORAGE: 'shared',
      },
    });
    project = await Project.create({ ...textApp(''), ...showing('text:one') });
    await pushLive(project, host, 'boxed');
  });

  /** The containers of a node, by their ids. */
  const containersOf = async (node: SwarmNode): Promise<string[]> =>
    (await node.docker('ps', '--quiet', '--filter', `label=${LABELS.mark}`)).split('\n').filter(Boolean);
  const workers = async (): Promise<{ node: SwarmNode; id: string }[]> =>
    (
      await Promise.all(nodes.slice(1).map(async (node) => (await containersOf(node)).map((id) => ({ node, id }))))
    ).flat();
  const open = async (): Promise<StreamlitClient> => {
    const client = await StreamlitClient.connect(`${host.url}/apps/boxed/`, { path: '/apps/boxed/~1' });
    await client.run();
    return client;
  };

  it('keeps what workers run while the Docker of the manager is away, and afterwards', async () => {
    const before = await workers();
    expect(before).toHaveLength(1);
    const page = await open();
    await manager.kill();
    await page.run();
    expect(page.text('text:')).toBe('one');
    await project.commit(showing('text:two'), 'two');
    const pushed = await project.git('push', host.remote('boxed'), 'main');
    expect(pushed.code).toBe(1);
    expect(/! \[remote rejected\][^\n]*/.exec(pushed.output)?.[0]).toContain('Docker does not answer');
    await manager.start();
    await until(
      'the server may deploy again',
      async () => ((await (await host.api('/apps')).json()) as { waits_for: string[] }).waits_for.length === 0,
    );
    await until(
      'the workers are back',
      async () => (await manager.docker('node', 'ls', '--format', '{{.Status}}')).trim() === 'Ready\nReady\nReady',
    );
    expect(await workers()).toEqual(before);
    expect(await host.app('boxed')).toMatchObject({ state: 'running', release: 1, restarts: 0 });
    expect(page.isOpen).toBe(true);
    await page.run();
    await page.close();
  });

  it('serves an app of a node that is cut off from another one, and ends the first copy when that is back', async () => {
    const [first] = await workers();
    if (first === undefined) throw new Error('nothing runs');
    const began = performance.now();
    const listed = async (): Promise<NodesAnswer> => (await (await host.api('/server/nodes')).json()) as NodesAnswer;
    const on = { [first.node.name]: [{ id: 'boxed', release: 1, state: 'running' }] };
    const nodesBefore = await listed();
    expect(nodesBefore.nodes).toMatchObject(
      nodes.map(({ name }, at) => ({
        ...{ name, role: at === 0 ? 'manager' : 'worker', state: 'ready' },
        ...{ availability: at === 0 ? 'drain' : 'active', apps: on[name] ?? [] },
      })),
    );
    await first.node.cutOff(true);
    const second = await until('it runs elsewhere', async () =>
      (await workers()).find(({ node, id }) => node !== first.node && id !== first.id),
    );
    await until('it is served', async () => (await host.app('boxed')).state === 'running');
    console.log(`served again ${Math.round(performance.now() - began)} ms after its node was cut off`);
    expect(await containersOf(first.node)).toEqual([first.id]);
    const down = (await listed()).nodes.find(({ name }) => name === first.node.name);
    expect(down).toMatchObject({ state: 'down', availability: 'active' });
    await first.node.cutOff(false);
    await until('the first copy has ended', async () => (await containersOf(first.node)).length === 0);
    expect(await workers()).toEqual([second]);
    const page = await open();
    expect(page.text('text:')).toBe('one');
    await page.close();
  });
});
