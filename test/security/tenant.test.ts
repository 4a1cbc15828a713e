import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { asUser } from '../helpers/as-user.js';
import { endWithFile } from '../helpers/ends.js';
import { ROOT, startHost, TOKEN, type HostOptions, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { fixture, pushLive } from '../helpers/pushing.js';

/** What an app found that tries everything: what it could do, and what its cage broke. */
interface Result {
  found: Record<string, string>;
  broken: Record<string, string>;
}

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

beforeAll(async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(`\0${abstract}`, resolve));
  endWithFile(() => server.close());
});

/** Lets an app with a victim beside it try everything. */
async function attack(host: TestHost): Promise<Result> {
  await pushLive(await Project.create(textApp('mine')), host, 'victim');
  await writeFile(join(host.data, 'apps/victim/storage/diary.txt'), 'dear diary');
  for (const name of ['admin-token', 'sessions.json']) await writeFile(join(host.data, name), 'secret', { flag: 'a' });
  await mkdir(join(host.data, 'environments/of-another'));
  const plan = {
    data: host.data,
    server: host.pid,
    victim: (await host.app('victim')).pid,
    token: TOKEN,
    redis: join(host.data, 'redis/redis.sock'),
    abstract,
    mark: 'dist/main.js',
    'secret files': SECRET_FILES,
    'foreign files': [
      join(ROOT, 'dist/main.js'),
      join(host.data, 'apps/victim/meta.json'),
      join(host.data, 'apps/attacker/meta.json'),
      join(host.data, 'apps/victim/releases/1/source/requirements.txt'),
    ],
  };
  const attacker = await fixture('attacker');
  await attacker.commit({ 'plan.json': JSON.stringify(plan) }, 'plan');
  expect((await host.send('POST', '/apps', { id: 'attacker', name: 'Attacker' })).status).toBe(201);
  expect((await host.send('PUT', '/apps/attacker/secrets', { toml: 'own = "value"\n' })).ok).toBe(true);
  await pushLive(attacker, host, 'attacker');
  return JSON.parse(await readFile(join(host.data, 'apps/attacker/storage/result.json'), 'utf8')) as Result;
}

const LANDLOCK = { env: { STREAMLIT_HOST_CAGE: 'landlock' } };

describe.each([
  ['of bubblewrap, under root', () => Promise.resolve({}), /bubblewrap cage, each as its own user/],
  ['of Landlock, under root', () => Promise.resolve(LANDLOCK), /Landlock cage/],
  ['of bubblewrap, under a user', asUser, /bubblewrap cage\./],
])('an app in a cage %s', (_name, options: () => Promise<HostOptions>, said) => {
  it('can harm nothing outside of it, and can do everything that apps do', async () => {
    const host = await startHost({ environments: 'own', ...(await options()) });
    expect(host.output).toMatch(said);
    const { found, broken } = await attack(host);
    expect(Object.keys(found).length).toBeGreaterThan(20);
    expect(Object.entries(found).filter(([, what]) => what.startsWith('got'))).toEqual([]);
    expect(broken).toEqual({});
  });
});

it('an app without a cage can do all of that, and every start says so', async () => {
  const host = await startHost({ environments: 'own', env: { STREAMLIT_HOST_CAGE: 'none' } });
  expect(host.output).toContain('Apps run without a cage');
  const { found } = await attack(host);
  expect(Object.entries(found).filter(([, what]) => !what.startsWith('got'))).toEqual([]);
});
