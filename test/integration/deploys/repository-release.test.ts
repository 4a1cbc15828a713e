import { chmod, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Inspector } from '../../../src/deploys/inspect.js';
import { DeployLog } from '../../../src/deploys/log.js';
import { RepositoryReleases } from '../../../src/deploys/repository-release.js';
import type { App } from '../../../src/domain/app/app.js';
import type { EnvironmentRequest } from '../../../src/environments/request.js';
import { FACTS } from '../../../src/environments/places.js';
import { LogFile } from '../../../src/logs/log-file.js';
import { TestData } from '../../helpers/data.js';
import { writeFiles } from '../../helpers/files.js';
import { direct } from '../../helpers/reader.js';
import { releaseOf } from '../../helpers/release.js';

const FILES = { 'app.py': 'import streamlit', 'requirements.txt': 'streamlit\n', 'packages.txt': 'ffmpeg\n' };
let data: TestData;
let shop: App;
let log: DeployLog;
/** The environments that were wanted, and the Debian packages. */
let wanted: EnvironmentRequest[];
let packages: string[];
let releases: RepositoryReleases;

beforeEach(async () => {
  data = await TestData.open();
  shop = await data.app('shop');
  log = new DeployLog(new LogFile(join(data.paths.data, 'build.log')), (text) => text);
  wanted = [];
  packages = [];
  releases = new RepositoryReleases({
    ...data,
    environments: {
      ensure: (request) => {
        wanted.push(request);
        return Promise.resolve({
          hash: 'abc',
          lock: 'def',
          path: '/e',
          python: '/e/bin/python',
          reused: false,
          ms: 1_000,
        });
      },
    },
    runtime: {},
    systemPackages: {
      provide: ({ names }) => {
        packages.push(...names);
        return Promise.resolve();
      },
    },
    inspector: new Inspector(direct),
    reader: direct,
    configs: { read: () => Promise.resolve({ vars: { INDEX_TOKEN: { value: 't' } } } as never) },
  });
});
afterEach(async () => {
  await log.written;
  // What was checked out is read-only.
  for (const number of [1, 2]) {
    await chmod(data.paths.source('shop', number), 0o700).catch(() => undefined); // This test has made none.
  }
  await data.close();
});

const build = (release: ReturnType<typeof releaseOf>): ReturnType<RepositoryReleases['build']> =>
  releases.build(shop, release, log, new AbortController().signal);

it('a release of a commit has its files, its environment and its main file', async () => {
  const commit = await data.commit('shop', FILES);
  const { facts } = await build(releaseOf(1, 'building', { commit }));
  expect(facts).toEqual({ entrypoint: 'app.py', environment: 'abc', lock: 'def', options: {} });
  const source = data.paths.source('shop', 1);
  expect((await readdir(source)).sort()).toEqual(Object.keys(FILES).sort());
  expect(wanted).toMatchObject([{ sourceDir: source, localKey: commit, vars: { INDEX_TOKEN: 't' } }]);
  expect(packages).toEqual(['ffmpeg']);
  // Kept from git's clean-up, whatever becomes of its branch.
  expect(await (await data.repository('shop')).resolve('refs/releases/1')).toBe(commit);
});

it('a rollback reuses the old environment, and nothing is inspected or installed', async () => {
  // No inspection would let it pass.
  const commit = await data.commit('shop', { 'other.txt': 'kept' });
  await writeFiles(data.paths.environment('abc'), { [FACTS]: '{}', 'bin/python': '' });
  const back = { commit, of: 1, entrypoint: 'app.py', environment: 'abc', source: 'rollback' } as const;
  expect(await build(releaseOf(2, 'building', back))).toMatchObject({ facts: {} });
  expect(await readFile(join(data.paths.source('shop', 2), 'other.txt'), 'utf8')).toBe('kept');
  expect([wanted, packages]).toEqual([[], []]);
});

it('a rollback to a release without an environment builds it again', async () => {
  const commit = await data.commit('shop', FILES);
  const back = { commit, of: 1, entrypoint: 'app.py', environment: 'gone', source: 'rollback' } as const;
  const { facts } = await build(releaseOf(2, 'building', back));
  expect(facts).toEqual({ entrypoint: 'app.py', environment: 'abc', lock: 'def', options: {} });
  expect(wanted).toHaveLength(1);
});

it('a commit that does not make an app is refused, and nothing is installed', async () => {
  const commit = await data.commit('shop', { 'notes.txt': '' });
  await expect(build(releaseOf(1, 'building', { commit }))).rejects.toMatchObject({ code: 'no-entrypoint' });
  expect([wanted, packages]).toEqual([[], []]);
});

it('an app whose repository is live no longer runs in place, and its own file describes it', () => {
  const place = { key: 'shop', dir: '/srv/shop', restartOnCrash: true, watch: false };
  const before = { ...shop, place, description: 'before' };
  expect(releases.applied(before, {})).toEqual({ ...shop, description: 'before' });
  expect(releases.applied(before, { description: 'after' }).description).toBe('after');
  expect(before.place).toBe(place);
});
