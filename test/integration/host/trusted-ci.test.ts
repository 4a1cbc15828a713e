import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newApp, type App } from '../../../src/domain/app/app.js';
import type { Happening } from '../../../src/domain/access/audit.js';
import type { NewCiRule } from '../../../src/domain/access/ci.js';
import { adminToken, type Principal } from '../../../src/domain/access/principal.js';
import { Rights } from '../../../src/domain/access/rights.js';
import { CiIssuers } from '../../../src/host/ci-issuers.js';
import { AccessTokens } from '../../../src/host/tokens.js';
import { TrustedCi } from '../../../src/host/trusted-ci.js';
import { Tokens } from '../../../src/store/tokens.js';
import { CiServer, type Odd } from '../../helpers/ci-server.js';

const BASE = 'https://apps.example.com';
const ADA: Principal = { kind: 'person', name: 'ada@example.com', account: 'ada-ada-ada-', admin: false, groups: [] };
const MINUTE = 60_000;

let server: CiServer;
let folder: string;
let late: number;
let enabled: boolean;
let apps: Map<string, App>;
let told: Happening[];
let counted: string[];
let tokens: AccessTokens;
let ci: TrustedCi;
const clock = (): number => Date.now() + late;

beforeAll(async () => {
  server = await CiServer.start();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trusted-ci-'));
  late = 0;
  enabled = true;
  told = [];
  counted = [];
  const preview = { of: 'shop', branch: 'new', lastUsedAt: '' };
  apps = new Map(
    [newApp('shop', 'Shop', new Date(0)), newApp('other', 'Other', new Date(0))]
      .concat({ ...newApp('shop--new', 'Shop', new Date(0)), preview })
      .map((app) => [app.id, app]),
  );
  await open();
});
afterEach(() => rm(folder, { recursive: true, maxRetries: 5 }));

/** As a server does when it starts. */
async function open(): Promise<void> {
  const paths = { tokens: join(folder, 'tokens.json'), lastTokens: join(folder, 'tokens.last-good.json') };
  const store = {
    get: (id: string) => apps.get(id) as App,
    find: (id: string) => apps.get(id),
    subscribe: () => () => true,
    update: async (id: string, change: (app: App) => App) => {
      apps.set(id, change(apps.get(id) as App));
      return apps.get(id) as App;
    },
  };
  const people = { principal: () => (enabled ? ADA : undefined) };
  tokens = new AccessTokens({
    tokens: await Tokens.open(paths, () => undefined, clock),
    ...{ people, store, now: clock, warn: () => undefined },
  });
  ci = new TrustedCi({
    ...{ store, people, tokens, now: clock, publicBase: () => BASE },
    issuers: new CiIssuers({ issuers: server.issuers('github'), warn: () => undefined, now: clock }),
    attempts: { count: (address) => void counted.push(address) },
    audit: { write: (happening) => void told.push(happening) },
  });
}

const add = (more: Partial<NewCiRule> = {}, by = ADA): Promise<{ id: string }> =>
  ci.add('shop', { issuer: server.url, repository: 'octo/shop', branch: 'main', ...more }, by);
const job = (claims: Record<string, unknown> = {}, odd: Odd = {}): Promise<string> =>
  server.github(BASE, { at: Math.floor(clock() / 1_000), ...odd, claims });
const exchange = async (token: string, app = 'shop'): Promise<string> =>
  (await ci.exchange({ token, app, from: '192.0.2.1' })).secret;
const refused = (token: string, code: string, app?: string): Promise<void> =>
  expect(exchange(token, app)).rejects.toMatchObject({ code });

describe('a trusted job', () => {
  test('gets a token that deploys this app and nothing else, for a quarter of an hour', async () => {
    await add();
    const secret = await exchange(await job());
    expect(secret).toMatch(/^shd_[\w-]{43}$/);
    const by = tokens.check(secret);
    expect(by).toEqual({
      ...{ kind: 'token', name: `ci:${new URL(server.url).host}:octo/shop@main`, deploys: 'shop' },
      limits: { scope: 'deploy', apps: ['shop'] },
    });
    const rights = new Rights({ find: (id) => apps.get(id) });
    for (const verb of ['push', 'deploy', 'files'] as const)
      expect(() => rights.demand(by as Principal, verb, 'shop'), verb).not.toThrow();
    expect(() => rights.demand(by as Principal, 'push', 'other')).toThrow('This token is only for shop.');
    for (const verb of ['config', 'access', 'delete'] as const)
      expect(() => rights.demand(by as Principal, verb, 'shop'), verb).toThrow('this needs manage');
    late += 15 * MINUTE - 1_000;
    expect(tokens.check(secret)).toBeDefined();
    late += 2_000;
    expect(() => tokens.check(secret)).toThrow('expired');
  });

  test('is written down with its run, and nothing secret is', async () => {
    await add();
    const token = await job();
    const secret = await exchange(token);
    const name = `ci:${new URL(server.url).host}:octo/shop@main`;
    expect(told).toEqual([
      {
        ...{ who: name, door: 'api', from: '192.0.2.1', verb: 'login', what: 'exchange an ID token', app: 'shop' },
        ...{ about: `${name} run 777`, result: 'ok' },
      },
    ]);
    expect(counted).toEqual([]);
    const kept = await readFile(join(folder, 'tokens.json'), 'utf8');
    for (const hidden of [token, secret]) expect(kept + JSON.stringify(told)).not.toContain(hidden);
  });

  test('is listed no longer than it works', async () => {
    await add();
    const { secret } = await tokens.makeForApp('shop', { name: 'CI' });
    await exchange(await job());
    const names = (): string[] => tokens.list({ app: 'shop' }).map(({ name }) => name);
    expect(names()).toHaveLength(2);
    late += 16 * MINUTE;
    expect(names()).toEqual(['CI']);
    await exchange(await job());
    const kept = JSON.parse(await readFile(join(folder, 'tokens.json'), 'utf8')) as { tokens: unknown[] };
    expect(kept.tokens).toHaveLength(2);
    expect(tokens.check(secret)).toBeDefined();
  });
});

describe('a token is exchanged once', () => {
  test('for any app, also after a restart, and until it has expired', async () => {
    await add();
    await ci.add('other', { issuer: server.url, repository: 'octo/shop', branch: 'main' }, ADA);
    const token = await job({}, { lasts: 3_600 });
    await exchange(token);
    await refused(token, 'ci-token-used');
    await refused(token, 'ci-token-used', 'other');
    await open();
    await refused(token, 'ci-token-used');
    late += 59 * MINUTE;
    await exchange(await job());
    await refused(token, 'ci-token-used');
    late += 2 * MINUTE;
    await refused(token, 'ci-token-expired');
  });

  test('however many ask at once', async () => {
    await add();
    const token = await job();
    const came = await Promise.allSettled(Array.from({ length: 10 }, () => exchange(token)));
    expect(came.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('and not used up where it was refused', async () => {
    const token = await job();
    await refused(token, 'ci-not-trusted');
    await add();
    await exchange(token);
  });
});

describe('a job is refused', () => {
  beforeEach(() => add().then(() => undefined));

  test.each([
    ['of another repository', { repository: 'octo/other' }, 'ci-not-trusted'],
    ['of a fork', { repository: 'eve/shop', repository_id: '666' }, 'ci-not-trusted'],
    ['on another branch', { ref: 'refs/heads/dev' }, 'ci-job-not-trusted'],
    ['of a pull request', { ref: 'refs/pull/1/merge', event_name: 'pull_request' }, 'ci-job-not-trusted'],
    ['of a pull request, on the branch', { event_name: 'pull_request_target' }, 'ci-job-not-trusted'],
    ['for another audience', { aud: 'https://github.com/octo' }, 'ci-audience-wrong'],
    ['for a part of our name', { aud: `${BASE}/` }, 'ci-audience-wrong'],
    ['for us and another audience', { aud: [BASE, 'https://other.example.com'] }, 'ci-audience-wrong'],
  ] as const)('%s', async (_, claims, code) => {
    await refused(await job(claims), code);
    expect(told).toMatchObject([
      { who: 'nobody', result: 'refused', code, about: expect.stringContaining('run 777') as string },
    ]);
    expect(counted).toEqual(['192.0.2.1']);
    expect(tokens.list({ app: 'shop' })).toEqual([]);
  });

  test('for an app that does not exist, or trusts others, in the same words', async () => {
    const said = async (app: string): Promise<unknown> =>
      exchange(await job(), app).catch((error: Error) => error.message.replaceAll(app, 'APP'));
    expect(await said('other')).toBe(await said('no-such-app'));
    expect(await said('other')).toContain('octo/shop may not deploy "APP".');
  });

  test('and told which trait it misses only if it is of a repository that the app trusts', async () => {
    const said = async (claims: Record<string, unknown>): Promise<unknown> =>
      exchange(await job(claims)).catch((error: Error) => error.message);
    expect(await said({ ref: 'refs/heads/dev' })).toContain('whose branch is "refs/heads/dev"');
    expect(await said({ repository: 'eve/shop', ref: 'refs/heads/dev' })).not.toContain('refs/heads');
  });

  test('by a rule for another issuer', async () => {
    await ci.remove('shop', ci.rules('shop')[0]?.id ?? '');
    await add({ issuer: 'github' });
    await refused(await job(), 'ci-not-trusted');
  });

  test('where the issuer is away, and nobody is counted as a guesser', async () => {
    server.instead = (request) => request.socket.destroy();
    await refused(await job(), 'ci-issuer-unreachable');
    server.instead = undefined;
    expect(counted).toEqual([]);
    expect(told).toMatchObject([{ who: 'nobody', result: 'refused', code: 'ci-issuer-unreachable' }]);
  });

  test('without a valid token, and the log says nothing of what it claims', async () => {
    await refused(`${await job()}x`, 'ci-token-invalid');
    expect(told).toEqual([
      {
        ...{ who: 'nobody', door: 'api', from: '192.0.2.1', verb: 'login', what: 'exchange an ID token', app: 'shop' },
        ...{ result: 'refused', code: 'ci-token-invalid' },
      },
    ]);
  });
});

describe('a repository that was registered again under its name', () => {
  test('is refused by a rule with an id', async () => {
    await add({ repositoryId: '1' });
    await refused(await job(), 'ci-not-trusted');
  });

  test('is refused by a rule that has seen a job of the one before', async () => {
    await add();
    await refused(await job({ ref: 'refs/heads/dev', repository_id: '1' }), 'ci-job-not-trusted');
    expect(ci.rules('shop')[0]).not.toHaveProperty('repositoryId');
    await exchange(await job());
    expect(ci.rules('shop')[0]).toMatchObject({ repositoryId: '4242' });
    await refused(await job({ repository_id: '4243' }), 'ci-not-trusted');
    await exchange(await job());
  });

  test('does not come in at the same moment', async () => {
    await add();
    const both = [await job({ repository_id: '1' }), await job({ repository_id: '2' })];
    const came = await Promise.allSettled(both.map((token) => exchange(token)));
    expect(came.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});

describe('the token of a job ends at once', () => {
  test('with its rule, and not with another one', async () => {
    const first = await add();
    const second = await add({ branch: 'dev' });
    const secret = await exchange(await job());
    await ci.remove('shop', second.id);
    expect(tokens.check(secret)).toBeDefined();
    await ci.remove('shop', first.id);
    expect(() => tokens.check(secret)).toThrow('came by a CI rule that was removed');
    await add();
    expect(() => tokens.check(secret)).toThrow('came by a CI rule that was removed');
    await expect(ci.remove('shop', first.id)).rejects.toMatchObject({ code: 'ci-rule-not-found' });
  });

  test('with the account that made the rule', async () => {
    await add();
    const secret = await exchange(await job());
    enabled = false;
    expect(() => tokens.check(secret)).toThrow('of an account that is disabled');
    enabled = true;
    expect(tokens.check(secret)).toBeDefined();
  });

  test('with its app', async () => {
    await add({}, adminToken('token'));
    const secret = await exchange(await job());
    enabled = false;
    expect(tokens.check(secret)).toBeDefined();
    apps.delete('shop');
    expect(() => tokens.check(secret)).toThrow('belongs to an app that was deleted');
    apps.set('shop', newApp('shop', 'Shop', new Date(0)));
    expect(() => tokens.check(secret)).toThrow('came by a CI rule that was removed');
  });

  test('and a rule of an account that is disabled trusts no job', async () => {
    await add();
    enabled = false;
    await refused(await job(), 'ci-not-trusted');
  });
});

test('rules are listed with the name of their issuer, belong to no preview, and there is an end to their number', async () => {
  await add();
  await add({ issuer: 'gitlab', repository: 'a/b/c' });
  expect(ci.rules('shop').map((rule) => [ci.issuerName(rule), rule.by])).toEqual([
    ['gitlab', 'ada@example.com'],
    [new URL(server.url).host, 'ada@example.com'],
  ]);
  const rule = { issuer: 'github', repository: 'octo/shop', branch: 'main' };
  await expect(ci.add('shop--new', rule, ADA)).rejects.toMatchObject({ code: 'preview-roles' });
  for (let count = 2; count < 50; count += 1) await add();
  await expect(add()).rejects.toMatchObject({ code: 'ci-rules-too-many' });
});

test('jobs cannot use up the tokens that people make, and there is an end to theirs', async () => {
  await add();
  const proof = { rule: ci.rules('shop')[0]?.id ?? '', proofUntil: clock() + 5 * MINUTE };
  for (let count = 0; count < 200; count += 1) await tokens.makeForCi('shop', 'ci:x', { ...proof, proof: `${count}` });
  await refused(await job(), 'ci-jobs-too-many');
  await tokens.makeForApp('shop', { name: 'CI' });
  late += 16 * MINUTE;
  await exchange(await job());
});
