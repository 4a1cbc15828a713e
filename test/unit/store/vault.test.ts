import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Paths } from '../../../src/store/paths.js';
import { Vault } from '../../../src/store/vault.js';

interface Ring {
  current: string;
  keys: Record<string, string>;
}
interface Sealed {
  key: string;
  nonce: string;
  data: string;
}

let paths: Paths;
let vault: Vault;

beforeEach(async () => {
  paths = new Paths(await mkdtemp(join(tmpdir(), 'vault-')));
  for (const app of ['one', 'two']) await mkdir(paths.app(app), { recursive: true });
  vault = new Vault(paths);
  expect(await vault.open()).toEqual([]);
});
afterEach(() => rm(paths.data, { recursive: true, force: true }));

const ring = async (): Promise<Ring> => JSON.parse(await readFile(paths.vaultKey, 'utf8')) as Ring;
const fileOf = (app: string, name = 'config'): string => join(paths.app(app), `${name}.enc`);
const sealed = async (app: string): Promise<Sealed> => JSON.parse(await readFile(fileOf(app), 'utf8')) as Sealed;
/** Everything below the data folder as one text. */
async function everything(): Promise<string> {
  const entries = await readdir(paths.data, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => readFile(join(entry.parentPath, entry.name), 'utf8'));
  return (await Promise.all(files)).join('\n');
}

it('the vault returns what was put in, and the disk never has it in plain text', async () => {
  const text = 'password = "hunter2"\nünïcode 鍵\n';
  await vault.write('one', 'config', text);
  expect(await vault.read('one', 'config')).toBe(text);
  expect(await everything()).not.toContain('hunter2');
  expect(await everything()).not.toContain(Buffer.from('hunter2').toString('base64').slice(0, 8));
  expect((await stat(fileOf('one'))).mode & 0o777).toBe(0o600);
  expect((await stat(paths.vaultKey)).mode & 0o777).toBe(0o600);
});

it('the vault uses a new nonce each time, so equal texts never look equal', async () => {
  const seen = new Set<string>();
  for (let time = 0; time < 5; time += 1) {
    await vault.write('one', 'config', 'the same');
    const { nonce, data } = await sealed('one');
    expect(Buffer.from(nonce, 'base64')).toHaveLength(12);
    seen.add(nonce).add(data);
  }
  expect(seen.size).toBe(10);
});

it('the vault accepts empty content', async () => {
  await vault.write('one', 'config', '');
  expect(await vault.read('one', 'config')).toBe('');
  expect(await vault.read('two', 'config')).toBeUndefined();
  expect(await vault.read('none', 'config')).toBeUndefined();
});

it("a vault file cannot be read as another app's, or under another name", async () => {
  await vault.write('one', 'config', 'of one');
  await cp(fileOf('one'), fileOf('two'));
  await cp(fileOf('one'), fileOf('one', 'cookie-secret'));
  await expect(vault.read('two', 'config')).rejects.toMatchObject({ code: 'vault-file-damaged' });
  await expect(vault.read('one', 'cookie-secret')).rejects.toMatchObject({ code: 'vault-file-damaged' });
  expect(await vault.read('one', 'config')).toBe('of one');
});

it('a vault file with any byte changed or cut off is refused with a sentence', async () => {
  await vault.write('one', 'config', 'text');
  const whole = await sealed('one');
  const flipped = Buffer.from(whole.data, 'base64');
  for (let at = 0; at < flipped.length; at += 1) {
    flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at);
    await writeFile(fileOf('one'), JSON.stringify({ ...whole, data: flipped.toString('base64') }));
    await expect(vault.read('one', 'config')).rejects.toMatchObject({
      code: 'vault-file-damaged',
      kind: 'unavailable',
    });
    flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at);
  }
  const text = JSON.stringify(whole);
  for (const cut of [
    '',
    '{',
    text.slice(0, 40),
    JSON.stringify({ ...whole, data: whole.data.slice(0, 4) }),
    JSON.stringify({ ...whole, nonce: 'AAAA' }),
    JSON.stringify({ ...whole, version: 2 }),
  ]) {
    await writeFile(fileOf('one'), cut);
    await expect(vault.read('one', 'config')).rejects.toThrow(
      'The file config.enc of one was damaged or changed on disk. Restore it from a backup.',
    );
  }
});

it('the vault writes nothing for a deleted app', async () => {
  await rm(paths.app('one'), { recursive: true });
  await expect(vault.write('one', 'config', 'x')).rejects.toMatchObject({ code: 'app-not-found' });
  await expect(stat(paths.app('one'))).rejects.toThrow('ENOENT');
});

it('the key file is created once, and stays the same at the next start', async () => {
  await vault.write('one', 'config', 'text');
  const before = await readFile(paths.vaultKey, 'utf8');
  const next = new Vault(paths);
  expect(await next.open()).toEqual([]);
  expect(await readFile(paths.vaultKey, 'utf8')).toBe(before);
  expect(await next.read('one', 'config')).toBe('text');
});

it('the key file is made private again, and half-written copies are deleted', async () => {
  await chmod(paths.vaultKey, 0o644);
  await writeFile(`${paths.vaultKey}.12345`, 'half of a key');
  await writeFile(`${paths.vaultKey}.backup`, 'mine');
  await new Vault(paths).open();
  expect((await stat(paths.vaultKey)).mode & 0o777).toBe(0o600);
  expect((await readdir(paths.data)).sort()).toEqual(['apps', 'vault.key', 'vault.key.backup']);
});

it('the key file is not recreated if something needs the missing one, and restoring it recovers everything', async () => {
  await vault.write('one', 'config', 'text');
  const key = await readFile(paths.vaultKey);
  await rm(paths.vaultKey);
  const next = new Vault(paths);
  const [problem, ...more] = await next.open();
  expect(problem).toBe(
    `The key file ${paths.vaultKey} is missing, but apps have files encrypted with it. Restore the one that belongs to this data folder.`,
  );
  expect(more).toEqual([]);
  await expect(next.read('one', 'config')).rejects.toThrow(problem);
  await expect(next.write('two', 'config', 'x')).rejects.toThrow(problem);
  await expect(next.rotate()).rejects.toThrow(problem);
  await expect(stat(paths.vaultKey)).rejects.toThrow('ENOENT');
  expect(await next.read('two', 'config')).toBeUndefined();
  await writeFile(paths.vaultKey, key);
  expect(await next.read('one', 'config')).toBe('text');
});

it('the key file of another data folder is distinguished from a damaged file', async () => {
  await vault.write('one', 'config', 'text');
  const other = await mkdtemp(join(tmpdir(), 'vault-'));
  await new Vault(new Paths(other)).open();
  await cp(join(other, 'vault.key'), paths.vaultKey);
  await rm(other, { recursive: true });
  await expect(vault.read('one', 'config')).rejects.toMatchObject({
    code: 'vault-key-wrong',
    message:
      'The file config.enc of one was encrypted with a key that is not in vault.key. Restore the key file that belongs to this data folder.',
  });
  await vault.write('two', 'config', 'fine');
  expect(await vault.read('two', 'config')).toBe('fine');
});

it.each([
  '',
  'junk',
  '{}',
  '{"version":1,"current":"a","keys":{}}',
  '{"version":1,"current":"a","keys":{"a":"c2hvcnQ="}}',
])('an invalid key file (%j) is refused without being quoted or replaced', async (text) => {
  await vault.write('one', 'config', 'text');
  await writeFile(paths.vaultKey, text);
  const [problem] = await new Vault(paths).open();
  expect(problem).toBe(`${paths.vaultKey} is not a key file. Restore the one that belongs to this data folder.`);
  await expect(vault.read('one', 'config')).rejects.toMatchObject({
    code: 'vault-key-unreadable',
    kind: 'unavailable',
  });
  expect(await readFile(paths.vaultKey, 'utf8')).toBe(text);
});

it('a key rotation re-encrypts everything and deletes the old key', async () => {
  await vault.write('one', 'config', 'of one');
  await vault.write('two', 'config', 'of two');
  await vault.write('two', 'cookie-secret', 'cookies');
  const before = await ring();
  const old = await readFile(fileOf('one'));
  const done = await vault.rotate();
  const after = await ring();
  expect(done).toEqual({ key: after.current, files: 3, problems: [] });
  expect(Object.keys(after.keys)).toEqual([after.current]);
  expect(after.keys[after.current]).not.toBe(before.keys[before.current]);
  expect((await stat(paths.vaultKey)).mode & 0o777).toBe(0o600);
  expect([
    await vault.read('one', 'config'),
    await vault.read('two', 'config'),
    await vault.read('two', 'cookie-secret'),
  ]).toEqual(['of one', 'of two', 'cookies']);
  // What somebody copied before is worth nothing without the old key.
  await writeFile(fileOf('one'), old);
  await expect(vault.read('one', 'config')).rejects.toMatchObject({ code: 'vault-key-wrong' });
});

it('an interrupted key rotation is completed at the next start, and everything stays readable in between', async () => {
  await vault.write('one', 'config', 'of one');
  await vault.write('two', 'config', 'of two');
  const old = await ring();
  const oldTwo = await readFile(fileOf('two'));
  await vault.rotate();
  const fresh = await ring();
  // As a crash leaves it after the first file: both keys are known, the second file is still under the old one.
  await writeFile(fileOf('two'), oldTwo);
  await writeFile(paths.vaultKey, JSON.stringify({ ...fresh, keys: { ...fresh.keys, ...old.keys } }));
  const next = new Vault(paths);
  expect(await next.read('two', 'config')).toBe('of two');
  const oneBefore = await readFile(fileOf('one'), 'utf8');
  expect(await next.open()).toEqual([]);
  expect(Object.keys((await ring()).keys)).toEqual([fresh.current]);
  expect((await sealed('two')).key).toBe(fresh.current);
  expect(await readFile(fileOf('one'), 'utf8')).toBe(oneBefore);
  expect([await next.read('one', 'config'), await next.read('two', 'config')]).toEqual(['of one', 'of two']);
});

it('a key rotation keeps the key of a file that cannot be read, and says which file that is', async () => {
  await vault.write('one', 'config', 'of one');
  await vault.write('two', 'config', 'of two');
  const old = await ring();
  const whole = await readFile(fileOf('two'), 'utf8');
  const broken = JSON.parse(whole) as Sealed;
  await writeFile(fileOf('two'), JSON.stringify({ ...broken, nonce: Buffer.alloc(12).toString('base64') }));
  const done = await vault.rotate();
  expect(done.files).toBe(1);
  expect(done.problems).toEqual([
    'The file config.enc of two was damaged or changed on disk. Restore it from a backup.',
  ]);
  expect(Object.keys((await ring()).keys).sort()).toEqual([old.current, done.key].sort());
  expect(await vault.read('one', 'config')).toBe('of one');
  // The backup comes back: it can still be read, and the next start ends the change.
  await writeFile(fileOf('two'), whole);
  expect(await vault.read('two', 'config')).toBe('of two');
  expect(await new Vault(paths).open()).toEqual([]);
  expect(Object.keys((await ring()).keys)).toEqual([done.key]);
  expect(await vault.read('two', 'config')).toBe('of two');
});

it('a key rotation and concurrent writes do not lose each other', async () => {
  await Promise.all([
    ...Array.from({ length: 10 }, (_, at) => vault.write('one', `file-${at}`, `text ${at}`)),
    vault.rotate(),
    ...Array.from({ length: 10 }, (_, at) => vault.write('two', `file-${at}`, `text ${at}`)),
    vault.rotate(),
  ]);
  const { keys } = await ring();
  expect(Object.keys(keys)).toHaveLength(1);
  for (let at = 0; at < 10; at += 1) {
    expect(await vault.read('one', `file-${at}`)).toBe(`text ${at}`);
    expect(await vault.read('two', `file-${at}`)).toBe(`text ${at}`);
  }
});
