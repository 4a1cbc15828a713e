import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checksOf, runChecks, type ChecksOptions } from '../../../src/server/checks.js';
import { Paths } from '../../../src/store/paths.js';

let paths: Paths;
beforeEach(async () => {
  paths = new Paths(await mkdtemp(join(tmpdir(), 'checks-')));
});
afterEach(() => rm(paths.data, { recursive: true, force: true }));

const cage = {
  kind: 'landlock' as ChecksOptions['cage']['kind'],
  sentence: 'Apps run in a Landlock cage.',
  tryAgain: (): Promise<void> => Promise.resolve(),
};

const processes: ChecksOptions['running'] = {
  facts: () => ({ kind: 'process', version: null }),
  check: () => Promise.resolve('Apps run as processes of this machine.'),
};

/** What is wrong, by the name of the check. */
async function problems(more: Partial<ChecksOptions> = {}): Promise<Record<string, string>> {
  const options: ChecksOptions = {
    cage,
    running: processes,
    paths,
    unsafe: false,
    publicBase: () => 'http://apps.example',
    appsBase: () => 'http://apps.example',
    readiness: { troubles: () => Promise.resolve([]) },
    repairs: { find: () => Promise.resolve([]) },
    ...more,
  };
  const results = await runChecks(checksOf(options));
  expect(results.map(({ name }) => name)).toEqual([
    'cage',
    'runtime',
    'user',
    'origin',
    'data',
    'leftovers',
    'redis',
    'disk',
    'supervisor',
  ]);
  return Object.fromEntries(results.flatMap(({ name, ok, message }) => (ok ? [] : [[name, message]])));
}

it('a server that is well has no problems', async () => {
  expect(await problems()).toEqual({});
  expect(await problems({ uid: process.getuid?.(), appsBase: () => 'http://apps.example:8081' })).toEqual({});
});

it('a missing cage is a problem, and under root another one', async () => {
  const none = { ...cage, kind: 'none' as const, sentence: 'No cage works on this machine.' };
  expect(await problems({ cage: none, uid: 0 })).toMatchObject({
    cage: 'No cage works on this machine.',
    user: expect.stringContaining('as root') as string,
  });
  expect((await problems({ cage: none, uid: 1_000 })).user).toBeUndefined();
});

it('a Docker that does not answer is a problem, and its apps do not run as root without a cage', async () => {
  const docker: ChecksOptions['running'] = {
    facts: () => ({ kind: 'docker', version: '20.10.24' }),
    check: () => Promise.reject(new Error('Docker does not answer at /run/docker.sock')),
  };
  const none = { ...cage, kind: 'none' as const, sentence: 'Builds run without a cage.' };
  expect(await problems({ cage: none, running: docker, uid: 0 })).toEqual({
    cage: 'Builds run without a cage.',
    runtime: 'Docker does not answer at /run/docker.sock.',
    // The test's folder belongs to whoever runs it.
    ...(process.getuid?.() !== 0 && { data: expect.any(String) as string }),
  });
});

it('a cage that has ceased to work is a problem', async () => {
  const broken = { ...cage, tryAgain: () => Promise.reject(new Error('bwrap is not installed')) };
  expect(await problems({ cage: broken })).toEqual({ cage: 'Bwrap is not installed.' });
});

it('an origin that apps share with the console where browsers do not keep them apart is a problem', async () => {
  expect((await problems({ unsafe: true })).origin).toContain('http://apps.example, over plain HTTP');
});

it('files that others can read, or that belong to another user, are a problem', async () => {
  await writeFile(paths.vaultKey, 'key', { mode: 0o600 });
  expect(await problems()).toEqual({});
  await chmod(paths.vaultKey, 0o640);
  expect((await problems()).data).toBe(
    `Other users of the machine can read ${paths.vaultKey}. Run "streamlit-host doctor --fix".`,
  );
  await chmod(paths.vaultKey, 0o600);
  expect((await problems({ uid: 4_242 })).data).toContain('and the server runs as 4242. Change its owner.');
});

it('leftovers of interrupted work are a problem', async () => {
  const found = (...names: string[]): Partial<ChecksOptions> => ({
    repairs: { find: () => Promise.resolve(names.map((path) => ({ path, kind: 'git' as const }))) },
  });
  expect((await problems(found('/a'))).leftovers).toBe(
    'Interrupted work has left /a. Run "streamlit-host doctor --fix".',
  );
  expect((await problems(found('/a', '/b'))).leftovers).toContain('has left 2 files and folders, such as /a.');
});

it('a Redis that does not answer is a problem, and a check that never ends is one', async () => {
  const troubles = [{ part: 'redis', message: 'Redis does not answer.' }];
  expect(await problems({ readiness: { troubles: () => Promise.resolve(troubles) } })).toEqual({
    redis: 'Redis does not answer.',
  });
  const [result] = await runChecks(new Map([['slow', () => new Promise<string>(() => undefined)]]), 20);
  expect(result).toEqual({ name: 'slow', ok: false, message: 'The check took longer than 0.02 s.' });
});
