import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { demandName, NewApps } from '../../../src/apps/new-apps.js';
import { newApp } from '../../../src/domain/app/app.js';
import { newPreview } from '../../../src/domain/app/preview.js';
import { Repository } from '../../../src/store/repository.js';
import { TestData } from '../../helpers/data.js';
import { writeFiles } from '../../helpers/files.js';

let data: TestData;
let apps: NewApps;

beforeEach(async () => {
  data = await TestData.open();
  apps = new NewApps({ ...data, opens: 'public' });
});
afterEach(() => data.close());

const ids = (): string[] => data.store.list().map(({ id }) => id);
const repository = (id: string): Repository => new Repository(data.paths.repository(id), data.git);

it('a new app has a record and an empty repository, and no temporary files are left', async () => {
  expect(await apps.create({ name: '  Sales Figures ', description: 'All of them' })).toBe('sales-figures');
  expect(data.store.get('sales-figures')).toMatchObject({
    name: 'Sales Figures',
    description: 'All of them',
    deployBranch: null,
    live: null,
  });
  expect(await repository('sales-figures').branches()).toEqual([]);
  expect(await readdir(data.paths.tmp)).toEqual([]);
});

it('two apps created at once get different ids even if their names give the same id', async () => {
  const made = await Promise.all([apps.create({ name: 'Shop' }), apps.create({ name: 'Shop!' })]);
  expect(made).toEqual(['shop', 'shop-2']);
});

it.each([
  ['销售看板', 'xiaoshoukanban'],
  ['Продажи 2026', 'prodazhi-2026'],
  ['Übersicht', 'ubersicht'],
  ['📈 Sales', 'sales'],
  ['📈', 'app'],
])("an app's id is its name in Latin letters: %s", async (name, id) => {
  expect(await apps.create({ name })).toBe(id);
  expect(data.store.get(id).name).toBe(name);
});

it('of two apps created at once with the same name, the second is refused', async () => {
  const both = await Promise.allSettled([apps.create({ name: 'Shop' }), apps.create({ name: 'SHOP', id: 'other' })]);
  expect(both).toMatchObject([{ status: 'fulfilled' }, { reason: { code: 'app-name-taken' } }]);
  expect(ids()).toEqual(['shop']);
  expect(existsSync(data.paths.app('other'))).toBe(false);
});

it.each([
  [{ name: ' ' }, 'app-name-missing'],
  [{ name: 'Fine', id: 'Not Fine' }, 'app-id-invalid'],
  [{ name: 'Fine', id: 'console' }, 'app-id-reserved'],
  [{ name: 'Fine', id: 'shop--x' }, 'app-id-reserved'],
  [{ name: 'Fine', id: 'shop' }, 'app-exists'],
])('creating %j is refused with %s, and changes nothing', async (input, code) => {
  await data.app('shop', { description: 'as before' });
  const before = await readdir(data.paths.apps);
  await expect(apps.create(input)).rejects.toMatchObject({ code });
  expect(await readdir(data.paths.apps)).toEqual(before);
  expect(data.store.get('shop').description).toBe('as before');
});

it('the id of an app with an unreadable record is not given to another app, and its folder stays', async () => {
  await writeFiles(data.paths.app('shop'), { 'meta.json': '{', 'storage/own.db': 'rows' });
  await data.store.load();
  expect(await apps.create({ name: 'Shop' })).toBe('shop-2');
  await expect(apps.add(newApp('shop', 'Other', new Date()))).rejects.toMatchObject({ code: 'app-unreadable' });
  expect(await readFile(`${data.paths.storage('shop')}/own.db`, 'utf8')).toBe('rows');
});

it('an app whose repository cannot be created leaves nothing behind', async () => {
  const broken = newPreview('shop--x', newApp('shop', 'Shop', new Date()), 'x', new Date());
  await expect(apps.make(broken)).rejects.toThrow();
  expect(existsSync(data.paths.app('shop--x'))).toBe(false);
  expect(ids()).toEqual([]);
});

it("a preview starts at its branch's commit and borrows its objects", async () => {
  await data.app('shop');
  const main = await data.commit('shop', { 'app.py': '1' });
  const feature = await data.commit('shop', { 'app.py': '2' }, 'feature');
  await apps.make(newPreview('shop--feature', data.store.get('shop'), 'feature', new Date()));
  const preview = repository('shop--feature');
  expect(await preview.resolve('HEAD')).toBe(feature);
  expect(await preview.branches()).toEqual(['feature']);
  expect(await readFile(`${preview.path}/objects/info/alternates`, 'utf8')).toBe('../../../shop/repo.git/objects\n');
  expect(await repository('shop').resolve('refs/heads/main')).toBe(main);
});

it('leftovers of an interrupted creation do not get into the new app', async () => {
  await mkdir(data.paths.storage('shop'), { recursive: true });
  await writeFiles(data.paths.storage('shop'), { 'old.db': '' });
  await apps.create({ name: 'Shop' });
  expect(await readdir(data.paths.storage('shop'))).toEqual([]);
});

it('a branch that conflicts with another one in git is refused', async () => {
  await data.app('shop');
  await data.commit('shop', { 'app.py': '' }, 'feature/one');
  await expect(apps.demandBranch('shop', 'feature')).rejects.toMatchObject({ code: 'branch-in-the-way' });
  await apps.demandBranch('shop', 'feature/two');
  await apps.demandBranch('shop', 'feature/one');
});

it('an app can keep its own name in different case', async () => {
  await data.app('shop', { name: 'Shop' });
  apps.demandFreeName('SHOP', 'shop');
  expect(() => apps.demandFreeName('SHOP', undefined)).toThrow(expect.objectContaining({ code: 'app-name-taken' }));
  expect(demandName(' Shop ')).toBe('Shop');
});

it.skipIf(process.getuid?.() !== 0)(
  'the rest of an app that could not be created is deleted once that is possible, and not if there is such an app by then (needs root, to mount a disk)',
  async () => {
    const stuck = join(data.paths.app('shop'), 'stuck');
    await mkdir(stuck, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', stuck]);
    try {
      await expect(apps.create({ name: 'Shop' })).rejects.toThrow('EBUSY');
      await expect(apps.finish()).rejects.toThrow('EBUSY');
    } finally {
      execFileSync('umount', [stuck]);
    }
    expect(existsSync(data.paths.app('shop'))).toBe(true);
    await apps.finish();
    expect(existsSync(data.paths.app('shop'))).toBe(false);
    await apps.create({ name: 'Shop' });
    await apps.finish();
    expect(await repository('shop').branches()).toEqual([]);
  },
);
