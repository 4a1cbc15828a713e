import { afterEach, beforeEach, expect, it } from 'vitest';
import { adoptBranch, mendBranch, moveBranch } from '../../../src/deploys/branches.js';
import { newPreview } from '../../../src/domain/app/preview.js';
import { TestData } from '../../helpers/data.js';
import { writeFiles } from '../../helpers/files.js';
import { releaseOf } from '../../helpers/release.js';

let data: TestData;
/** Two commits; both branches of the app stand at the first one. */
let old: string;
let fresh: string;

beforeEach(async () => {
  data = await TestData.open();
  await data.app('shop');
  old = await data.commit('shop', { 'app.py': '1' });
  fresh = await data.commit('shop', { 'app.py': '2' });
  const stood = { 'refs/heads/main': `${old}\n`, 'refs/heads/other': `${old}\n` };
  await writeFiles(data.paths.repository('shop'), stood);
});
afterEach(() => data.close());

const at = async (id: string, ref: string): Promise<string | undefined> => (await data.repository(id)).resolve(ref);
const head = async (): Promise<string> => (await data.repository('shop')).ask(['symbolic-ref', 'HEAD']);

it('the first adopted branch becomes the deploy branch, and a clone checks it out', async () => {
  await adoptBranch(data, 'shop', 'other');
  expect(data.store.get('shop').deployBranch).toBe('other');
  expect(await head()).toBe('refs/heads/other');
});

it('another branch can be adopted until a release is live, and not afterwards', async () => {
  await adoptBranch(data, 'shop', 'main');
  await adoptBranch(data, 'shop', 'other');
  expect(data.store.get('shop').deployBranch).toBe('other');
  await data.store.update('shop', (app) => ({ ...app, live: 1, releases: [releaseOf(1, 'live')] }));
  await adoptBranch(data, 'shop', 'main');
  expect(data.store.get('shop').deployBranch).toBe('other');
  expect(await head()).toBe('refs/heads/other');
});

it('a live release moves its own branch to its commit, and no other', async () => {
  await moveBranch(data, data.store.get('shop'), releaseOf(1, 'live', { commit: fresh }));
  expect([await at('shop', 'main'), await at('shop', 'other')]).toEqual([fresh, old]);
});

it.each(['rollback', 'config', 'folder'] as const)('a release from a %s moves no branch', async (source) => {
  await moveBranch(data, data.store.get('shop'), releaseOf(1, 'live', { commit: fresh, source }));
  expect(await at('shop', 'main')).toBe(old);
});

it("a preview's release moves the branch in its own repository and in the app's", async () => {
  const preview = await data.store.create(newPreview('shop--other', data.store.get('shop'), 'other', new Date()));
  const own = await data.repository('shop--other');
  await own.borrow(await data.repository('shop'));
  await moveBranch(data, preview, releaseOf(1, 'live', { commit: fresh, branch: 'other' }));
  expect([await at('shop--other', 'refs/heads/other'), await at('shop', 'other')]).toEqual([fresh, fresh]);
  expect(await at('shop', 'main')).toBe(old);
});

it('a branch that lags behind the live release is moved, unless someone has moved it since', async () => {
  const live = releaseOf(1, 'live', { commit: fresh, previous: old });
  const app = { ...data.store.get('shop'), live: 1, releases: [live] };
  await mendBranch(data, app);
  expect(await at('shop', 'main')).toBe(fresh);
  const later = await data.commit('shop', { 'app.py': '3' });
  await mendBranch(data, app);
  expect(await at('shop', 'main')).toBe(later);
});

it('no branch is moved for an app without a live release', async () => {
  const failed = releaseOf(1, 'failed', { commit: fresh, previous: old });
  await mendBranch(data, { ...data.store.get('shop'), releases: [failed] });
  expect(await at('shop', 'main')).toBe(old);
});
