import { execFile } from 'node:child_process';
import { beforeAll, describe, expect, test } from 'vitest';
import { isAppVerb, rankMay, roleMay, type Verb } from '../../src/domain/access/permissions.js';
import { roles } from '../../src/domain/access/roles.js';
import { startHost, type TestHost } from '../helpers/host.js';
import { Person, type Ended } from '../helpers/person.js';
import { Project } from '../helpers/project.js';
import { ask } from '../helpers/web.js';
import { shownForm } from '../helpers/forms.js';

// The doors of git and the command line, tried by everyone there is; the API and the console are tried in unit/web/matrix.

const PASSWORD = 'correct horse battery';
const HOLDERS = ['stranger', ...roles, 'admin'] as const;
type Holder = (typeof HOLDERS)[number];

let host: TestHost;
let person: Person;
let project: Project;
const tokens = new Map<string, string>();

beforeAll(async () => {
  host = await startHost();
  person = await Person.of(host);
  project = await Project.create({ 'app.py': 'print(1)\n', 'requirements.txt': 'streamlit\n' });
  await host.send('POST', '/apps', { name: 'Shop' });
  for (const holder of HOLDERS) {
    const email = `${holder}@example.com`;
    await host.send('POST', '/users', { email, password: PASSWORD, admin: holder === 'admin' });
    tokens.set(holder, (await makeToken(email, { name: 'all', scope: 'manage' })).token);
    if (roles.some((role) => role === holder)) await host.send('PUT', `/apps/shop/roles/${email}`, { role: holder });
  }
});

/** Logs in as a person and creates a token. */
async function makeToken(email: string, body: object): Promise<{ id: string; token: string }> {
  const url = `${host.url}/console/login`;
  const login = await ask(url, shownForm(url, { email, password: PASSWORD }));
  const cookie = login.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  const { text } = await ask(`${host.url}/console/`, { headers: { cookie } });
  const [, csrf = ''] = /<meta name="csrf" content="([^"]+)">/.exec(text) ?? [];
  const made = await ask(`${host.url}/api/me/tokens`, {
    method: 'POST',
    headers: { cookie, origin: host.url, 'x-csrf-token': csrf, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(made.status, made.text).toBe(201);
  return made.json as { id: string; token: string };
}

function allowed(holder: Holder, verb: Verb): boolean {
  const rank = holder === 'admin' ? 'admin' : 'member';
  if (!isAppVerb(verb)) return rankMay(rank, verb);
  return (
    rank === 'admin' ||
    roleMay(
      roles.find((one) => one === holder),
      verb,
    )
  );
}

/** Runs git with a token as the password. */
function git(token: string, ...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { ...process.env, GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_GLOBAL: '/dev/null', GIT_ASKPASS: 'true' };
    const child = execFile(
      'git',
      args.map((arg) => arg.replace('TOKEN', token)),
      { cwd: project.folder, env },
      (_, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

const remote = (app: string): string => `${host.url.replace('http://', 'http://x:TOKEN@')}/git/${app}.git`;
const clone = (token: string, app = 'shop'): Promise<Ended> => git(token, 'ls-remote', remote(app));
const push = (token: string, app = 'shop', ...more: string[]): Promise<Ended> =>
  git(token, 'push', ...more, remote(app), 'HEAD:refs/heads/main');

describe.each(HOLDERS)('git with the token of a person who is a %s', (holder) => {
  test.each([
    ['files', clone],
    ['push', (token: string) => push(token, 'shop', '--dry-run')],
  ] as const)('may or may not do what needs the verb %s', async (verb, act) => {
    const { code, stderr } = await act(tokens.get(holder) ?? '');
    if (allowed(holder, verb)) return expect(code, stderr).toBe(0);
    expect(code).not.toBe(0);
    expect(stderr).toContain(holder === 'stranger' ? 'There is no app "shop"' : 'Only its developers can do this');
  });
});

test('git says the same of an app that someone has no role in as of none', async () => {
  const { token: limited } = await makeToken('owner@example.com', { name: 'other', scope: 'read', apps: ['other'] });
  const saidOf = async (token: string, app: string): Promise<string> =>
    (await clone(token, app)).stderr.replaceAll(app, 'APP');
  for (const token of [tokens.get('stranger') ?? '', limited])
    expect(await saidOf(token, 'shop')).toBe(await saidOf(token, 'no-such-app'));
});

describe.each(HOLDERS)('the command line with the token of a person who is a %s', (holder) => {
  test.each([
    ['open', ['status', 'shop']],
    ['see', ['deploys', 'shop']],
    ['logs', ['logs', 'shop']],
    ['run', ['start', 'shop']],
    ['deploy', ['redeploy', 'shop']],
    ['config', ['config', 'shop']],
    ['settings', ['branch', 'shop', 'main']],
    ['access', ['access', 'shop']],
    ['people', ['user', 'list']],
    ['server', ['doctor']],
  ] as const)('may or may not do what needs the verb %s', async (verb, args) => {
    const env = { STREAMLIT_HOST_TOKEN: tokens.get(holder) };
    const { code, stderr } = await person.run(args, { env });
    const refused = /Only (?:an admin|its \w+) can do this|There is no app "shop"/;
    if (allowed(holder, verb)) return expect(stderr).not.toMatch(refused);
    expect(stderr).toMatch(refused);
    expect(code).toBe(isAppVerb(verb) && holder === 'stranger' ? 5 : 1);
  });
});

describe('a push is refused with the reason, and stores nothing', () => {
  const refused = async (token: string, reason: string, app = 'shop'): Promise<void> => {
    const { code, stderr } = await push(token, app);
    expect(code).not.toBe(0);
    expect(stderr).toContain(reason);
    expect(stderr).not.toContain(token);
    expect((await clone(tokens.get('admin') ?? '')).stdout).toBe('');
  };

  test('with a token that may only read', async () => {
    const { token } = await makeToken('owner@example.com', { name: 'reader', scope: 'read' });
    expect((await clone(token)).code).toBe(0);
    await refused(token, 'This token has the scope read, and this needs deploy.');
  });

  test('with the deploy token of another app', async () => {
    await host.send('POST', '/apps', { name: 'Other' });
    const made = await host.send('POST', '/apps/other/deploy-tokens', { name: 'CI' });
    const { token } = (await made.json()) as { token: string };
    await refused(token, 'This token is only for other.');
    await refused(token, 'This token is only for other.', 'no-such-app');
    expect((await push(token, 'other', '--dry-run')).code).toBe(0);
  });

  test('with a revoked token', async () => {
    const { id, token } = await makeToken('owner@example.com', { name: 'lost', scope: 'deploy' });
    expect((await push(token, 'shop', '--dry-run')).code).toBe(0);
    const revoked = await person.run(['tokens', 'revoke', id], { env: { STREAMLIT_HOST_TOKEN: tokens.get('owner') } });
    expect(revoked).toMatchObject({ code: 0, stdout: `${id} is revoked.\n` });
    await refused(token, 'The token "lost" was revoked.');

    const made = await host.send('POST', '/apps/shop/deploy-tokens', { name: 'old CI' });
    const ci = (await made.json()) as { id: string; token: string };
    expect((await push(ci.token, 'shop', '--dry-run')).code).toBe(0);
    expect((await host.api(`/apps/shop/deploy-tokens/${ci.id}`, { method: 'DELETE' })).ok).toBe(true);
    await refused(ci.token, 'The token "old CI" was revoked.');
  });

  test("with a disabled person's token", async () => {
    await host.send('PATCH', '/users/developer@example.com', { disabled: true });
    await refused(tokens.get('developer') ?? '', 'belongs to an account that is disabled');
    await host.send('PATCH', '/users/developer@example.com', { disabled: false });
    expect((await push(tokens.get('developer') ?? '', 'shop', '--dry-run')).code).toBe(0);
  });
});

test('the command line creates tokens, shows them once, and lists them', async () => {
  const env = { STREAMLIT_HOST_TOKEN: tokens.get('owner') };
  const made = await person.run(['tokens', 'create', 'laptop', '--scope', 'read', '--app', 'shop', '--days', '7'], {
    env,
  });
  expect(made.stdout).toMatch(/^shp_[\w-]{43}\n$/);
  expect(made.stderr).toContain('it is not shown again');
  const listed = await person.run(['tokens'], { env });
  expect(listed.stdout).toMatch(/laptop +read +shop +active/);
  expect(listed.stdout).not.toContain(made.stdout.trim());
  expect((await person.run(['tokens', 'create', 'CI', '--deploy', 'shop'], { env })).stdout).toMatch(/^shd_/);
  expect((await person.run(['tokens'])).stderr).toContain('The admin token has no account.');
});
