import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { LABELS } from '../../src/runtime/docker/engine.js';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { portRange } from '../helpers/ports.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';
import { startSwarm, swarmData, type SwarmNode } from '../helpers/swarm.js';

const data = await swarmData();
const { lacks, address, registry, nodes } = await startSwarm(3, [data]);

const COUNTING = `import os
import streamlit as st

with open(os.path.join(os.environ["STREAMLIT_HOST_STORAGE"], "runs"), "a+") as file:
    file.write("x")
    file.seek(0)
    st.text("runs:" + file.read())
`;

describe.skipIf(lacks !== '')(`the files of an app on a Swarm (${lacks || 'Docker'})`, () => {
  let host: TestHost;

  beforeAll(async () => {
    host = await startHost({
      data,
      env: {
        STREAMLIT_HOST_RUNTIME: 'swarm',
        STREAMLIT_HOST_DOCKER_SOCKET: nodes[0]?.socket ?? '',
        STREAMLIT_HOST_SWARM_ADDRESS: `${address}:${portRange(1).min}`,
        STREAMLIT_HOST_SWARM_REGISTRY: registry,
      },
    });
    await pushLive(await Project.create({ ...textApp(''), 'app.py': COUNTING }), host, 'boxed');
  });

  const runs = async (): Promise<string> => {
    const page = await StreamlitClient.connect(`${host.url}/apps/boxed/`, { path: '/apps/boxed/~1' });
    await page.run();
    const found = page.text('runs:') ?? '';
    await page.close();
    return found;
  };
  const placeOf = async (): Promise<SwarmNode | undefined> => {
    for (const node of nodes)
      if ((await node.docker('ps', '--quiet', '--filter', `label=${LABELS.mark}`)).trim() !== '') return node;
    return undefined;
  };
  const serves = (): Promise<boolean> => host.app('boxed').then(({ state }) => state === 'running');

  it('wait for their machine, and are there when it is back', async () => {
    const before = await runs();
    const place = await placeOf();
    const set = (to: string): Promise<unknown> =>
      nodes[0]?.docker('node', 'update', '--availability', to, place?.name ?? '') ?? Promise.resolve();
    await set('drain');
    const log = (): Promise<string> => readFile(join(data, 'apps/boxed/run.log'), 'utf8');
    const why = `not started: the files of boxed are on ${place?.name}, which is set to drain. Bring that machine back`;
    await until('the log says why', async () => (await log()).includes(why), 60_000);
    // Nowhere else; it may take a moment to end there.
    expect((await placeOf()) ?? place).toBe(place);
    await set('active');
    await until('it is served again', serves, 120_000);
    expect(await placeOf()).toBe(place);
    expect((await runs()).length).toBeGreaterThan(before.length);
  });
});
