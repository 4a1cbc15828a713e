import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newApp, type App } from '../../../src/domain/app/app.js';
import type { Principal } from '../../../src/domain/access/principal.js';
import { Rights } from '../../../src/domain/access/rights.js';
import { AccessTokens } from '../../../src/host/tokens.js';
import type { StoreListener } from '../../../src/store/apps.js';
import { Tokens } from '../../../src/store/tokens.js';

const DAY = 24 * 3_600_000;
const ADA: Principal = { kind: 'person', name: 'ada@example.com', account: 'ada-ada-ada-', admin: false, groups: [] };

let folder: string;
let now: number;
let enabled: boolean;
let apps: Map<string, App>;
let removed: StoreListener;
let tokens: AccessTokens;
let rights: Rights;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tokens-'));
  now = Date.parse('2026-01-01T00:00:00Z');
  enabled = true;
  const roles = { 'person:ada-ada-ada-': 'owner' } as const;
  const preview = { of: 'shop', branch: 'new', lastUsedAt: '' };
  apps = new Map(
    [
      { ...newApp('shop', 'Shop', new Date(0)), roles },
      { ...newApp('other', 'Other', new Date(0)), roles },
      { ...newApp('shop--new', 'Shop', new Date(0)), preview },
    ].map((app) => [app.id, app]),
  );
  rights = new Rights({ find: (id) => apps.get(id) });
  tokens = await open();
});
afterEach(() => rm(folder, { recursive: true, maxRetries: 5 }));

async function open(): Promise<AccessTokens> {
  const paths = { tokens: join(folder, 'tokens.json'), lastTokens: join(folder, 'tokens.last-good.json') };
  return new AccessTokens({
    tokens: await Tokens.open(
      paths,
      () => undefined,
      () => now,
    ),
    people: { principal: () => (enabled ? ADA : undefined) },
    store: {
      get: (id) => apps.get(id) as App,
      find: (id) => apps.get(id),
      subscribe: (listener) => {
        removed = listener;
        return () => true;
      },
    },
    warn: () => undefined,
    now: () => now,
  });
}

const secretOf = async (input: Parameters<AccessTokens['make']>[1]): Promise<string> =>
  (await tokens.make('ada-ada-ada-', input)).secret;
const who = (secret: string): Principal => tokens.check(secret) ?? { kind: 'token', name: 'nobody' };

test('a token speaks for its person, survives a restart, and is kept as a hash only', async () => {
  const secret = await secretOf({ name: ' laptop ', scope: 'deploy' });
  expect(secret).toMatch(/^shp_[\w-]{43}$/);
  expect(await readFile(join(folder, 'tokens.json'), 'utf8')).not.toContain(secret);
  tokens = await open();
  expect(tokens.check(secret)).toMatchObject({
    kind: 'token',
    name: 'ada@example.com',
    account: 'ada-ada-ada-',
    admin: false,
  });
  expect(tokens.list({ account: 'ada-ada-ada-' })).toMatchObject([{ name: 'laptop', hint: secret.slice(0, 8) }]);
  for (const wrong of ['', 'shp_', `${secret}x`, secret.slice(0, -1), 'another'])
    expect(tokens.check(wrong)).toBeUndefined();
});

describe('a token that no longer works says why', () => {
  test('when it was revoked', async () => {
    const secret = await secretOf({ name: 'laptop', scope: 'read' });
    const [token] = tokens.list({ account: 'ada-ada-ada-' });
    await expect(tokens.revoke({ app: 'shop' }, token?.id ?? '')).rejects.toMatchObject({ code: 'token-not-found' });
    await tokens.revoke({ account: 'ada-ada-ada-' }, token?.id ?? '');
    expect(() => tokens.check(secret)).toThrow('The token "laptop" was revoked. Create a new one.');
  });

  test('when it has expired', async () => {
    const secret = await secretOf({ name: 'laptop', scope: 'read', days: 2 });
    now += 2 * DAY - 1;
    expect(tokens.check(secret)).toBeDefined();
    now += 1;
    expect(() => tokens.check(secret)).toThrow('expired on 2026-01-03');
  });

  test('when its account is disabled', async () => {
    const secret = await secretOf({ name: 'laptop', scope: 'manage' });
    enabled = false;
    expect(() => tokens.check(secret)).toThrow('belongs to an account that is disabled');
  });

  test('when its app was deleted, also if another app gets the same id', async () => {
    const { secret } = await tokens.makeForApp('shop', { name: 'CI' });
    apps.delete('shop');
    expect(() => tokens.check(secret)).toThrow('belongs to an app that was deleted');
    removed('shop', undefined);
    await expect.poll(() => tokens.list({ app: 'shop' })[0]?.revokedAt).toBeDefined();
    apps.set('shop', newApp('shop', 'Shop', new Date(0)));
    expect(() => tokens.check(secret)).toThrow('was revoked');
  });
});

describe('a token may do', () => {
  test('only things that its scope and its person allow', async () => {
    const [read, deploy, manage] = [
      who(await secretOf({ name: 'a', scope: 'read' })),
      who(await secretOf({ name: 'b', scope: 'deploy' })),
      who(await secretOf({ name: 'c', scope: 'manage' })),
    ];
    expect(() => rights.demand(read, 'files', 'shop')).not.toThrow();
    expect(() => rights.demand(read, 'push', 'shop')).toThrow('This token has the scope read, and this needs deploy.');
    expect(() => rights.demand(deploy, 'push', 'shop--new')).not.toThrow();
    expect(() => rights.demand(deploy, 'config', 'shop')).toThrow('this needs manage');
    expect(() => rights.demand(manage, 'delete', 'shop')).not.toThrow();
    expect(() => rights.demand(manage, 'people')).toThrow(/Only an admin/);
  });

  test('nothing with apps that it is not for, whether they exist or not', async () => {
    const by = who(await secretOf({ name: 'a', scope: 'manage', apps: ['shop'] }));
    expect(() => rights.demand(by, 'push', 'shop')).not.toThrow();
    expect(() => rights.demand(by, 'push', 'shop--new')).not.toThrow();
    for (const id of ['other', 'none', 'shop--none'])
      expect(() => rights.demand(by, 'push', id), id).toThrow(
        'This token is only for shop. Create one that is for more.',
      );
    expect([...apps.values()].filter((app) => rights.may(by, 'open', app)).map(({ id }) => id)).toEqual([
      'shop',
      'shop--new',
    ]);
    expect(() => rights.demand(by, 'list')).not.toThrow();
    for (const verb of ['create', 'account', 'people', 'server'] as const)
      expect(() => rights.demand(by, verb), verb).toThrow('This token is only for shop.');
  });

  test('as a deploy token, push and deploy its app, and nothing else', async () => {
    const { secret } = await tokens.makeForApp('shop', { name: 'CI' });
    expect(secret).toMatch(/^shd_/);
    const by = who(secret);
    expect(by).toMatchObject({ kind: 'token', name: 'CI (deploy token)' });
    for (const verb of ['push', 'deploy', 'run', 'logs', 'files', 'see'] as const)
      expect(() => rights.demand(by, verb, 'shop'), verb).not.toThrow();
    expect(() => rights.demand(by, 'push', 'shop--new')).not.toThrow();
    expect(() => rights.demand(by, 'push', 'other')).toThrow('This token is only for shop.');
    expect(() => rights.demand(by, 'config', 'shop')).toThrow('this needs manage');
    expect(() => rights.demand(by, 'create')).toThrow('This token is only for shop.');
  });
});

test('the last use is written down, once an hour', async () => {
  const secret = await secretOf({ name: 'laptop', scope: 'read' });
  const used = (): number | undefined => tokens.list({ account: 'ada-ada-ada-' })[0]?.lastUsedAt;
  const first = now;
  tokens.check(secret);
  await expect.poll(used).toBe(first);
  now += 60_000;
  tokens.check(secret);
  expect(used()).toBe(first);
  now += 3_600_000;
  tokens.check(secret);
  await expect.poll(used).toBe(now);
});

test('a name is needed, and there is an end to the number of tokens', async () => {
  await expect(secretOf({ name: ' ', scope: 'read' })).rejects.toMatchObject({ code: 'token-name-invalid' });
  for (let count = 0; count < 100; count += 1) await secretOf({ name: `${count}`, scope: 'read' });
  await expect(secretOf({ name: 'x', scope: 'read' })).rejects.toMatchObject({ code: 'tokens-too-many' });
  expect((await tokens.makeForApp('shop', { name: 'CI' })).secret).toBeDefined();
});
