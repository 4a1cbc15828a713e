import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AppFiles, type FileChange, type StagedFile } from '../../../src/apps/files.js';
import { RepositorySource } from '../../../src/apps/repository-source.js';
import { AppSources } from '../../../src/apps/source.js';
import { Inspector } from '../../../src/deploys/inspect.js';
import { system } from '../../../src/domain/access/principal.js';
import { TakenDeploys, TestData } from '../../helpers/data.js';
import { writeFiles } from '../../helpers/files.js';
import { releaseOf } from '../../helpers/release.js';
import { direct } from '../../helpers/reader.js';

const ADA = system('ada');
const PROJECT = { 'app.py': 'import streamlit', 'requirements.txt': 'streamlit\n', 'lib/a.py': 'a = 1' };
let data: TestData;
let deploys: TakenDeploys;
let files: AppFiles;

beforeEach(async () => {
  data = await TestData.open();
  deploys = new TakenDeploys();
  const serving = { start: () => Promise.resolve(), restart: () => Promise.resolve() };
  const repository = new RepositorySource({ ...data, deploys, serving });
  const sources = new AppSources({ repository, folder: repository });
  files = new AppFiles({ ...data, sources, deploys, inspector: new Inspector(direct) });
});
afterEach(() => data.close());

/** Puts contents where an upload leaves them. */
async function staged(contents: Record<string, string>): Promise<StagedFile[]> {
  const folder = join(data.paths.data, 'staged');
  await writeFiles(folder, contents);
  return Object.keys(contents).map((path) => ({ path, file: join(folder, path) }));
}

/** A change of some files and no others. */
async function edit(contents: Record<string, string>, remove: string[] = []): Promise<FileChange> {
  return { set: await staged(contents), remove, replace: false };
}

const tree = async (commit: string): Promise<string[]> =>
  (await (await data.repository('shop')).ask(['ls-tree', '-r', '--format=%(objectmode) %(path)', commit])).split('\n');
const commits = (): (string | undefined)[] => deploys.asked.map(({ commit }) => commit);

it('the first upload to an empty app is its first commit, sets the deploy branch, and is deployed', async () => {
  await data.app('shop');
  await data.repository('shop');
  await files.commit('shop', { set: await staged(PROJECT), remove: [], replace: true }, ADA, 'Upload');
  expect(deploys.asked).toMatchObject([{ app: 'shop', branch: 'main', by: ADA, source: 'upload' }]);
  expect(await tree(commits()[0] ?? '')).toEqual(
    Object.keys(PROJECT)
      .sort()
      .map((path) => `100644 ${path}`),
  );
  expect(data.store.get('shop').deployBranch).toBe('main');
  // It moves once the release is live.
  expect(await (await data.repository('shop')).branches()).toEqual([]);
  expect(await readdir(data.paths.tmp)).toEqual([]);
});

it.each([[['app.py', 'requirements.txt']], [['requirements.txt', 'lib/a.py', 'app.py']]])(
  'an empty app is filled file by file (%j), and deployed once it has what it needs',
  async (order) => {
    await data.app('shop');
    const repository = await data.repository('shop');
    for (const [place, path] of order.entries()) {
      const change = await edit({ [path]: PROJECT[path as keyof typeof PROJECT] });
      const { deploy, lacks } = await files.commit('shop', change, ADA, path);
      if (place === order.length - 1) break;
      expect(deploy).toBeUndefined();
      expect(lacks).toMatch(/^No (requirements\.txt|app\.py) /);
      expect(await files.list('shop')).toHaveLength(place + 1);
    }
    expect(deploys.asked).toMatchObject([{ app: 'shop', branch: 'main' }]);
    expect(await tree(commits()[0] ?? '')).toEqual([...order].sort().map((path) => `100644 ${path}`));
    expect(await repository.ask(['log', '--format=%s', commits()[0] ?? ''])).toBe([...order].reverse().join('\n'));
  },
);

it('a deployed app is not left without what it needs, nor is a whole project kept that lacks something', async () => {
  await data.app('shop', { deployBranch: 'main', lastRelease: 1 });
  const before = await data.commit('shop', PROJECT);
  await expect(files.commit('shop', await edit({}, ['app.py']), ADA, '')).rejects.toMatchObject({
    code: 'no-entrypoint',
  });
  await data.app('empty');
  await data.repository('empty');
  const whole = { set: await staged({ 'app.py': '' }), remove: [], replace: true };
  await expect(files.commit('empty', whole, ADA, '')).rejects.toMatchObject({ code: 'no-requirements' });
  expect(await (await data.repository('shop')).resolve('refs/heads/main')).toBe(before);
  expect(await files.list('empty')).toEqual([]);
});

it('an edit changes only the files it names, and only the deploy branch', async () => {
  await data.app('shop', { deployBranch: 'main' });
  const before = await data.commit('shop', PROJECT);
  await files.commit('shop', await edit({ 'lib/b.py': 'b = 1' }, ['lib/a.py']), ADA, 'Edit');
  const [commit = ''] = commits();
  expect(await tree(commit)).toEqual(['100644 app.py', '100644 lib/b.py', '100644 requirements.txt']);
  expect(deploys.asked).toMatchObject([{ source: 'edit' }]);
  const repository = await data.repository('shop');
  expect(await repository.ask(['log', '-1', '--format=%P %an %s', commit])).toBe(`${before} ada Edit`);
  expect(await repository.resolve('refs/heads/main')).toBe(before);
});

it('an edit builds on the change that is still being deployed', async () => {
  await data.commit('shop', PROJECT);
  const pending = await data.commit('shop', { ...PROJECT, 'new.py': '' }, 'aside');
  const releases = [releaseOf(1, 'building', { commit: pending, source: 'edit' })];
  await data.app('shop', { deployBranch: 'main', releases, lastRelease: 1 });
  await files.commit('shop', await edit({ 'app.py': 'import streamlit as st' }), ADA, 'Edit');
  expect(await tree(commits()[0] ?? '')).toContain('100644 new.py');
});

it('an executable file stays executable when its contents change', async () => {
  await data.app('shop', { deployBranch: 'main' });
  const first = await data.repository('shop');
  const set = (await staged({ ...PROJECT, run: '#!/bin/sh' })).map((file) => ({
    ...file,
    executable: file.path === 'run',
  }));
  const parent = await first.commit(
    { parent: undefined, set, remove: [], replace: true, author: 'Ada', message: '' },
    data.paths.tmp,
  );
  await first.pointRef('refs/heads/main', parent);
  await files.commit('shop', await edit({ run: '#!/bin/bash', 'app.py': 'import streamlit as st' }), ADA, 'Edit');
  expect(await tree(commits()[0] ?? '')).toEqual(expect.arrayContaining(['100755 run', '100644 app.py']));
});

it.each([
  ['a file in the place of a folder', { lib: 'text' }],
  ['a file below another file', { 'app.py/x.py': 'text' }],
])('%s is refused, and nothing is deployed', async (_what, contents) => {
  await data.app('shop', { deployBranch: 'main' });
  await data.commit('shop', PROJECT);
  await expect(files.commit('shop', await edit(contents), ADA, 'Edit')).rejects.toMatchObject({ code: 'path-taken' });
  expect(deploys.asked).toEqual([]);
});

it('a file can replace a folder that is deleted by the same change', async () => {
  await data.app('shop', { deployBranch: 'main' });
  await data.commit('shop', PROJECT);
  await files.commit('shop', await edit({ lib: 'text' }, ['lib/a.py']), ADA, 'Edit');
  expect(await tree(commits()[0] ?? '')).toContain('100644 lib');
});

it('files that do not make an app are refused: nothing is deployed, and no branch is adopted', async () => {
  await data.app('shop');
  await data.repository('shop');
  const change = { set: await staged({ 'notes.txt': '' }), remove: [], replace: true };
  await expect(files.commit('shop', change, ADA, 'Upload')).rejects.toMatchObject({ code: 'no-entrypoint' });
  expect(deploys.asked).toEqual([]);
  expect(data.store.get('shop').deployBranch).toBeNull();
});

it('the files of an in-place app cannot be changed until it is adopted', async () => {
  await data.app('shop', { place: { key: 'shop', dir: '/srv/shop', restartOnCrash: true, watch: false } });
  await data.repository('shop');
  await expect(files.commit('shop', await edit(PROJECT), ADA, 'Edit')).rejects.toMatchObject({ code: 'app-in-place' });
  expect(deploys.asked).toEqual([]);
  await files.adopt('shop', await staged(PROJECT), ADA, 'Adopt');
  expect(deploys.asked).toMatchObject([{ source: 'upload', branch: 'main' }]);
  expect(data.store.get('shop').place).toBeDefined();
});
