import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Offsets } from '../../../src/drains/offsets.js';

let folder: string;
let file: string;
const warned: string[] = [];
const open = (): Offsets => new Offsets(file, (_, text) => warned.push(text));
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'offsets-'));
  file = join(folder, 'drains.json');
  warned.length = 0;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('another server continues from the saved offsets, and from none if the file is damaged', async () => {
  expect(await open().open()).toEqual({});
  await open().save({ 'shop/1': 12 });
  expect(await open().open()).toEqual({ 'shop/1': 12 });
  await writeFile(file, '{"version":1');
  expect(await open().open()).toEqual({});
});

it('unchanged offsets are not written again', async () => {
  const offsets = open();
  await offsets.save({ 'shop/1': 12 });
  await rm(file);
  await offsets.save({ 'shop/1': 12 });
  expect(existsSync(file)).toBe(false);
  await offsets.save({ 'shop/1': 13 });
  expect(await open().open()).toEqual({ 'shop/1': 13 });
});

it('a write error is logged once, until a write succeeds', async () => {
  const offsets = open();
  await mkdir(file);
  await offsets.save({ 'shop/1': 1 });
  await offsets.save({ 'shop/1': 2 });
  expect(warned).toEqual(['It cannot be kept how far logs were drained.']);
  await rm(file, { recursive: true });
  await offsets.save({ 'shop/1': 2 });
  expect(await open().open()).toEqual({ 'shop/1': 2 });
  await rm(file);
  await mkdir(file);
  await offsets.save({ 'shop/1': 3 });
  expect(warned).toHaveLength(2);
});
