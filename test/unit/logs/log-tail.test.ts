import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LogTail } from '../../../src/logs/log-tail.js';

let path: string;
beforeEach(async () => void (path = join(await mkdtemp(join(tmpdir(), 'log-tail-')), 'run.log')));
afterEach(() => rm(join(path, '..'), { recursive: true, force: true }));

it('reads what is added, in parts, and nothing of a missing log', async () => {
  const tail = new LogTail(path);
  expect(await tail.next(4)).toBeUndefined();
  await appendFile(path, 'abcdef');
  expect(String(await tail.next(4))).toBe('abcd');
  expect(String(await tail.next(4))).toBe('ef');
  expect(await tail.next(4)).toBeUndefined();
  await appendFile(path, 'gh');
  expect(String(await tail.next(4))).toBe('gh');
});

it('reads the rest of a log that was rotated, then its new beginning', async () => {
  const tail = new LogTail(path);
  await writeFile(path, 'one\ntwo\n');
  expect(String(await tail.next(4))).toBe('one\n');
  await rename(path, `${path}.1`);
  await writeFile(path, 'x\n');
  expect(String(await tail.next(100))).toBe('two\n');
  expect(String(await tail.next(100))).toBe('x\n');
});

it('can read the newest alone', async () => {
  const tail = new LogTail(path);
  await writeFile(path, 'abcdef');
  expect(String(await tail.newest(2))).toBe('ef');
  expect(await tail.newest(2)).toBeUndefined();
  await writeFile(path, 'xyz');
  expect(String(await tail.newest(100))).toBe('xyz');
});
