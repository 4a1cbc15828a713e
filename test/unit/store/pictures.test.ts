import { existsSync } from 'node:fs';
import { readdir, stat, utimes } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Pictures } from '../../../src/store/pictures.js';
import { TestData } from '../../helpers/data.js';

let data: TestData;
let pictures: Pictures;
beforeEach(async () => {
  data = await TestData.open();
  await data.app('shop');
  pictures = new Pictures(data.paths);
});
afterEach(() => data.close());

it('an app without a picture has no picture version', async () => {
  expect(await pictures.version('shop')).toBeUndefined();
  expect(await pictures.version('none')).toBeUndefined();
});

it('a new picture replaces the old one, under another version', async () => {
  await pictures.keep('shop', Buffer.from('one'));
  // Of a moment ago, as a deploy takes longer than the clock's tick.
  await utimes(data.paths.picture('shop'), 1, 1);
  const before = await pictures.version('shop');
  expect(await pictures.version('shop')).toBe(before);
  await pictures.keep('shop', Buffer.from('two'));
  expect(await pictures.version('shop')).not.toBe(before);
  expect((await pictures.read('shop')).toString()).toBe('two');
  expect((await stat(data.paths.picture('shop'))).mode & 0o777).toBe(0o600);
  expect((await readdir(data.paths.app('shop'))).filter((name) => name.includes('picture'))).toEqual(['picture.jpg']);
});

it('a picture does not bring back a deleted app', async () => {
  await data.store.remove('shop');
  await expect(pictures.keep('shop', Buffer.from('late'))).rejects.toMatchObject({ code: 'ENOENT' });
  expect(existsSync(data.paths.app('shop'))).toBe(false);
});
