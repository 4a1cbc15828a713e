import { readdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { isWithin } from '../../src/lib/within.js';
import { LABELS } from '../../src/runtime/docker/engine.js';
import { ROOT, startHost, until, type TestHost } from '../helpers/host.js';
import { portRange } from '../helpers/ports.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';
import { startSwarm, swarmData } from '../helpers/swarm.js';
import { wheelOf } from '../helpers/wheel.js';

const data = await swarmData();
// Neither the server's files nor its program are on any node.
const hidden = [data, await realpath(join(ROOT, 'data')), ROOT];
const { lacks, address, registry, registryFolder, haveRegistry, nodes } = await startSwarm(3, hidden);
const [manager] = nodes;

/** How often each runtime gets other code. */
const ROUNDS = 5;

/** A release that says what it finds, and counts in its own folder how often it was run. */
function finding(text: string): Record<string, string> {
  return {
    'app.py': `import os
import streamlit as st
from inner import helper

here = os.environ["STREAMLIT_HOST_STORAGE"]
with open(os.path.join(here, "runs"), "a") as file:
    file.write("x")
try:
    open("app.py", "a")
    rights = "all"
except OSError as error:
    rights = type(error).__name__
st.text(${JSON.stringify(text)})
st.text("runs:%d" % os.path.getsize(os.path.join(here, "runs")))
st.text("home:" + str(os.path.samefile(os.path.expanduser("~"), here)))
st.text("place:" + os.path.abspath(__file__))
st.text("rights:" + rights)
st.text("secret:" + st.secrets["word"])
st.text("var:" + os.environ["COLOUR"])
st.text("helper:" + helper.WORD)
`,
    'inner/__init__.py': '',
    'inner/helper.py': 'WORD = "helps"\n',
  };
}

describe.skipIf(lacks !== '')(`apps on machines that have nothing but Docker (${lacks || 'Docker'})`, () => {
  let host: TestHost;
  let project: Project;

  beforeAll(async () => {
    host = await startHost({
      data,
      env: {
        STREAMLIT_HOST_RUNTIME: 'swarm',
        STREAMLIT_HOST_DOCKER_SOCKET: manager?.socket ?? '',
        STREAMLIT_HOST_SWARM_ADDRESS: `${address}:${portRange(1).min}`,
        STREAMLIT_HOST_SWARM_REGISTRY: registry,
        STREAMLIT_HOST_CAGE_FOLDERS: '',
      },
    });
    project = await Project.create({ ...textApp(''), ...finding('text:one') });
  });

  const open = async (release: number): Promise<StreamlitClient> => {
    const client = await StreamlitClient.connect(`${host.url}/apps/boxed/`, { path: `/apps/boxed/~${release}` });
    await client.run();
    return client;
  };
  const services = async (): Promise<string> => {
    const names = (await manager?.docker('service', 'ls', '--quiet', '--filter', `label=${LABELS.mark}`)) ?? '';
    return (await manager?.docker('service', 'inspect', ...names.split('\n').filter(Boolean))) ?? '';
  };
  /** What the server remembers of the images that it has pushed. */
  const images = async (): Promise<string> => {
    const names = await readdir(join(data, 'images'));
    return (await Promise.all(names.map((name) => readFile(join(data, 'images', name), 'utf8')))).join('');
  };
  /** What the registry keeps, by its content. */
  const blobs = async (): Promise<string[]> =>
    (await readdir(join(registryFolder, 'data/docker/registry/v2/blobs'), { recursive: true })).filter((path) =>
      path.endsWith('/data'),
    );

  it('runs an app where neither the data folder nor the program is', async () => {
    await host.send('POST', '/apps', { name: 'boxed' });
    expect((await host.send('PUT', '/apps/boxed/config', { vars: { COLOUR: 'red' } })).status).toBe(200);
    expect((await host.send('PUT', '/apps/boxed/secrets', { toml: 'word = "hush"' })).status).toBe(200);
    await pushLive(project, host, 'boxed');
    const page = await open(1);
    const place = `${data}/apps/boxed/releases/1/source/app.py`;
    for (const said of ['text:one', 'home:True', `place:${place}`, 'secret:hush', 'var:red', 'helper:helps'])
      expect(page.text(/^\w+:/.exec(said)?.[0] ?? '')).toBe(said.replace(/^\w+:/, ''));
    expect(page.text('rights:')).toBe('PermissionError');
    await page.close();
    await until('its bytecode is in the image too', async () => (await images()).includes('"bytecode"'));
  });

  it('tells Docker of no file of the server, and of nothing secret', async () => {
    const told = JSON.parse(await services()) as {
      Spec: { TaskTemplate: { ContainerSpec: { Image: string; Mounts: { Source?: string }[] } } };
    }[];
    expect(told).toHaveLength(1);
    const { Image: image, Mounts: mounts } = told[0]?.Spec.TaskTemplate.ContainerSpec ?? { Image: '', Mounts: [] };
    expect(mounts.length).toBeGreaterThan(3);
    for (const { Source: source = '' } of mounts)
      expect(hidden.filter((folder) => isWithin(source, folder) || isWithin(folder, source || '/none'))).toEqual([]);
    expect(image).toMatch(/streamlit-host-environment@sha256:[0-9a-f]{64}$/);
    expect(JSON.stringify(told)).not.toMatch(/hush|COLOUR|red"/);
  });

  it('pushes no environment again for a release with other code, and keeps the files of the app', async () => {
    const before = await blobs();
    await project.commit(finding('text:two'), 'two');
    await pushLive(project, host, 'boxed');
    expect(await blobs()).toEqual(before);
    const page = await open(2);
    expect(page.text('text:')).toBe('two');
    expect(Number(page.text('runs:'))).toBeGreaterThan(2);
    await page.close();
  });

  it('starts the first app of an environment at once on machines that have pulled it', async () => {
    await until('all machines have the newest image', async () => {
      const [known = ''] = /sha256:\w+(?=",\s*"layers)/.exec(await images()) ?? [];
      const has = await Promise.all(nodes.map(({ docker }) => docker('images', '--digests', '--quiet=false')));
      return known !== '' && has.every((text) => text.includes(known));
    });
    const second = await Project.create({ ...textApp('second') });
    const { output } = await second.git('push', host.remote('second'), 'main');
    const seconds = Number(/healthy after ([\d.]+) s/.exec(output)?.[1]);
    console.log(`first task of an app on a machine that has pulled its environment: healthy after ${seconds} s`);
    expect(output).toContain('second is live');
  });

  it('deploys other code again and again, next to a server without a Swarm', async () => {
    const beside = await startHost();
    const times: Record<string, number[]> = { swarm: [], process: [] };
    const hosts = { swarm: host, process: beside };
    const projects = { swarm: await Project.create(textApp('0')), process: await Project.create(textApp('0')) };
    for (let round = 0; round <= ROUNDS; round += 1)
      for (const kind of ['swarm', 'process'] as const) {
        await projects[kind].commit({ 'app.py': `import streamlit as st\n\nst.text("${round}")\n` }, 'more');
        const begun = performance.now();
        await pushLive(projects[kind], hosts[kind], 'timed');
        // The first one is no code-only push.
        if (round > 0) times[kind]?.push(Math.round(performance.now() - begun));
      }
    const [swarm, processes] = [median(times.swarm ?? []), median(times.process ?? [])];
    console.log(
      `a push of other code: ${swarm} ms on a Swarm, ${processes} ms as a process (${JSON.stringify(times)})`,
    );
    // Three machines share the processors of this one, so how long it takes says little about others.
    expect(times.swarm).toHaveLength(ROUNDS);
  });

  it('keeps deploying code without the registry, and rejects a new environment', async () => {
    const page = await open(2);
    await haveRegistry(false);
    const { file, bytes } = wheelOf('beside', '1.0');
    await project.commit({ 'requirements.txt': `streamlit\n./${file}\n`, [file]: bytes }, 'more');
    const pushed = await project.git('push', host.remote('boxed'), 'main');
    expect(pushed.code).toBe(1);
    expect(/! \[remote rejected\][^\n]*/.exec(pushed.output)?.[0]).toMatch(/registry at \S+ does not take images/);
    await page.run();
    expect(page.text('text:')).toBe('two');
    expect(await host.app('boxed')).toMatchObject({ state: 'running', release: 2 });
    await project.git('reset', '--quiet', '--hard', 'HEAD~1');
    await project.commit(finding('text:three'), 'three');
    await pushLive(project, host, 'boxed');
    await haveRegistry(true);
    await page.close();
  });
});

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
