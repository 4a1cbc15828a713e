import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LogFile } from '../../../src/logs/log-file.js';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'log-'));
  file = join(folder, 'run.log');
});
afterEach(() => rm(folder, { recursive: true }));

const read = (path = file): Promise<string> => readFile(path, 'utf8');

it('LogFile stamps each line with its time', async () => {
  await new LogFile(file).append('one\ntwo\n');
  expect(await read()).toMatch(/^\[\d{4}-\d\d-\d\dT[\d:.]+Z\] one\n\[[^\]]+\] two\n$/);
});

it('LogFile keeps the order of calls that do not wait for each other', async () => {
  const log = new LogFile(file);
  await Promise.all(Array.from({ length: 500 }, (_, index) => log.append(String(index))));
  const numbers = (await read())
    .trim()
    .split('\n')
    .map((line) => Number(line.split('] ')[1]));
  expect(numbers).toEqual(Array.from({ length: 500 }, (_, index) => index));
});

it('LogFile reports that it could not write, and writes again once it can', async () => {
  const log = new LogFile(join(folder, 'gone', 'run.log'));
  await expect(log.append('lost')).rejects.toThrow('ENOENT');
  await expect(log.append('lost too')).rejects.toThrow('ENOENT');
  await rm(folder, { recursive: true });
  await expect(log.rotateIfLarge()).resolves.toBe(false);
  await mkdir(join(folder, 'gone'), { recursive: true });
  await log.append('kept');
  expect(await read(log.path)).toMatch(/^\[[^\]]+\] kept\n$/);
});

it('LogFile leaves small and missing files alone', async () => {
  const log = new LogFile(file, { maxBytes: 100 });
  expect(await log.rotateIfLarge()).toBe(false);
  await log.append('small');
  expect(await log.rotateIfLarge()).toBe(false);
  expect(await readdir(folder)).toEqual(['run.log']);
});

it('LogFile keeps the configured number of older parts, and no draft', async () => {
  const log = new LogFile(file, { maxBytes: 10, keep: 2 });
  for (const text of ['first', 'second', 'third']) {
    await log.append(text);
    expect(await log.rotateIfLarge()).toBe(true);
  }
  expect((await readdir(folder)).sort()).toEqual(['run.log', 'run.log.1', 'run.log.2']);
  expect(await read(`${file}.1`)).toContain('third');
  expect(await read(`${file}.2`)).toContain('second');
});

it('LogFile keeps no older parts if so configured', async () => {
  const log = new LogFile(file, { maxBytes: 10, keep: 0 });
  await log.append('some text');
  expect(await log.rotateIfLarge()).toBe(true);
  expect(await readdir(folder)).toEqual(['run.log']);
  expect((await stat(file)).size).toBe(0);
});

it('LogFile keeps only the last part of a flood, from the beginning of a line', async () => {
  const log = new LogFile(file, { maxBytes: 1_000 });
  await writeFile(file, Array.from({ length: 1_000 }, (_, index) => `line ${index}\n`).join(''));
  expect(await log.rotateIfLarge()).toBe(true);
  const kept = (await read(`${file}.1`)).trim().split('\n');
  expect(kept[0]).toMatch(/^line \d+$/);
  expect(kept.at(-1)).toBe('line 999');
  expect((await stat(`${file}.1`)).size).toBeLessThanOrEqual(1_000);
  expect((await stat(file)).size).toBe(0);
});

it('LogFile keeps no more of the end than it is told', async () => {
  const log = new LogFile(file, { maxBytes: 1_000 });
  await writeFile(file, Array.from({ length: 1_000 }, (_, index) => `line ${index}\n`).join(''));
  expect(await log.rotateIfLarge({ most: 100 })).toBe(true);
  expect(await read(`${file}.1`)).toMatch(/^line \d+\n[^]*line 999\n$/);
  expect((await stat(`${file}.1`)).size).toBeLessThanOrEqual(100);
});

it('LogFile stays small on disk after a flood of 2 GB', async () => {
  const log = new LogFile(file, { maxBytes: 1024 * 1024 });
  // The hole costs the test no time and no disk, but a careless copy would write all of it.
  await writeFile(file, '');
  await truncate(file, 2 * 1024 ** 3);
  await log.append('the end');
  await log.rotateIfLarge();
  expect((await stat(`${file}.1`)).size).toBeLessThanOrEqual(1024 * 1024);
  expect((await stat(file)).size).toBe(0);
  expect((await read(`${file}.1`)).endsWith('the end\n')).toBe(true);
});
