import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Environments } from '../../../src/environments/environments.js';
import { gatherRequirements } from '../../../src/environments/requirements.js';
import { Pruner } from '../../../src/deploys/pruner.js';
import { newApp } from '../../../src/domain/app/app.js';
import { AppStore } from '../../../src/store/apps.js';
import { Git } from '../../../src/store/git.js';
import { Paths } from '../../../src/store/paths.js';
import { writeFiles } from '../../helpers/files.js';
import { releaseOf } from '../../helpers/release.js';

const HOUR = 3_600_000;
/** So many that they are not all removed in one moment. */
const FILES = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`lib/${at}.py`, '']));
let paths: Paths;
let store: AppStore;
let pruner: Pruner;
/** The apps whose config was tidied, with the versions that are kept. */
let tidied: string[];
/** The environments that what runs apps was told to forget. */
let forgotten: string[];

beforeEach(async () => {
  paths = new Paths(await mkdtemp(join(tmpdir(), 'pruner-')));
  for (const folder of [paths.environments, paths.tmp]) await mkdir(folder);
  store = new AppStore(paths);
  await store.load();
  const environments = new Environments({
    gather: gatherRequirements,
    root: paths.environments,
    locks: paths.locks,
    cache: paths.cache,
    tmp: paths.tmp,
    tools: { python: 'python3' },
    env: {},
  });
  [tidied, forgotten] = [[], []];
  pruner = new Pruner({
    store,
    paths,
    git: new Git(process.env.PATH ?? ''),
    environments,
    runtime: { forget: async (folder) => void forgotten.push(folder) },
    configs: { tidy: async (id, kept) => void tidied.push(`${id} ${kept().join()}`) },
    keep: 10,
    logger: { info: () => undefined, warn: () => undefined },
  });
});
afterEach(() => rm(paths.data, { recursive: true, force: true }));

/** An environment that was last wanted so long ago (ms). @returns its folder */
async function environment(hash: string, ago: number, files: Record<string, string> = {}): Promise<string> {
  const folder = paths.environment(hash);
  await writeFiles(folder, { 'streamlit-host.json': '{}', 'bin/python': '', ...files });
  const then = new Date(Date.now() - ago);
  await utimes(folder, then, then);
  return folder;
}

it('the pruner deletes environments unused for a day after every deploy, and no others', async () => {
  const [unused, fresh, used] = [
    await environment('unused', 25 * HOUR),
    await environment('fresh', 23 * HOUR),
    await environment('used', 99 * HOUR),
  ];
  await store.create({
    ...newApp('shop', 'Shop', new Date()),
    releases: [releaseOf(1, 'live', { environment: 'used' })],
    live: 1,
  });
  await pruner.tidyAfter('shop');
  expect(tidied).toHaveLength(1);
  expect(tidied[0]).toMatch(/^shop /);
  expect([unused, fresh, used].map(existsSync)).toEqual([false, true, true]);
  expect(forgotten).toEqual([unused]);
});

it('the pruner deletes none while an app has an unreadable record, because it may need one', async () => {
  const folder = await environment('perhaps', 25 * HOUR);
  await writeFiles(paths.app('damaged'), { 'meta.json': '{' });
  expect(await store.load()).toEqual([expect.stringContaining('so the app is skipped')]);
  await pruner.tidy();
  expect(existsSync(folder)).toBe(true);
});

it('the pruner never leaves half an environment in its place', async () => {
  const folder = await environment('unused', 25 * HOUR, FILES);
  let done = false;
  const tidied = pruner.tidy().finally(() => (done = true));
  const halves: number[] = [];
  while (!done) {
    const left = Object.keys(FILES).filter((file) => existsSync(join(folder, file))).length;
    if (existsSync(folder) && left < Object.keys(FILES).length) halves.push(left);
    await setImmediate();
  }
  await tidied;
  expect(halves).toEqual([]);
  expect(existsSync(folder)).toBe(false);
});
