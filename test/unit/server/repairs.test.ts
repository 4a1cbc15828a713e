import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Repairs } from '../../../src/server/repairs.js';
import { Paths } from '../../../src/store/paths.js';
import { writeFiles } from '../../helpers/files.js';

const HOUR_MS = 3_600_000;

let data: string;
let paths: Paths;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'repairs-'));
  paths = new Paths(data);
});
afterEach(() => rm(data, { recursive: true, force: true }));

const repairs = (git: string[] = [], uid = process.getuid?.()): Repairs =>
  new Repairs({ paths, gitLeftovers: () => Promise.resolve(git), uid });

/** Lets files of the data folder look as if they had been written some hours ago. */
async function age(hours: number, ...names: string[]): Promise<void> {
  const at = new Date(Date.now() - hours * HOUR_MS);
  for (const name of names) await utimes(join(data, name), at, at);
}

const all = async (): Promise<string[]> => (await readdir(data, { recursive: true })).sort();
const modeOf = async (name: string): Promise<number> => (await stat(join(data, name))).mode & 0o777;

it('deletes what interrupted work has left, and nothing that may be in use', async () => {
  const draft = (name: string, nr: number): string => `${name}.00000000000${nr}.draft`;
  const old = [draft('users.json', 1), draft('apps/shop/meta.json', 2)];
  const young = [draft('users.json', 3), draft('apps/shop/meta.json', 4)];
  const kept = [
    'alerts/alerts.json',
    'apps/shop/meta.json',
    'apps/shop/storage/notes.0123456789ab.draft',
    'tmp/busy/a',
  ];
  const gone = ['tmp/upload-1/big', 'builds/drafts/abc/bin/python', 'apps/shop/repo.git/HEAD.lock'];
  await writeFiles(data, Object.fromEntries([...old, ...young, ...kept, ...gone].map((name) => [name, ''])));
  await age(2, ...old, 'tmp/busy', 'apps/shop/storage/notes.0123456789ab.draft');
  await age(25, 'tmp/upload-1', 'builds/drafts/abc');
  const lock = join(data, 'apps/shop/repo.git/HEAD.lock');
  const before = await all();
  const found = await repairs([lock]).find();
  expect(await all()).toEqual(before);
  const left = [...old, 'tmp/upload-1', 'builds/drafts/abc'].map((name) => join(data, name));
  expect(found.map(({ path }) => path).sort()).toEqual([...left, lock].sort());
  const done = await repairs([lock]).fix();
  expect(done.map(({ message }) => message).sort()).toEqual(
    [
      ...left.map((path) => `Deleted ${path}, left by interrupted work.`),
      `Deleted ${lock}, left by an interrupted git command.`,
    ].sort(),
  );
  expect(done.every(({ ok }) => ok)).toBe(true);
  expect(await all()).toEqual(
    before.filter(
      (name) => ![...left, lock].some((path) => join(data, name) === path || join(data, name).startsWith(`${path}/`)),
    ),
  );
  expect(await repairs().find()).toEqual([]);
});

it('takes from others what only the server may read', async () => {
  await writeFiles(data, { 'vault.key': 'key', 'users.json': '{}', 'tokens.json': '{}' });
  await chmod(data, 0o755);
  await chmod(paths.vaultKey, 0o644);
  await chmod(paths.users, 0o600);
  await chmod(paths.tokens, 0o600);
  const messages = (await repairs().fix()).map(({ message }) => message);
  expect(messages).toEqual([data, paths.vaultKey].map((path) => `Only the server can read ${path} now.`));
  expect([await modeOf('.'), await modeOf('vault.key'), await modeOf('users.json')]).toEqual([0o700, 0o600, 0o600]);
});

it('changes the mode of nothing that a link leads to, nor of what belongs to another user', async () => {
  await mkdir(join(data, 'elsewhere'));
  await writeFile(join(data, 'elsewhere/file'), '', { mode: 0o644 });
  await symlink(join(data, 'elsewhere/file'), paths.vaultKey);
  expect(await repairs().fix()).toEqual([]);
  expect(await modeOf('elsewhere/file')).toBe(0o644);
  await chmod(data, 0o755);
  expect(await repairs([], 4_242).fix()).toEqual([]);
  expect(await modeOf('.')).toBe(0o755);
});

it('says what could not be repaired, and repairs the rest', async () => {
  const lock = join(data, 'HEAD.lock');
  await writeFile(lock, '');
  // Not even root can delete a file in there.
  const results = await repairs(['/proc/self/status', lock]).fix();
  expect(results).toEqual([
    { ok: false, message: expect.stringContaining('/proc/self/status could not be repaired: ') as string },
    { ok: true, message: `Deleted ${lock}, left by an interrupted git command.` },
  ]);
});
