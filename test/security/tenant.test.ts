import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { socketPath } from '../../src/runtime/process/listener.js';
import { asUser } from '../helpers/as-user.js';
import { startDocker } from '../helpers/container.js';
import { endWithFile } from '../helpers/ends.js';
import { readMeta, ROOT, startHost, TOKEN, type HostOptions, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { fixture, processesWith, pushLive, serves } from '../helpers/pushing.js';

// What one app, and the build of one, can do to the server and to another app, in each cage.

const SECRET_FILES = [
  'admin-token',
  'vault.key',
  'sessions.json',
  'run/server.json',
  'apps/victim/meta.json',
  'apps/victim/repo.git/HEAD',
  'apps/victim/releases/1/source/app.py',
  'apps/victim/releases/1/run.log',
  'apps/victim/storage/diary.txt',
];

/** A socket with a name and no place, as other programs of a machine have them. */
const abstract = `streamlit-host-test-${randomUUID()}`;

/** A piece of shared memory, as other programs of a machine have it. */
const shared = abstract;

beforeAll(async () => {
  await writeFile(join('/dev/shm', shared), '');
  endWithFile(() => rm(join('/dev/shm', shared)));
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(`\0${abstract}`, resolve));
  endWithFile(() => server.close());
});

/** What was found of what may not be possible, by what was tried. */
type Found = Record<string, string>;

const those = (found: Found, begin: boolean): [string, string][] =>
  Object.entries(found).filter(([, what]) => what.startsWith('got') === begin);

/** A server with a victim, and all that an attacker would have to find out. */
async function prepare(options: HostOptions): Promise<{ host: TestHost; plan: Record<string, unknown> }> {
  const host = await startHost({ environments: 'own', ...options });
  await pushLive(await Project.create(textApp('mine')), host, 'victim');
  await writeFile(join(host.data, 'apps/victim/storage/diary.txt'), 'dear diary');
  for (const name of ['admin-token', 'sessions.json']) await writeFile(join(host.data, name), 'secret', { flag: 'a' });
  await mkdir(join(host.data, 'environments/of-another'));
  const { releases, processes } = (await readMeta(host, 'victim')) as {
    releases: { environment: string }[];
    processes: { mark: string }[];
  };
  // In a container, it has another number than outside.
  const { pid } = JSON.parse(await readFile(join(host.data, 'run/server.json'), 'utf8')) as { pid: number };
  // A program that runs cannot be opened to be written, whoever tries.
  const tools = dirname(dirname(await realpath(inject('tools').uv ?? '')));
  const metadata = join(tools, (await readdir(tools)).find((name) => name.endsWith('.dist-info')) ?? '', 'METADATA');
  const cache = join(inject('tools').cacheDir, 'of-others');
  await mkdir(cache, { recursive: true });
  await writeFile(join(cache, 'package'), '');
  const plan = {
    data: host.data,
    server: pid,
    victim: (await host.app('victim')).pid,
    'victim socket': socketPath(join(host.data, 'run/app'), processes[0]?.mark ?? ''),
    token: TOKEN,
    redis: join(host.data, 'redis/redis.sock'),
    abstract,
    'shared memory': shared,
    mark: 'dist/main.js',
    'secret files': SECRET_FILES,
    'foreign files': [
      join(ROOT, 'dist/main.js'),
      metadata,
      join(host.data, 'apps/victim/meta.json'),
      join(host.data, 'apps/victim/releases/1/source/requirements.txt'),
    ],
    'foreign folders': [join(host.data, 'run/app'), cache],
    environment: join(host.data, 'environments', releases[0]?.environment ?? ''),
  };
  return { host, plan };
}

/** Lets an app try everything. @returns what it could do, and what its cage broke */
async function attackAsApp({ host, plan }: Awaited<ReturnType<typeof prepare>>): Promise<{
  found: Found;
  broken: Found;
}> {
  const attacker = await fixture('attacker');
  await attacker.commit({ 'plan.json': JSON.stringify(plan) }, 'plan');
  expect((await host.send('POST', '/apps', { id: 'attacker', name: 'Attacker' })).status).toBe(201);
  expect((await host.send('PUT', '/apps/attacker/secrets', { toml: 'own = "value"\n' })).ok).toBe(true);
  await pushLive(attacker, host, 'attacker');
  const result = await readFile(join(host.data, 'apps/attacker/storage/result.json'), 'utf8');
  return JSON.parse(result) as { found: Found; broken: Found };
}

/** A project that attacks while it is built. */
async function builder(plan: Record<string, unknown>): Promise<Project> {
  const data = plan.data as string;
  // An app sees its own of these; a build has none.
  const folders = [...(plan['foreign folders'] as string[]), plan.environment, join(data, 'apps'), join(data, 'run')];
  const project = await fixture('evil-build');
  await project.commit({ 'evil/plan.json': JSON.stringify({ ...plan, 'foreign folders': folders }) }, 'plan');
  return project;
}

/** Builds it. @returns what its setup.py could do */
async function attackAsBuild({ host, plan }: Awaited<ReturnType<typeof prepare>>): Promise<{
  found: Found;
  home: string;
}> {
  const daemon = randomUUID();
  await pushLive(await builder({ ...plan, daemon }), host, 'builder');
  expect(await processesWith(daemon)).toEqual([]);
  const { releases } = (await readMeta(host, 'builder')) as { releases: { environment: string }[] };
  const lib = join(host.data, 'environments', releases[0]?.environment ?? '', 'lib');
  const version = (await readdir(lib)).find((name) => name.startsWith('python')) ?? '';
  const text = await readFile(join(lib, version, 'site-packages/evil_result.py'), 'utf8');
  return JSON.parse(text.slice(1)) as { found: Found; home: string };
}

const LANDLOCK = { env: { STREAMLIT_HOST_CAGE: 'landlock' } };

/** A server that runs as nobody special, on a machine without bubblewrap. */
async function withLandlock(): Promise<HostOptions> {
  const options = await asUser();
  return { ...options, env: { ...options.env, ...LANDLOCK.env } };
}

const docker = await startDocker();

const CAGES: [name: string, lacks: string, options: () => Promise<HostOptions>, said: RegExp][] = [
  ['of bubblewrap, under root', '', () => Promise.resolve({}), /bubblewrap cage, each as its own user/],
  ['of Landlock, under root', '', () => Promise.resolve(LANDLOCK), /Landlock cage/],
  ['of bubblewrap, under a user', '', asUser, /bubblewrap cage\./],
  ['of Landlock, under a user', '', withLandlock, /Landlock cage/],
  ['of Landlock, in a container', docker.lacks, docker.options, /Landlock cage/],
];

for (const [name, lacks, options, said] of CAGES) {
  const title = `in a cage ${name}${lacks === '' ? '' : ` (${lacks})`}`;
  describe.skipIf(lacks !== '')(title, () => {
    let prepared: Awaited<ReturnType<typeof prepare>>;
    beforeAll(async () => {
      prepared = await prepare(await options());
      expect(prepared.host.output).toMatch(said);
    }, 300_000);

    it('an app can harm nothing outside of it, and works as usual', async () => {
      const { found, broken } = await attackAsApp(prepared);
      expect(Object.keys(found).length).toBeGreaterThan(28);
      expect(those(found, true)).toEqual([]);
      expect(broken).toEqual({});
    });

    it('a setup.py can harm nothing outside of it, and leaves no process running', async () => {
      const { found, home } = await attackAsBuild(prepared);
      expect(Object.keys(found).length).toBeGreaterThan(30);
      expect(those(found, true)).toEqual([]);
      expect(home).toMatch(/builds\/drafts\/environment-\w+\/home$/);
    }, 300_000);

    it('a setup.py cannot put a link into the environment that the server would follow', async () => {
      const { host, plan } = prepared;
      const project = await builder({ ...plan, daemon: randomUUID(), link: true });
      const push = await project.git('push', host.remote('linker'), 'main');
      expect(push.code).toBe(1);
      expect(push.output).toMatch(
        /a package installed the link lib\/python[\d.]+\/site-packages\/leak\.txt, which leads to/,
      );
    });
  });
}

describe.each([
  ['bubblewrap', 0, /offline is live/],
  ['landlock', 1, /network = false needs a container or a bubblewrap cage, and this app runs in a Landlock cage/],
])('an app that wants no network, on a server with %s', (kind, code, said) => {
  it('gets what it wants, or is refused', async () => {
    const host = await startHost({ env: { STREAMLIT_HOST_CAGE: kind } });
    const source = `
import socket
import streamlit as st

try:
    socket.create_connection(("127.0.0.1", ${new URL(host.url).port}), 2)
    st.write("text:reached")
except OSError:
    st.write("text:cut-off")
`;
    const project = await Project.create({ 'app.py': source, 'requirements.txt': 'streamlit\n' });
    await project.commit({ 'streamlit-host.toml': '[cage]\nnetwork = false\n' }, 'Be offline');
    const push = await project.git('push', host.remote('offline'), 'main');
    expect(push.output).toMatch(said);
    expect(push.code).toBe(code);
    if (code !== 0) return;
    expect(await host.app('offline')).toMatchObject({ cage: { kind, network: false } });
    expect((await serves(host, 'offline')).text).toBe('text:cut-off');
  });
});

describe('without a cage', () => {
  let prepared: Awaited<ReturnType<typeof prepare>>;
  beforeAll(async () => {
    prepared = await prepare({ env: { STREAMLIT_HOST_CAGE: 'none' } });
  });

  it('an app can do all of that, and every start warns about it', async () => {
    expect(prepared.host.output).toContain('Apps run without a cage');
    expect(those((await attackAsApp(prepared)).found, false)).toEqual([]);
  });

  it('a setup.py can do all of that, and still leaves no process running', async () => {
    expect(those((await attackAsBuild(prepared)).found, false)).toEqual([]);
  });
});
