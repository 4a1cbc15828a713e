import { afterEach, beforeEach, expect, it } from 'vitest';
import { Inspector } from '../../../src/deploys/inspect.js';
import { system } from '../../../src/domain/access/principal.js';
import { newPreview, previewsOn } from '../../../src/domain/app/preview.js';
import { AppPreviews } from '../../../src/host/previews.js';
import { TakenDeploys, TestData } from '../../helpers/data.js';
import { direct } from '../../helpers/reader.js';

const ADA = system('ada');
const FILES = { 'app.py': 'import streamlit', 'requirements.txt': 'streamlit\n' };
let data: TestData;
let deploys: TakenDeploys;
/** The branches for which a preview was wanted. */
let taken: string[];
let previews: AppPreviews;

beforeEach(async () => {
  data = await TestData.open();
  deploys = new TakenDeploys();
  taken = [];
  previews = new AppPreviews({
    ...data,
    deploys,
    inspector: new Inspector(direct),
    apps: { list: () => data.store.list().map((app) => ({ app, state: 'created', process: undefined })) },
    previews: {
      isOn: (app) => previewsOn(app, true),
      find: (of, branch) => data.store.list().find(({ preview }) => preview?.of === of && preview.branch === branch),
      ensure: async (of, branch) => {
        taken.push(branch);
        return `${of}--${branch}`;
      },
    },
  });
  await data.app('shop', { deployBranch: 'main' });
  await data.commit('shop', FILES);
});
afterEach(() => data.close());

const preview = (of: string, branch: string): Promise<unknown> =>
  data.store.create(newPreview(`${of}--${branch}`, data.store.get(of), branch, new Date()));

it("an app's previews are those of its own branches", async () => {
  await data.app('blog', { previews: false });
  for (const of of ['shop', 'blog']) await preview(of, 'x');
  const { on, list } = previews.of('shop');
  expect(on).toBe(true);
  expect(list.map(({ app }) => app.id)).toEqual(['shop--x']);
  expect(previews.of('blog').on).toBe(false);
  expect(() => previews.of('none')).toThrow(expect.objectContaining({ code: 'app-not-found' }));
});

it('a stored branch neither deploys nor has a preview', async () => {
  for (const branch of ['a', 'b']) await data.commit('shop', FILES, branch);
  await preview('shop', 'b');
  expect(await previews.stored('shop')).toEqual(['a']);
});

it('an app with previews off, or a preview itself, has no stored branches', async () => {
  await data.commit('shop', FILES, 'a');
  await preview('shop', 'b');
  expect(await previews.stored('shop--b')).toEqual([]);
  await data.store.update('shop', (app) => ({ ...app, previews: false }));
  expect(await previews.stored('shop')).toEqual([]);
});

it('a preview of a stored branch deploys its newest commit, as a push would', async () => {
  const commit = await data.commit('shop', FILES, 'a');
  await previews.create('shop', 'a', ADA);
  expect(deploys.asked).toEqual([{ app: 'shop--a', commit, branch: 'a', by: ADA, source: 'push' }]);
});

it.each([
  ['the branch that deploys', 'main', 'branch-deploys'],
  ['a branch that is not there', 'none', 'branch-not-found'],
  ['an option of git', '--all', 'branch-not-found'],
  ["another name of a branch's commit", 'a^{commit}', 'branch-not-found'],
  ['a branch that makes no app', 'bad', 'no-entrypoint'],
])('no preview is created of %s', async (_what, branch, code) => {
  await data.commit('shop', FILES, 'a');
  await data.commit('shop', { 'notes.txt': '' }, 'bad');
  await expect(previews.create('shop', branch, ADA)).rejects.toMatchObject({ code });
  expect(taken).toEqual([]);
  expect(deploys.asked).toEqual([]);
});

it('no preview is created of a preview, or while previews are off', async () => {
  await data.commit('shop', FILES, 'a');
  await preview('shop', 'b');
  await expect(previews.create('shop--b', 'a', ADA)).rejects.toMatchObject({ code: 'previews-off' });
  await data.store.update('shop', (app) => ({ ...app, previews: false }));
  await expect(previews.create('shop', 'a', ADA)).rejects.toMatchObject({ code: 'previews-off' });
  expect(taken).toEqual([]);
});
