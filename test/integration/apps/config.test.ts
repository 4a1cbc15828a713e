import { afterEach, beforeEach, expect, it } from 'vitest';
import { EffectiveConfig } from '../../../src/app-config/effective.js';
import { Configs } from '../../../src/apps/config.js';
import { AppSources, type AppSource } from '../../../src/apps/source.js';
import type { Deploy } from '../../../src/deploys/ongoing.js';
import { system } from '../../../src/domain/access/principal.js';
import type { Release } from '../../../src/domain/app/release.js';
import { AppConfigs } from '../../../src/store/app-config.js';
import { Vault } from '../../../src/store/vault.js';
import { TakenDeploys, TestData } from '../../helpers/data.js';
import { releaseOf } from '../../helpers/release.js';
import { direct } from '../../helpers/reader.js';

const ADA = system('ada');
let data: TestData;
let deploys: TakenDeploys;
/** The deploys that are under way, by release. */
let underWay: Map<number, Deploy>;
/** What the app's source says is newest. */
let newest: string | undefined;
let configs: Configs;

beforeEach(async () => {
  data = await TestData.open();
  deploys = new TakenDeploys();
  underWay = new Map();
  newest = undefined;
  const vault = new Vault(data.paths);
  await vault.open();
  const stored = new AppConfigs(vault);
  const source = { newest: () => Promise.resolve(newest) } as Pick<AppSource, 'newest'> as AppSource;
  configs = new Configs({
    reader: direct,
    ...data,
    vault,
    configs: stored,
    effective: new EffectiveConfig({ store: data.store, configs: stored }),
    sources: new AppSources({ repository: source, folder: source }),
    deploys: { request: deploys.request, find: (_id, number) => underWay.get(number) },
  });
});
afterEach(() => data.close());

const shop = (...releases: Release[]): Promise<unknown> =>
  data.app('shop', { releases, live: releases.find(({ state }) => state === 'live')?.number ?? null });
const deploy = (release: number, done: Promise<Release>): Deploy => ({
  app: 'shop',
  release,
  follow: () => () => undefined,
  done,
});
const REGION = { vars: { patch: { REGION: 'eu' } } };

it('a config change to an app without a live release is stored, and nothing is deployed', async () => {
  await shop();
  const { config, deploy: begun } = await configs.change('shop', REGION, ADA);
  expect(config).toMatchObject({ version: 1, vars: { REGION: { value: 'eu', changedBy: 'ada' } } });
  expect(begun).toBeUndefined();
  expect(data.store.get('shop').config).toBe(1);
  expect(deploys.asked).toEqual([]);
});

it('a config change to a live app redeploys the live commit from the same build', async () => {
  const live = releaseOf(1, 'live', { environment: 'abc' });
  await shop(live, releaseOf(2, 'failed', { commit: 'f'.repeat(40) }));
  await configs.change('shop', REGION, ADA);
  expect(deploys.asked).toEqual([
    { app: 'shop', commit: live.commit, branch: 'main', by: ADA, source: 'config', of: live },
  ]);
  expect(data.store.get('shop').releases).toEqual([live, expect.objectContaining({ state: 'failed' })]);
});

it('a change that changes nothing creates no version and no release', async () => {
  await shop(releaseOf(1, 'live', { config: 1 }));
  await configs.change('shop', REGION, ADA);
  deploys.asked.length = 0;
  const { config, deploy: begun } = await configs.change('shop', REGION, system('bob'));
  expect([config.version, begun]).toEqual([1, undefined]);
  expect(deploys.asked).toEqual([]);
});

it('a patch keeps the other vars, and a replacement does not', async () => {
  await shop();
  await configs.change('shop', { vars: { replace: { A: '1', B: '2' } }, secretsToml: 'key = 1\n' }, ADA);
  const patched = await configs.change('shop', { vars: { patch: { A: null, C: '3' } } }, ADA);
  expect(Object.keys(patched.config.vars)).toEqual(['B', 'C']);
  const replaced = await configs.change('shop', { vars: { replace: { D: '4' } } }, ADA);
  expect(Object.keys(replaced.config.vars)).toEqual(['D']);
  expect(replaced.config.secretsToml).toBe('key = 1\n');
});

it.each([
  ['a name that no variable can have', { vars: { patch: { 'NOT FINE': '1' } } }],
  ['secrets that are no TOML', { secretsToml: 'key = ' }],
  ['good vars beside bad secrets', { ...REGION, secretsToml: 'key = ' }],
])('%s is refused, and nothing is stored or deployed', async (_what, change) => {
  await shop(releaseOf(1, 'live'));
  await expect(configs.change('shop', change, ADA)).rejects.toMatchObject({ name: 'Refusal' });
  expect(await configs.of('shop')).toMatchObject({ version: 0, vars: {} });
  expect(data.store.get('shop').config).toBe(0);
  expect(deploys.asked).toEqual([]);
});

it('a deploy that has not started its process picks up the change, and is not superseded', async () => {
  await shop(releaseOf(1, 'live'), releaseOf(2, 'building'));
  const ongoing = deploy(2, new Promise(() => undefined));
  underWay.set(2, ongoing);
  expect((await configs.change('shop', REGION, ADA)).deploy).toBe(ongoing);
  expect(data.store.get('shop').releases.map(({ config }) => config)).toEqual([undefined, 1]);
  expect(deploys.asked).toEqual([]);
});

it('a deploy that is starting its process finishes first, and the change is deployed after it', async () => {
  await shop(releaseOf(1, 'live'), releaseOf(2, 'starting'));
  let end: (release: Release) => void = () => undefined;
  underWay.set(2, deploy(2, new Promise((resolve) => (end = resolve))));
  const changed = configs.change('shop', REGION, ADA);
  await expect.poll(() => data.store.get('shop').config).toBe(1);
  expect(deploys.asked).toEqual([]);
  const releases = [releaseOf(1, 'retired'), releaseOf(2, 'live', { commit: 'd'.repeat(40) })];
  await data.store.update('shop', (app) => ({ ...app, live: 2, releases }));
  underWay.clear();
  end(releaseOf(2, 'live'));
  await changed;
  expect(deploys.asked).toMatchObject([{ commit: 'd'.repeat(40), source: 'config' }]);
});

it('two versions are compared by the names that differ, without values', async () => {
  await shop();
  await configs.change('shop', { vars: { replace: { A: 'hunter2', B: '2' } } }, ADA);
  await configs.change('shop', { vars: { replace: { A: 'hunter3', C: '3' } } }, ADA);
  const diff = JSON.stringify(await configs.diff('shop', 1, 2));
  for (const name of ['A', 'B', 'C']) expect(diff).toContain(`"${name}"`);
  expect(diff).not.toContain('hunter');
  await expect(configs.diff('shop', 1, 9)).rejects.toMatchObject({ code: 'config-missing' });
});

it('a key that the newest code reads is missing until it is set', async () => {
  await shop();
  expect(await configs.missing('shop')).toEqual([]);
  newest = await data.commit('shop', { 'app.py': 'import os\nos.environ["REGION"]\nos.environ["PLAN"]\n' });
  expect((await configs.missing('shop')).map(({ name }) => name)).toEqual(['REGION', 'PLAN']);
  await configs.change('shop', REGION, ADA);
  expect((await configs.missing('shop')).map(({ name }) => name)).toEqual(['PLAN']);
});
