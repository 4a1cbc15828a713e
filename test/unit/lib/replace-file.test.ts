import { lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { replaceFile, sweepDrafts, writeAll } from '../../../src/lib/replace-file.js';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'replace-'));
  file = join(folder, 'record.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A file on a disk that takes so many bytes at once, and so many in all. */
function disk(atOnce: number, room = Infinity): { content: Buffer; handle: Parameters<typeof writeAll>[0] } {
  const held = { content: Buffer.alloc(0) };
  const handle = {
    write(bytes: Uint8Array, offset: number, length: number, position: number) {
      const bytesWritten = Math.max(0, Math.min(atOnce, length, room - position));
      const part = bytes.subarray(offset, offset + bytesWritten);
      held.content = Buffer.concat([held.content.subarray(0, position), part]);
      return Promise.resolve({ bytesWritten, buffer: bytes });
    },
    stat: () => Promise.resolve({ size: held.content.length }),
  };
  return Object.assign(held, { handle: handle as unknown as Parameters<typeof writeAll>[0] });
}

it('content written in parts is complete', async () => {
  const slow = disk(7);
  const content = Buffer.from('a record that is longer than one write');
  await writeAll(slow.handle, content);
  expect(slow.content.toString()).toBe(content.toString());
});

it('content cut off by a full disk is an error, even though no write failed', async () => {
  await expect(writeAll(disk(4_096, 4_096).handle, Buffer.alloc(5_263))).rejects.toMatchObject({
    code: 'ENOSPC',
    message: 'ENOSPC: only 4096 of 5263 bytes were written',
  });
});

it('a replaced file has the new content, its permissions, and no draft left behind', async () => {
  await replaceFile(file, 'one', { mode: 0o600 });
  const { ino } = await stat(file);
  await replaceFile(file, Buffer.from('two'), { mode: 0o640, sync: false });
  expect(await readFile(file, 'utf8')).toBe('two');
  const after = await stat(file);
  expect([after.mode & 0o777, after.ino === ino]).toEqual([0o640, false]);
  expect(await readdir(folder)).toEqual(['record.json']);
});

it("a replaced file's previous content is kept under its other name", async () => {
  const last = join(folder, 'record.last.json');
  for (const text of ['one', 'two', 'three']) await replaceFile(file, text, { mode: 0o600, last });
  expect([await readFile(last, 'utf8'), await readFile(file, 'utf8')]).toEqual(['two', 'three']);
  expect((await readdir(folder)).sort()).toEqual(['record.json', 'record.last.json']);
});

it('a replaced link leaves its target unchanged', async () => {
  const other = join(folder, 'other');
  await writeFile(other, 'theirs');
  await symlink(other, file);
  await replaceFile(file, 'ours', { mode: 0o600 });
  expect([await readFile(other, 'utf8'), await readFile(file, 'utf8')]).toEqual(['theirs', 'ours']);
  expect((await lstat(file)).isSymbolicLink()).toBe(false);
});

it('a replaced file in a missing folder is an error, and the folder is not created', async () => {
  await expect(replaceFile(join(folder, 'none', 'file'), 'x', { mode: 0o600 })).rejects.toMatchObject({
    code: 'ENOENT',
  });
  expect(await readdir(folder)).toEqual([]);
});

it('a file that cannot be replaced keeps its content, and no draft is left', async () => {
  await mkdir(join(file, 'full'), { recursive: true });
  await expect(replaceFile(file, 'x', { mode: 0o600 })).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
  expect(await readdir(folder)).toEqual(['record.json']);
});

it('half-written copies are deleted, and nothing else', async () => {
  for (const name of ['record.json', 'record.json.0123456789ab.draft', 'my.draft', 'record.json.12345'])
    await writeFile(join(folder, name), '');
  await sweepDrafts(folder);
  await sweepDrafts(join(folder, 'none'));
  expect((await readdir(folder)).sort()).toEqual(['my.draft', 'record.json', 'record.json.12345']);
});
