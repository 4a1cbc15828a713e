import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Inspector } from '../../../src/deploys/inspect.js';
import { ReleaseSources } from '../../../src/deploys/release-source.js';
import { RepositoryReleases } from '../../../src/deploys/repository-release.js';
import { system } from '../../../src/domain/access/principal.js';
import { Deploys } from '../../../src/deploys/deploys.js';
import { newApp } from '../../../src/domain/app/app.js';
import { AppStore } from '../../../src/store/apps.js';
import { Git } from '../../../src/store/git.js';
import { Paths } from '../../../src/store/paths.js';
import { Repository } from '../../../src/store/repository.js';
import { direct } from '../../helpers/reader.js';

let paths: Paths;
let store: AppStore;
let deploys: Deploys;
let commit: string;

/** The deploys of one app, and a commit that cannot become a release: it has no main file. */
beforeEach(async () => {
  paths = new Paths(await mkdtemp(join(tmpdir(), 'deploys-')));
  store = new AppStore(paths);
  await store.load();
  await store.create(newApp('hello', 'Hello', new Date(0)));
  await mkdir(paths.tmp);
  const git = new Git(process.env.PATH ?? '');
  const repository = new Repository(paths.repository('hello'), git);
  await repository.init(paths.tmp);
  const file = join(paths.tmp, 'notes.txt');
  await writeFile(file, 'none');
  commit = await repository.commit(
    {
      parent: undefined,
      set: [{ path: 'notes.txt', file }],
      remove: [],
      replace: true,
      author: 'ada',
      message: 'Notes',
    },
    paths.tmp,
  );
  deploys = new Deploys({
    store,
    paths,
    git,
    sources: new ReleaseSources({
      repository: new RepositoryReleases({
        paths,
        git,
        environments: undefined as never,
        systemPackages: undefined as never,
        inspector: new Inspector(direct),
        reader: direct,
        runtime: {},
        configs: undefined as never,
      }),
      folder: undefined as never,
    }),
    serving: undefined as never,
    configs: undefined as never,
    headStarts: { begin: () => undefined, take: () => Promise.resolve(undefined), settle: () => undefined },
    optionLimits: { uploadMb: 1, messageMb: 1 },
    url: () => '',
    room: { demand: () => Promise.resolve() },
    readiness: { why: () => Promise.resolve(undefined) },
    compiler: { add: () => undefined },
    pruner: { tidyAfter: () => Promise.resolve() },
    masks: { forDeploy: () => Promise.resolve((text: string) => text) },
    logger: { info: () => undefined, error: () => undefined },
  });
});
afterEach(() => rm(paths.data, { recursive: true, force: true }));

const states = (): string[] => store.get('hello').releases.map(({ number, state }) => `${number} ${state}`);

it('a deploy whose failure was reported but could not be recorded is not started again', async () => {
  const { done } = await deploys.request({ app: 'hello', commit, branch: 'main', by: system('ada'), source: 'push' });
  const update = store.update.bind(store);
  const disk = vi.spyOn(store, 'update').mockImplementation(async (id, change) => {
    if (change(store.get(id)).releases.some(({ state }) => state === 'failed'))
      throw new Error('ENOSPC: no space left on device, write');
    return update(id, change);
  });
  await expect(deploys.run('hello')).rejects.toThrow('ENOSPC');
  const told = await done;
  expect(told).toMatchObject({ state: 'failed', reason: expect.stringContaining('app.py') as string });
  expect(states()).toEqual(['1 building']);

  disk.mockRestore();
  const seen: string[] = [];
  store.subscribe(() => seen.push(...states()));
  await deploys.run('hello');
  expect(seen).toEqual(['1 failed']);
  expect(store.get('hello').releases[0]?.reason).toBe(told.reason);
});

it.each(['building', 'starting'] as const)(
  'a deploy left %s by a killed server is recovered once, however often recovery runs and whatever runs at the same time',
  async (state) => {
    const { done } = await deploys.request({ app: 'hello', commit, branch: 'main', by: system('ada'), source: 'push' });
    await store.update('hello', (app) => ({ ...app, releases: app.releases.map((one) => ({ ...one, state })) }));
    // The queue's worker may have its job before recovery is done, and recovery may come again while it runs.
    await Promise.all([deploys.recover(), deploys.run('hello'), deploys.recover(), deploys.run('hello')]);
    await deploys.recover();
    expect(await done).toMatchObject({ state: 'failed', reason: expect.stringContaining('app.py') as string });
    expect(states()).toEqual(['1 failed']);
  },
);

it('a deploy that cannot be recovered because the disk is full is resumed at its turn', async () => {
  await deploys.request({ app: 'hello', commit, branch: 'main', by: system('ada'), source: 'push' });
  await store.update('hello', (app) => ({
    ...app,
    releases: app.releases.map((one) => ({ ...one, state: 'building' })),
  }));
  const disk = vi.spyOn(store, 'update').mockRejectedValue(new Error('ENOSPC: no space left on device, write'));
  await deploys.recover();
  expect(states()).toEqual(['1 building']);
  disk.mockRestore();
  await deploys.run('hello');
  expect(states()).toEqual(['1 failed']);
});
