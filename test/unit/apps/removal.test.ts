import { existsSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Removal } from '../../../src/apps/removal.js';
import { newPreview } from '../../../src/domain/app/preview.js';
import { TestData } from '../../helpers/data.js';
import { writeFiles } from '../../helpers/files.js';

let data: TestData;
/** What was done, in its order. */
let done: string[];
/** What the next process that is stopped does besides. */
let atStop: (id: string) => Promise<void>;
let removal: Removal;

beforeEach(async () => {
  data = await TestData.open();
  done = [];
  atStop = () => Promise.resolve();
  removal = new Removal({
    store: data.store,
    turns: data.turns,
    deploys: {
      bar: (id) => {
        done.push(`bar ${id}`);
        return () => void done.push(`unbar ${id}`);
      },
      abandon: async (id) => void done.push(`abandon ${id}`),
    },
    serving: {
      stop: async (id) => {
        done.push(`stop ${id}, ${existsSync(data.paths.meta(id)) ? 'on record' : 'off the record'}`);
        await atStop(id);
      },
    },
    configs: { forget: (id) => void done.push(`forget ${id}`) },
  });
});
afterEach(() => data.close());

const preview = async (branch: string): Promise<string> => {
  const id = `shop--${branch}`;
  await data.store.create(newPreview(id, data.store.get('shop'), branch, new Date()));
  return id;
};
const ids = (): string[] => data.store.list().map(({ id }) => id);

it('deleting an app stops its deploys, removes its record, stops it and deletes its folder, in this order', async () => {
  await data.app('shop');
  await data.app('shop2');
  await removal.remove('shop');
  expect(done).toEqual(['bar shop', 'abandon shop', 'stop shop, off the record', 'forget shop', 'unbar shop']);
  expect(existsSync(data.paths.app('shop'))).toBe(false);
  expect(ids()).toEqual(['shop2']);
  expect(existsSync(data.paths.meta('shop2'))).toBe(true);
});

it('deleting an app deletes its previews first, and no others', async () => {
  await data.app('shop');
  await data.app('blog');
  await data.store.create(newPreview('blog--x', data.store.get('blog'), 'x', new Date()));
  await preview('x');
  await preview('y');
  await removal.remove('shop');
  expect(done.filter((step) => step.startsWith('forget'))).toEqual(
    ['shop--x', 'shop--y', 'shop'].map((id) => `forget ${id}`),
  );
  expect(ids()).toEqual(['blog', 'blog--x']);
});

it('a preview created by a push while its app is being deleted is deleted too', async () => {
  await data.app('shop');
  atStop = async (id) => {
    if (id === 'shop') await preview('late');
  };
  await removal.remove('shop');
  expect(ids()).toEqual([]);
});

it('dropping an in-place app keeps its previews, and files that are not ours', async () => {
  await data.app('shop');
  const dir = `${data.paths.data}/elsewhere`;
  await writeFiles(dir, { 'app.py': '' });
  await data.store.update('shop', (app) => ({
    ...app,
    place: { key: 'shop', dir, restartOnCrash: true, watch: false },
  }));
  await preview('x');
  await removal.drop('shop');
  expect(ids()).toEqual(['shop--x']);
  expect(existsSync(`${dir}/app.py`)).toBe(true);
});

it('deleting an app that is gone does nothing', async () => {
  await data.app('blog');
  await removal.remove('shop');
  expect(done).toEqual([]);
  expect(ids()).toEqual(['blog']);
});

it('an app whose process cannot be stopped accepts deploys again, and keeps its folder', async () => {
  await data.app('shop');
  atStop = () => Promise.reject(new Error('it does not end'));
  await expect(removal.remove('shop')).rejects.toThrow('it does not end');
  expect(done.at(-1)).toBe('unbar shop');
  expect(done).not.toContain('forget shop');
  expect(existsSync(data.paths.storage('shop'))).toBe(true);
});

it('a deletion that failed half-way is finished, and nothing else is deleted', async () => {
  await data.app('shop');
  await data.app('blog');
  atStop = () => Promise.reject(new Error('read-only'));
  await expect(removal.remove('shop')).rejects.toThrow('read-only');
  expect(existsSync(data.paths.app('shop'))).toBe(true);
  await expect(removal.finish()).rejects.toThrow('read-only');
  atStop = () => Promise.resolve();
  await removal.finish();
  expect(existsSync(data.paths.app('shop'))).toBe(false);
  expect(ids()).toEqual(['blog']);
  done.length = 0;
  await removal.finish();
  expect(done).toEqual([]);
});
