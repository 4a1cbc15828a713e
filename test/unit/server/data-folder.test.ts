import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { takeData } from '../../../src/server/data-folder.js';
import { Later } from '../../../src/server/later.js';
import { readServerRecord, writeServerRecord } from '../../../src/store/lock.js';
import { Paths } from '../../../src/store/paths.js';
import { writeFiles } from '../../helpers/files.js';

// They go at the end: a folder is claimed until this process ends, and a new one could get the number of one that is gone.
const made: string[] = [];
let paths: Paths;
const later = new Later({ warn: () => undefined, info: () => undefined }, () => Promise.resolve(true));
beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'data-folder-'));
  made.push(folder);
  paths = new Paths(join(folder, 'data'));
});
afterAll(() => Promise.all(made.map((folder) => rm(folder, { recursive: true, force: true }))));

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

it('a data folder is created for its owner only', async () => {
  await takeData(paths, later);
  for (const folder of [paths.data, paths.apps, paths.environments, paths.run, paths.tmp, paths.cache])
    expect(await modeOf(folder), folder).toBe(0o700);
  expect(await readServerRecord(paths.server)).toMatchObject({ pid: process.pid, url: '' });
});

it('locks and received objects of a killed git are deleted, also after a wait for a writable disk', async () => {
  const lock = 'apps/shop/repo.git/refs/heads/main.lock';
  await writeFiles(paths.data, { [lock]: '', 'apps/shop/repo.git/refs/heads/main': '' });
  let clear: (() => Promise<unknown>) | undefined;
  const postpone: Pick<Later, 'attempt'> = {
    attempt: async (what, work) => {
      if (what === 'clear unfinished work') clear = work;
      else await work();
    },
  };
  await takeData(paths, postpone);
  // A push that came meanwhile.
  await writeFiles(paths.data, { 'apps/shop/repo.git/objects/tmp_objdir-incoming-x/a': '' });
  await clear?.();
  expect(await readdir(join(paths.data, 'apps/shop/repo.git/refs/heads'))).toEqual(['main']);
  expect(await readdir(join(paths.data, 'apps/shop/repo.git/objects'))).toEqual(['tmp_objdir-incoming-x']);
});

it('an open data folder is made private, and leftovers of an earlier server are deleted', async () => {
  const draft = 'server.json.0123456789ab.draft';
  await mkdir(paths.data, { recursive: true });
  await writeFiles(paths.data, { 'tmp/half': '', 'apps/shop/meta.json': '{}', [draft]: '', 'admin-token': 'secret' });
  const folders = ['alerts', 'audit', 'metrics', 'metrics/errors'];
  for (const folder of folders) await writeFiles(paths.data, { [`${folder}/x.json`]: '', [`${folder}/${draft}`]: '' });
  await chmod(paths.data, 0o755);
  await takeData(paths, later);
  expect(await modeOf(paths.data)).toBe(0o700);
  expect(await readdir(paths.tmp)).toEqual([]);
  expect(await readdir(paths.data)).toEqual(expect.arrayContaining(['admin-token', 'apps']));
  expect(await readdir(paths.data)).not.toContain(draft);
  for (const folder of folders) {
    const names = await readdir(join(paths.data, folder));
    expect(names).toContain('x.json');
    expect(names).not.toContain(draft);
  }
  expect(await readdir(join(paths.apps, 'shop'))).toEqual(['meta.json']);
});

it("a data folder of another server is refused with that server's URL, and left alone", async () => {
  await takeData(paths, later);
  await expect(takeData(paths, later)).rejects.toMatchObject({
    code: 'already-running',
    message: `A server is already running on ${paths.data}: it is starting up.`,
  });
  await writeServerRecord(paths.server, { pid: 12, startTime: '34', url: 'http://one.example' });
  await writeFile(join(paths.tmp, 'half'), '');
  await expect(takeData(paths, later)).rejects.toMatchObject({
    message: `A server is already running on ${paths.data}: http://one.example/console/ (pid 12).`,
  });
  expect(await readdir(paths.tmp)).toEqual(['half']);
});

it('a data folder that is not writable is refused', async () => {
  await writeFile(paths.data, 'a file');
  await expect(takeData(paths, later)).rejects.toMatchObject({ kind: 'unavailable', code: 'data-not-writable' });
});
