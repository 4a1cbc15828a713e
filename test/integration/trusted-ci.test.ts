import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { CiServer, type Odd } from '../helpers/ci-server.js';
import { endWithFile } from '../helpers/ends.js';
import { ROOT, startHost, type TestHost } from '../helpers/host.js';
import { Person } from '../helpers/person.js';
import { Project, textApp } from '../helpers/project.js';
import { visit } from '../helpers/pushing.js';

// The lines of docs/people.md, run as a job would run them, against CI services with keys of their own.

interface Workflow {
  jobs: { deploy: { env: Record<string, string>; steps: { run?: string; shell?: string }[] } };
}

interface Pipeline {
  deploy: { variables: Record<string, string>; id_tokens: { ID_TOKEN: { aud: string } }; script: string[] };
}

let github: CiServer;
let gitlab: CiServer;
let host: TestHost;
let person: Person;
let project: Project;
let workflow: Workflow;
let pipeline: Pipeline;
/** Where a job of GitHub Actions asks for its ID token, and what is odd about that. */
let minting: string;
let odd: Odd;

beforeAll(async () => {
  [github, gitlab] = [await CiServer.start('RS256'), await CiServer.start('RS256')];
  host = await startHost({
    env: { STREAMLIT_HOST_CI_ISSUERS: `${github.named('github')}, ${gitlab.named('gitlab')}` },
  });
  person = await Person.of(host);
  project = await Project.create(textApp('text:one'));
  const docs = await readFile(join(ROOT, 'docs/people.md'), 'utf8');
  const [first = '', second = ''] = Array.from(docs.matchAll(/```yaml\n([\s\S]*?)```/g), ([, yaml]) => yaml);
  workflow = parse(first) as Workflow;
  pipeline = parse(second) as Pipeline;
  minting = await mint();
  await host.send('POST', '/apps', { name: 'Shop' });
});
beforeEach(() => {
  odd = {};
});

/** What GitHub's runners have for their jobs. */
async function mint(): Promise<string> {
  const server = createServer((request, response) => {
    const audience = new URL(request.url ?? '', 'http://localhost').searchParams.get('audience') ?? '';
    if (request.headers.authorization !== 'bearer of-the-runner') return void response.writeHead(401).end();
    void github.github(audience, odd).then((value) => response.end(JSON.stringify({ count: value.length, value })));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endWithFile(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/token?api-version=2.0`;
}

/** Runs the lines of a job in the project's folder. */
function run(shell: string, lines: string, env: Record<string, string>): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const all = {
      PATH: process.env.PATH,
      HOME: person.home,
      GIT_TERMINAL_PROMPT: '0',
      GIT_CONFIG_NOSYSTEM: '1',
      ...env,
    };
    execFile(shell, ['-e', '-c', lines], { cwd: project.folder, env: all }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr }),
    );
  });
}

const onGithub = (): Promise<{ code: number; output: string }> =>
  run('bash', workflow.jobs.deploy.steps.find((step) => step.run !== undefined)?.run ?? '', {
    ...workflow.jobs.deploy.env,
    SERVER: host.url,
    ...{ ACTIONS_ID_TOKEN_REQUEST_URL: minting, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'of-the-runner' },
  });

const onGitlab = async (): Promise<{ code: number; output: string }> =>
  run('sh', pipeline.deploy.script.join('\n'), {
    ...pipeline.deploy.variables,
    SERVER: host.url,
    ID_TOKEN: await gitlab.gitlab(host.url, odd),
  });

const exchange = async (token: string, app = 'shop'): Promise<{ status: number; json: Record<string, string> }> => {
  const answer = await fetch(`${host.url}/api/ci/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token, app }),
  });
  return { status: answer.status, json: (await answer.json()) as Record<string, string> };
};

const audited = async (): Promise<Record<string, string>[]> =>
  ((await (await host.api('/audit?app=shop')).json()) as { entries: Record<string, string>[] }).entries;

const stored = async (): Promise<string> => (await project.git('ls-remote', host.remote('shop'))).output;

test('the documented jobs of GitHub Actions and GitLab CI deploy without a stored secret', async () => {
  for (const [issuer, repository] of [
    [github.url, 'octo/shop'],
    [gitlab.url, 'octo/apps/shop'],
  ] as const) {
    const { code, stdout, stderr } = await person.run(['ci', 'shop', 'add', issuer, repository, '--branch', 'main']);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain(`jobs of ${repository} at ${new URL(issuer).host} can deploy shop.`);
  }
  expect(pipeline.deploy.id_tokens.ID_TOKEN.aud).toBe(pipeline.deploy.variables.SERVER);
  const first = await onGithub();
  expect(first.code, first.output).toBe(0);
  expect(await visit(host, 'shop')).toContain('text:one');
  await project.commit(textApp('text:two'), 'Second');
  const second = await onGitlab();
  expect(second.code, second.output).toBe(0);
  expect(await visit(host, 'shop')).toContain('text:two');
  const { deploys } = (await (await host.api('/apps/shop/deploys')).json()) as { deploys: { by: string }[] };
  const names = [gitlab, github].map(({ url }) => `ci:${new URL(url).host}`);
  expect(deploys.map(({ by }) => by)).toEqual([`${names[0]}:octo/apps/shop@main`, `${names[1]}:octo/shop@main`]);
  const entries = await audited();
  const of = (what: string): Record<string, string>[] => entries.filter((entry) => entry.what === what);
  expect(of('push')).toMatchObject([
    { who: `${names[0]}:octo/apps/shop@main`, result: 'ok' },
    { who: `${names[1]}:octo/shop@main`, result: 'ok' },
  ]);
  expect(of('exchange an ID token')).toMatchObject([
    { who: `${names[0]}:octo/apps/shop@main`, about: `${names[0]}:octo/apps/shop@main run 888`, result: 'ok' },
    { who: `${names[1]}:octo/shop@main`, about: `${names[1]}:octo/shop@main run 777`, result: 'ok' },
  ]);
  // The runner hides it in the log from there on.
  const [, secret = ''] = /::add-mask::(shd_\S+)/.exec(first.output) ?? [];
  expect(first.output.split(secret)).toHaveLength(2);
  for (const text of [host.output, JSON.stringify(entries), await readFile(join(host.data, 'tokens.json'), 'utf8')])
    expect(text).not.toContain(secret);
});

describe('a job is refused with the reason, and nothing is stored', () => {
  test.each([
    ['of another repository', { repository: 'octo/other', repository_id: '1' }, 'octo/other may not deploy'],
    ['of one that was registered again under the name', { repository_id: '1' }, 'octo/shop may not deploy'],
    ['on another branch', { ref: 'refs/heads/dev' }, 'whose branch is \\"refs/heads/dev\\"'],
    ['of a pull request', { ref: 'refs/pull/1/merge', event_name: 'pull_request' }, 'whose event is'],
    ['for another audience', { aud: 'https://github.com/octo' }, `Request one for`],
    ['that has expired', { exp: 1_600_000_000 }, 'This ID token has expired.'],
  ] as const)('%s', async (_, claims, reason) => {
    const before = await stored();
    await project.commit({}, 'Refused');
    odd = { claims };
    const { code, output } = await onGithub();
    expect(code).toBe(1);
    expect(output).toContain(reason);
    expect(output).not.toContain('shd_');
    expect(await stored()).toBe(before);
  });
});

test('a job whose rule is removed before it pushes is refused', async () => {
  const { json } = await exchange(await github.github(host.url));
  const push = (): Promise<{ code: number; output: string }> =>
    project.git('push', '--dry-run', `${host.url.replace('//', `//ci:${json.token}@`)}/git/shop.git`, 'HEAD:main');
  expect((await push()).code).toBe(0);
  const before = await stored();
  const listed = await person.run(['ci', 'shop']);
  expect(listed.stderr).toContain(`Jobs request their ID tokens for ${host.url}.`);
  const [, id = ''] = /^([0-9a-f]{12}) +\S+ +octo\/shop +4242 +main/m.exec(listed.stdout) ?? [];
  expect(await person.run(['ci', 'shop', 'remove', id])).toMatchObject({
    code: 0,
    stdout: `${id} is removed. Tokens that jobs got by it no longer work.\n`,
  });
  const { code, output } = await push();
  expect(code).not.toBe(0);
  expect(output).toContain('came by a CI rule that was removed');
  expect(await stored()).toBe(before);
  expect((await exchange(await github.github(host.url))).json.code).toBe('ci-not-trusted');
  expect((await person.run(['ci', 'shop', 'remove', id])).stderr).toContain(`There is no CI rule "${id}".`);
});

test('the command line says what is missing in a rule', async () => {
  for (const [args, sentence] of [
    [['add', 'github'], 'Name the CI service and the repository'],
    [['add', 'github', 'octo/shop'], 'Name a branch or an environment.'],
    [['add', 'https://evil.example.com', 'octo/shop', '--branch', 'main'], "This server doesn't know the CI service"],
    [['remove'], 'Name the id of the rule.'],
  ] as const)
    expect((await person.run(['ci', 'shop', ...args])).stderr).toContain(sentence);
});

test('an address that tries many tokens has to wait, and a trusted job does not', async () => {
  const rule = { issuer: github.url, repository: 'octo/shop', branch: 'main', repository_id: '4242' };
  expect((await host.send('POST', '/apps/shop/ci-rules', rule)).status).toBe(201);
  const codes = new Set<string | undefined>();
  for (let count = 0; count < 30; count += 1) codes.add((await exchange(`a.${count}.c`)).json.code);
  expect([...codes]).toEqual(['ci-token-invalid', 'too-many-attempts']);
  expect(await exchange(await github.github(host.url))).toMatchObject({ status: 200, json: { app: 'shop' } });
  const refused = (await audited()).filter(({ code }) => code === 'ci-token-invalid');
  expect(refused).toHaveLength(30);
  expect(refused[0]).toMatchObject({ who: 'nobody', result: 'refused', what: 'exchange an ID token' });
});
