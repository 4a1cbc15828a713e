import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CagePolicy, ReleaseCage } from '../../../src/domain/project/app-cage.js';
import type { Confines } from '../../../src/runtime/process/cage/spec.js';
import { AppConfines } from '../../../src/serving/confines.js';
import { Owners } from '../../../src/store/owners.js';
import { Paths } from '../../../src/store/paths.js';

let paths: Paths;
beforeEach(async () => void (paths = new Paths(await mkdtemp(join(tmpdir(), 'confines-')))));
afterEach(() => rm(paths.data, { recursive: true, force: true }));

const ASKED: ReleaseCage = { network: true, readOnly: ['/srv/models'], devices: [] };
const ALLOWED: CagePolicy = { kind: 'bubblewrap', readOnly: ['/srv/models'], devices: ['/dev/null'] };

/** What an app may reach under a policy, as at each of its starts. */
function start(
  policy: CagePolicy,
  asked?: ReleaseCage,
  settle: () => Promise<void> = () => Promise.resolve(),
): Promise<Confines | undefined> {
  const machinePython = (): Promise<string> => Promise.resolve('/usr/bin/python3');
  const owners = new Owners(paths, () => false);
  const confines = new AppConfines({
    paths,
    owners,
    launcher: '/launcher',
    machinePython,
    settle,
    shared: ['/shared'],
    policy: () => policy,
  });
  return confines.of('demo', '/environment', asked);
}

it('an app gets what it asks for, as long as it is allowed', async () => {
  const found = await start(ALLOWED, ASKED);
  expect(found).toMatchObject({ network: true, writable: [paths.storage('demo'), '/shared'] });
  expect(found?.readOnly).toContain('/srv/models');
  expect((await start(ALLOWED))?.readOnly).not.toContain('/srv/models');
});

it.each<[string, CagePolicy, ReleaseCage]>([
  ['a folder', { ...ALLOWED, readOnly: ['/srv'] }, ASKED],
  ['a device', { ...ALLOWED, devices: [] }, { ...ASKED, devices: ['/dev/null'] }],
  ['a cage without network', { ...ALLOWED, kind: 'landlock' }, { ...ASKED, network: false }],
  ['any of it, without a cage', { kind: 'none', readOnly: [], devices: [] }, ASKED],
])('an app does not start once it may not have %s any more', async (_name, policy, asked) => {
  await expect(start(policy, asked)).rejects.toMatchObject({ code: 'cage-not-allowed' });
});

it('an app does not start as long as nobody knows which cage works', async () => {
  const settle = (): Promise<void> => Promise.reject(new Error('No Python'));
  await expect(start({ kind: 'none', readOnly: [], devices: [] }, undefined, settle)).rejects.toThrow('No Python');
});
