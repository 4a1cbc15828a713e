import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { EffectiveConfig } from '../../../src/app-config/effective.js';
import { ProcessConfig } from '../../../src/app-config/process-config.js';
import { AppConfigs } from '../../../src/store/app-config.js';
import { CookieSecrets } from '../../../src/store/cookie-secret.js';
import { Paths } from '../../../src/store/paths.js';
import { SecretFiles } from '../../../src/store/secret-files.js';
import { Vault } from '../../../src/store/vault.js';
import { TestData } from '../../helpers/data.js';

const PLACE = { app: 'shop', release: 1, key: 'a' };
let data: TestData;
let configs: AppConfigs;
let warned: object[];
let config: ProcessConfig;

beforeEach(async () => {
  data = await TestData.open();
  await data.app('shop');
  const vault = new Vault(data.paths);
  await vault.open();
  configs = new AppConfigs(vault);
  warned = [];
  config = withPaths(data.paths, vault);
});
afterEach(() => data.close());

function withPaths(paths: Paths, vault: Vault): ProcessConfig {
  return new ProcessConfig({
    configs: new EffectiveConfig({ store: data.store, configs }),
    cookies: new CookieSecrets(data.paths, vault),
    files: new SecretFiles(paths),
    logger: { warn: (facts) => void warned.push(facts) },
  });
}

const at = (cwd: string): { cwd: string; redirectUri: string } => ({ cwd, redirectUri: 'http://here/oauth2callback' });

it('a process gets the vars of the version recorded in its release', async () => {
  await configs.change('shop', 0, { vars: { REGION: 'eu' } }, 'ada');
  await configs.change('shop', 1, { vars: { REGION: 'us', PLAN: 'full' } }, 'ada');
  expect(await config.vars('shop', 1)).toEqual({ REGION: 'eu' });
  const { vars } = await config.prepare(PLACE, 2, at('/srv'));
  expect(vars).toEqual({ REGION: 'us', PLAN: 'full' });
});

it('a process without secrets gets no secrets.toml', async () => {
  await configs.change('shop', 0, { vars: { REGION: 'eu' }, secretsToml: ' \n' }, 'ada');
  expect((await config.prepare(PLACE, 1, at('/srv'))).vars).not.toHaveProperty('STREAMLIT_SECRETS_FILES');
  expect(existsSync(data.paths.secrets)).toBe(false);
});

it('secrets are written for the owner only when a process starts, and deleted when it has ended', async () => {
  await configs.change('shop', 0, { secretsToml: 'key = "value"\n' }, 'ada');
  const { vars } = await config.prepare(PLACE, 1, at('/srv'));
  const file = vars.STREAMLIT_SECRETS_FILES ?? '';
  expect(file).toBe(data.paths.secretsFile('shop', 1, 'a'));
  expect(await readFile(file, 'utf8')).toContain('key = "value"');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await config.clear(PLACE);
  expect(existsSync(file)).toBe(false);
});

it('the end of one process keeps the secrets of another one of the same release', async () => {
  await configs.change('shop', 0, { secretsToml: 'key = "value"\n' }, 'ada');
  const beside = { ...PLACE, key: 'b' };
  for (const place of [PLACE, beside]) await config.prepare(place, 1, at('/srv'));
  await config.clear(PLACE);
  expect(existsSync(data.paths.secretsFile('shop', 1, 'b'))).toBe(true);
});

it('all processes of an app sign cookies with the same secret, and other apps with another', async () => {
  await data.app('blog');
  const first = (await config.prepare(PLACE, 0, at('/srv'))).cookieSecret;
  expect((await config.prepare({ ...PLACE, release: 2 }, 0, at('/srv'))).cookieSecret).toBe(first);
  expect((await config.prepare({ ...PLACE, app: 'blog' }, 0, at('/srv'))).cookieSecret).not.toBe(first);
  expect(warned).toEqual([]);
});

it('an app whose cookie secret cannot be read starts with a temporary one, and that is logged', async () => {
  const { cookieSecret: before } = await config.prepare(PLACE, 0, at('/srv'));
  await rm(data.paths.vaultKey);
  config = withPaths(data.paths, new Vault(data.paths));
  const { cookieSecret } = await config.prepare(PLACE, 0, at('/srv'));
  expect(cookieSecret).toMatch(/^[0-9a-f]{64}$/);
  expect(cookieSecret).not.toBe(before);
  expect(warned).toEqual([{ app: 'shop' }]);
});

it('a process whose config cannot be read does not start, and leaves no secrets', async () => {
  await configs.change('shop', 0, { secretsToml: 'key = "value"\n' }, 'ada');
  await expect(config.prepare(PLACE, 7, at('/srv'))).rejects.toMatchObject({ name: 'Refusal' });
  expect(existsSync(data.paths.secrets)).toBe(false);
});

it("a path with white space is given relative to the process's folder, since Streamlit splits there", async () => {
  await configs.change('shop', 0, { secretsToml: 'key = "value"\n' }, 'ada');
  const spaced = new Paths(join(data.paths.data, 'my data'));
  const cwd = join(spaced.data, 'apps', 'shop');
  await mkdir(cwd, { recursive: true });
  const vault = new Vault(data.paths);
  await vault.open();
  const { vars } = await withPaths(spaced, vault).prepare(PLACE, 1, at(cwd));
  const way = vars.STREAMLIT_SECRETS_FILES ?? '';
  expect(way).not.toMatch(/\s/);
  expect(resolve(cwd, way)).toBe(spaced.secretsFile('shop', 1, 'a'));
});
