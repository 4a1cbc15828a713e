import { expect, it } from 'vitest';
import { EffectiveConfig } from '../../../src/app-config/effective.js';
import { newApp, type App } from '../../../src/domain/app/app.js';
import { newPreview } from '../../../src/domain/app/preview.js';
import { NO_CONFIG, varsOf, type AppConfig } from '../../../src/store/app-config.js';

const stamp = { changedAt: '2026-05-01T12:00:00.000Z', changedBy: 'ada' };
const config = (version: number, vars: Record<string, string>, secretsToml = ''): AppConfig => ({
  version,
  vars: Object.fromEntries(Object.entries(vars).map(([name, value]) => [name, { value, ...stamp }])),
  secretsToml,
  secretsChanged: null,
  ...stamp,
});
const shop: App = { ...newApp('shop', 'Shop', new Date()), config: 3 };
const kept: Record<string, AppConfig> = {
  'shop 2': config(2, { OLD: 'old' }),
  'shop 3': config(3, { REGION: 'eu', PLAN: 'full' }, 'a = 1\n'),
  'shop--x 1': config(1, { REGION: 'test', EXTRA: 'yes' }),
  'shop--x 2': config(2, {}, 'b = 2\n'),
};
const configs = {
  read: async (id: string, version: number): Promise<AppConfig> => kept[`${id} ${version}`] ?? NO_CONFIG,
};
const read = (
  id: string,
  version: number,
  apps: App[] = [shop, newPreview('shop--x', shop, 'x', new Date())],
): Promise<AppConfig> =>
  new EffectiveConfig({ store: { find: (other) => apps.find((app) => app.id === other) }, configs }).read(id, version);

it("a process gets its app's own config, at the release's version", async () => {
  expect(await read('shop', 2)).toBe(kept['shop 2']);
});

it("a process of a preview without config gets the app's newest", async () => {
  const found = await read('shop--x', 0);
  expect(varsOf(found)).toEqual({ REGION: 'eu', PLAN: 'full' });
  expect(found.secretsToml).toBe('a = 1\n');
  expect(found.version).toBe(0);
});

it("a process of a preview gets its own config over the app's: var by var, secrets as a whole", async () => {
  const vars = await read('shop--x', 1);
  expect(varsOf(vars)).toEqual({ REGION: 'test', PLAN: 'full', EXTRA: 'yes' });
  expect(vars.secretsToml).toBe('a = 1\n');
  const secrets = await read('shop--x', 2);
  expect(varsOf(secrets)).toEqual({ REGION: 'eu', PLAN: 'full' });
  expect(secrets.secretsToml).toBe('b = 2\n');
});

it('a process of a preview gets its own config if the app is gone', async () => {
  expect(await read('shop--x', 1, [newPreview('shop--x', shop, 'x', new Date())])).toBe(kept['shop--x 1']);
});
