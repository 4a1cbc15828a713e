import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi, type MockInstance } from 'vitest';
import { AppConfigs, NO_CONFIG, varsOf } from '../../../src/store/app-config.js';
import { CookieSecrets } from '../../../src/store/cookie-secret.js';
import { Paths } from '../../../src/store/paths.js';
import { SecretFiles, type ProcessPlace } from '../../../src/store/secret-files.js';
import { Vault } from '../../../src/store/vault.js';

let paths: Paths;
let vault: Vault;
let configs: AppConfigs;

beforeEach(async () => {
  paths = new Paths(await mkdtemp(join(tmpdir(), 'config-')));
  await mkdir(paths.app('demo'), { recursive: true });
  vault = new Vault(paths);
  await vault.open();
  configs = new AppConfigs(vault);
});
afterEach(() => rm(paths.data, { recursive: true, force: true }));

describe('the config of an app', () => {
  it('starts empty, with nothing on disk', async () => {
    expect(await configs.read('demo', 0)).toBe(NO_CONFIG);
    expect(await readdir(paths.app('demo'))).toEqual([]);
  });

  it('gets a new version with every change, and older versions stay unchanged', async () => {
    const one = await configs.change('demo', 0, { vars: { A: '1', B: '2' } }, 'ada');
    const two = await configs.change('demo', 1, { vars: { A: '1', B: 'two' } }, 'bob');
    const three = await configs.change('demo', 2, { secretsToml: 'key = "x"\n' }, 'eve');
    expect([one.version, two.version, three.version]).toEqual([1, 2, 3]);
    const next = new AppConfigs(vault);
    expect(await next.read('demo', 1)).toEqual(one);
    expect(await next.read('demo', 2)).toEqual(two);
    expect(await next.read('demo', 3)).toEqual(three);
    expect(varsOf(three)).toEqual({ A: '1', B: 'two' });
  });

  it('records for each var, and for the secrets, when and by whom it was last changed', async () => {
    await configs.change('demo', 0, { vars: { A: '1', B: '2' } }, 'ada');
    await configs.change('demo', 1, { secretsToml: 'a = 1' }, 'eve');
    const { vars, secretsChanged, changedBy } = await configs.change('demo', 2, { vars: { A: '1', B: 'two' } }, 'bob');
    expect([vars.A?.changedBy, vars.B?.changedBy, secretsChanged?.changedBy, changedBy]).toEqual([
      'ada',
      'bob',
      'eve',
      'bob',
    ]);
  });

  it('gets no new version if nothing changes', async () => {
    const one = await configs.change('demo', 0, { vars: { A: '1' }, secretsToml: 'a = 1' }, 'ada');
    const before = await readFile(join(paths.app('demo'), 'config.enc'));
    expect(await configs.change('demo', 1, { vars: { A: '1' } }, 'bob')).toEqual(one);
    expect(await configs.change('demo', 1, { secretsToml: 'a = 1' }, 'bob')).toEqual(one);
    expect(await configs.change('demo', 0, { vars: {} }, 'bob')).toEqual(NO_CONFIG);
    expect(await readFile(join(paths.app('demo'), 'config.enc'))).toEqual(before);
  });

  it('applies concurrent changes one after the other', async () => {
    const made = await Promise.all(
      Array.from({ length: 8 }, (_, at) => configs.change('demo', 0, { vars: { A: String(at) } }, 'ada')),
    );
    expect(made.map(({ version }) => version).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    for (const each of made) expect(await configs.read('demo', each.version)).toEqual(each);
  });

  it('drops unused versions, but never a new one, and never reuses a number', async () => {
    for (let from = 0; from < 5; from += 1) await configs.change('demo', from, { vars: { A: String(from) } }, 'ada');
    await configs.tidy('demo', () => [2, 4]);
    await expect(configs.read('demo', 1)).rejects.toMatchObject({ code: 'config-missing' });
    await expect(configs.read('demo', 3)).rejects.toThrow(
      'Version 3 of the config of demo is no longer stored. Set the config again.',
    );
    expect(varsOf(await configs.read('demo', 2))).toEqual({ A: '1' });
    expect(varsOf(await configs.read('demo', 5))).toEqual({ A: '4' });
    expect((await configs.change('demo', 2, { vars: {} }, 'ada')).version).toBe(6);
  });

  it('that cannot be read rejects changes, and the file is unchanged', async () => {
    await configs.change('demo', 0, { vars: { A: '1' } }, 'ada');
    await writeFile(join(paths.app('demo'), 'config.enc'), 'damaged');
    await expect(configs.change('demo', 0, { vars: { A: '2' } }, 'ada')).rejects.toMatchObject({
      code: 'vault-file-damaged',
    });
    expect(await readFile(join(paths.app('demo'), 'config.enc'), 'utf8')).toBe('damaged');
    await expect(configs.mask('demo')).rejects.toMatchObject({ code: 'vault-file-damaged' });
  });
});

describe("the file of an app's config", () => {
  let read: MockInstance<Vault['read']>;

  beforeEach(async () => {
    await configs.change('demo', 0, { vars: { A: 'first-value' } }, 'ada');
    read = vi.spyOn(vault, 'read');
  });

  it('is decrypted once for all reads during a deploy, and again after a change', async () => {
    await configs.mask('demo');
    for (let asked = 0; asked < 4; asked += 1)
      expect(varsOf(await configs.read('demo', 1))).toEqual({ A: 'first-value' });
    await configs.tidy('demo', () => [1]);
    expect(read).toHaveBeenCalledTimes(1);
    await configs.change('demo', 1, { vars: { A: 'second-value' } }, 'ada');
    expect(varsOf(await configs.read('demo', 2))).toEqual({ A: 'second-value' });
    expect(varsOf(await configs.read('demo', 1))).toEqual({ A: 'first-value' });
    expect(read).toHaveBeenCalledTimes(2);
  });

  it('is decrypted again if it or the key is restored from elsewhere', async () => {
    await configs.read('demo', 1);
    const file = join(paths.app('demo'), 'config.enc');
    const backup = await readFile(file);
    await configs.change('demo', 1, { vars: { A: 'second-value' } }, 'ada');
    await configs.read('demo', 2);
    await writeFile(file, backup);
    await expect(configs.read('demo', 2)).rejects.toMatchObject({ code: 'config-missing' });

    await vault.rotate();
    expect(varsOf(await configs.read('demo', 1))).toEqual({ A: 'first-value' });
    const key = await readFile(paths.vaultKey);
    await rm(paths.vaultKey);
    await expect(configs.read('demo', 1)).rejects.toMatchObject({ code: 'vault-key-missing' });
    await writeFile(paths.vaultKey, key);
    expect(varsOf(await configs.read('demo', 1))).toEqual({ A: 'first-value' });
  });

  it('is deleted with its app, and a new app of the same name does not get it', async () => {
    await configs.read('demo', 1);
    await rm(paths.app('demo'), { recursive: true });
    await expect(configs.read('demo', 1)).rejects.toMatchObject({ code: 'config-missing' });
    await mkdir(paths.app('demo'));
    expect((await configs.change('demo', 0, { vars: { B: '1' } }, 'bob')).vars).not.toHaveProperty('A');
  });
});

describe('the mask of an app', () => {
  it('hides the values of every version, including later ones', async () => {
    await configs.change('demo', 0, { vars: { A: 'first-value', SHORT: 'abc' } }, 'ada');
    await configs.change(
      'demo',
      1,
      { vars: { A: 'second-value' }, secretsToml: '[db]\npassword = "third-value"\nport = 54321\n' },
      'ada',
    );
    const hide = await configs.mask('demo');
    expect(hide('first-value second-value third-value 54321 abc')).toBe('•••• •••• •••• •••• abc');
    expect(hide('later-value')).toBe('later-value');
    await configs.change('demo', 2, { vars: { A: 'later-value' } }, 'ada');
    expect(hide('later-value')).toBe('••••');
    expect((await configs.mask('other'))('first-value')).toBe('first-value');
  });
});

describe('the cookie secret of an app', () => {
  it('is created once, encrypted, and the same for concurrent callers', async () => {
    const cookies = new CookieSecrets(paths, vault);
    const asked = await Promise.all([cookies.of('demo'), cookies.of('demo'), cookies.of('demo')]);
    const secret = await new CookieSecrets(paths, vault).of('demo');
    expect(secret).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set(asked)).toEqual(new Set([secret]));
    expect(await readFile(join(paths.app('demo'), 'cookie-secret.enc'), 'utf8')).not.toContain(secret);
  });

  it('that is stored as plain text is encrypted and stays the same', async () => {
    const plain = join(paths.app('demo'), 'cookie-secret');
    await writeFile(plain, 'the-old-secret\n');
    const cookies = new CookieSecrets(paths, vault);
    await cookies.seal('demo');
    await expect(stat(plain)).rejects.toThrow('ENOENT');
    expect(await cookies.of('demo')).toBe('the-old-secret');
    // Nothing to do, and nothing made for an app that has none yet.
    await cookies.seal('demo');
    await mkdir(paths.app('new'));
    await cookies.seal('new');
    expect(await readdir(paths.app('new'))).toEqual([]);
  });
});

describe('the secrets of running processes', () => {
  const place = (key: string, release = 1): ProcessPlace => ({ app: 'demo', release, key });

  it('are readable by their owner only, and each process has its own', async () => {
    const files = new SecretFiles(paths);
    const first = await files.write(place('8501'), 'a = 1\n');
    const second = await files.write(place('8502'), 'a = 1\n');
    expect(first).not.toBe(second);
    expect(await readFile(first, 'utf8')).toBe('a = 1\n');
    expect((await stat(first)).mode & 0o777).toBe(0o600);
    for (let folder = join(first, '..'); folder !== paths.run; folder = join(folder, '..'))
      expect((await stat(folder)).mode & 0o777).toBe(0o700);
    await files.remove(place('8501'));
    await expect(stat(first)).rejects.toThrow('ENOENT');
    expect(await readFile(second, 'utf8')).toBe('a = 1\n');
  });

  it('are deleted with their process completely, and deleting them again is safe', async () => {
    const files = new SecretFiles(paths);
    await files.write(place('8501'), 'a = 1\n');
    await Promise.all([files.remove(place('8501')), files.remove(place('8501')), files.remove(place('9999', 7))]);
    expect(await readdir(paths.secretsOf('demo'))).toEqual([]);
    await files.sweep([]);
    expect(await readdir(paths.secrets)).toEqual([]);
  });

  it('are deleted if their process is gone, and nothing else is', async () => {
    const files = new SecretFiles(paths);
    const kept = await files.write(place('8501'), 'a = 1\n');
    await files.write(place('8502'), 'a = 1\n');
    await files.write({ app: 'gone', release: 3, key: '8503' }, 'a = 1\n');
    await new SecretFiles(paths).sweep([place('8501'), place('8600')]);
    expect(await readFile(kept, 'utf8')).toBe('a = 1\n');
    expect(await readdir(paths.secrets, { recursive: true })).toEqual([
      'demo',
      'demo/1',
      'demo/1/8501',
      'demo/1/8501/secrets.toml',
    ]);
    await rm(paths.run, { recursive: true });
    await files.sweep([]);
  });
});
