import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LfsObjects } from '../../../src/store/lfs-objects.js';

const TEXT = 'some data';
const OBJECT = { oid: createHash('sha256').update(TEXT).digest('hex'), size: TEXT.length };

let folder: string;
let objects: LfsObjects;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lfs-'));
  objects = new LfsObjects(join(folder, 'lfs'));
});
afterEach(() => rm(folder, { recursive: true }));

const bytes = (text: string): AsyncIterable<Buffer> => Readable.from([Buffer.from(text)]);

it('an object is there once all of it was received', async () => {
  expect([await objects.has(OBJECT), await objects.hasAny()]).toEqual([false, false]);
  await objects.keep(OBJECT, bytes(TEXT));
  expect([await objects.has(OBJECT), await objects.hasAny()]).toEqual([true, true]);
  expect(await readFile(objects.path(OBJECT.oid), 'utf8')).toBe(TEXT);
  const file = await objects.open(OBJECT.oid);
  expect(await file?.readFile('utf8')).toBe(TEXT);
  await file?.close();
  expect(await objects.open('0'.repeat(64))).toBeUndefined();
});

it.each([
  ['another hash', 'some date'],
  ['fewer bytes', 'some'],
  ['more bytes', 'some data and more'],
])('content with %s than was announced is not stored', async (_what, text) => {
  await expect(objects.keep(OBJECT, bytes(text))).rejects.toMatchObject({ code: 'lfs-object-invalid' });
  expect(await objects.has(OBJECT)).toBe(false);
  expect([await readdir(join(folder, 'lfs')), await objects.hasAny()]).toEqual([[], false]);
});

it('the leftovers of an interrupted upload count as no object', async () => {
  await mkdir(join(folder, 'lfs', 'ab'), { recursive: true });
  await writeFile(join(folder, 'lfs', '.draft-1'), 'half');
  expect(await objects.hasAny()).toBe(false);
  await objects.keep(OBJECT, bytes(TEXT));
  expect(await objects.hasAny()).toBe(true);
});

it('an object that was only partly received is removed after a day', async () => {
  await objects.keep(OBJECT, bytes(TEXT));
  const [old, new_] = ['.draft-old', '.draft-new'].map((name) => join(folder, 'lfs', name)) as [string, string];
  for (const draft of [old, new_]) await writeFile(draft, 'half');
  const longAgo = new Date(Date.now() - 2 * 24 * 60 * 60_000);
  await utimes(old, longAgo, longAgo);
  await objects.keep(OBJECT, bytes(TEXT));
  expect((await readdir(join(folder, 'lfs'))).filter((name) => name.startsWith('.'))).toEqual(['.draft-new']);
});
