import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { asUser } from '../helpers/as-user.js';
import { endWithFile } from '../helpers/ends.js';
import { readMeta, ROOT, startHost, TOKEN, type HostOptions, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { fixture, processesWith, pushLive } from '../helpers/pushing.js';

/** What a setup.py found that tries everything. */
interface Result {
  found: Record<string, string>;
  home: string;
  uid: number;
}

const SECRET_FILES = [
  'admin-token',
  'vault.key',
  'sessions.json',
  'run/server.json',
  'apps/victim/meta.json',
  'apps/victim/repo.git/HEAD',
  'apps/victim/releases/1/source/app.py',
  'apps/victim/storage/diary.txt',
];

/** A socket with a name and no place, as other programs of a machine have them. */
const abstract = `streamlit-host-test-${randomUUID()}`;

beforeAll(async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(`\0${abstract}`, resolve));
  endWithFile(() => server.close());
});

/** A project that attacks while it is built, with a victim beside it. */
async function attacker(host: TestHost, more: object = {}): Promise<{ project: Project; daemon: string }> {
  await pushLive(await Project.create(textApp('mine')), host, 'victim');
  await writeFile(join(host.data, 'apps/victim/storage/diary.txt'), 'dear diary');
  for (const name of ['admin-token', 'sessions.json']) await writeFile(join(host.data, name), 'secret', { flag: 'a' });
  const { environment } = ((await readMeta(host, 'victim')) as { releases: { environment: string }[] }).releases[0] ?? {
    environment: '',
  };
  // A program that runs cannot be opened to be written, whoever tries.
  const tools = dirname(dirname(await realpath(inject('tools').uv ?? '')));
  const metadata = join(tools, (await readdir(tools)).find((name) => name.endsWith('.dist-info')) ?? '', 'METADATA');
  const cache = join(inject('tools').cacheDir, 'of-others');
  await mkdir(cache, { recursive: true });
  await writeFile(join(cache, 'package'), '');
  const daemon = randomUUID();
  const plan = {
    data: host.data,
    server: host.pid,
    victim: (await host.app('victim')).pid,
    token: TOKEN,
    abstract,
    daemon,
    'secret files': SECRET_FILES,
    'foreign files': [join(ROOT, 'dist/main.js'), metadata, join(host.data, 'apps/victim/meta.json')],
    'foreign folders': [
      join(host.data, 'apps'),
      join(host.data, 'environments', environment),
      join(host.data, 'run'),
      cache,
    ],
    ...more,
  };
  const project = await fixture('evil-build');
  await project.commit({ 'evil/plan.json': JSON.stringify(plan) }, 'plan');
  return { project, daemon };
}

/** Builds it. @returns what it found */
async function attack(host: TestHost): Promise<Result> {
  const { project, daemon } = await attacker(host);
  await pushLive(project, host, 'attacker');
  expect(await processesWith(daemon)).toEqual([]);
  const { releases } = (await readMeta(host, 'attacker')) as { releases: { environment: string }[] };
  const lib = join(host.data, 'environments', releases[0]?.environment ?? '', 'lib');
  const text = await readFile(
    join(lib, (await readdir(lib)).find((name) => name.startsWith('python')) ?? '', 'site-packages/evil_result.py'),
    'utf8',
  );
  return JSON.parse(text.slice(1)) as Result;
}

const LANDLOCK = { env: { STREAMLIT_HOST_CAGE: 'landlock' } };

describe.each([
  ['of bubblewrap, under root', () => Promise.resolve({})],
  ['of Landlock, under root', () => Promise.resolve(LANDLOCK)],
  ['of bubblewrap, under a user', asUser],
])('a setup.py in a cage %s', (_name, options: () => Promise<HostOptions>) => {
  it('can harm nothing outside of it, and leaves no process running', async () => {
    const host = await startHost({ environments: 'own', ...(await options()) });
    const { found, home } = await attack(host);
    expect(Object.keys(found).length).toBeGreaterThan(25);
    expect(Object.entries(found).filter(([, what]) => what.startsWith('got'))).toEqual([]);
    expect(home).toMatch(/builds\/drafts\/environment-\w+\/home$/);
    // One of them downloads everything that the others find in the tests' cache.
  }, 300_000);
});

it('a setup.py without a cage can do all of that, and still leaves no process running', async () => {
  const host = await startHost({ environments: 'own', env: { STREAMLIT_HOST_CAGE: 'none' } });
  const { found } = await attack(host);
  expect(Object.entries(found).filter(([, what]) => !what.startsWith('got'))).toEqual([]);
});

it('a setup.py cannot put a link into the environment that the server would follow', async () => {
  const host = await startHost({ environments: 'own' });
  const { project } = await attacker(host, { link: true });
  const push = await project.git('push', host.remote('attacker'), 'main');
  expect(push.code).toBe(1);
  expect(push.output).toMatch(
    /a package installed the link lib\/python[\d.]+\/site-packages\/leak\.txt, which leads to/,
  );
});
