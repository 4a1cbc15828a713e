import { describe, expect, test } from 'vitest';
import {
  ciIssuers,
  closestMiss,
  isCiIssuer,
  jobName,
  missedBy,
  parseCiRule,
  readJob,
  traitOf,
  type CiIssuer,
  type CiJob,
  type NewCiRule,
} from '../../../../src/domain/access/ci.js';
import type { CiRule } from '../../../../src/domain/access/ci-rule.js';

const issuers = ciIssuers(['gitlab=https://gitlab.example.com:8443']);
const [github, gitlab, own] = issuers as [CiIssuer, CiIssuer, CiIssuer];

const GITHUB = {
  ...{ repository: 'octo/shop', repository_id: '42', ref: 'refs/heads/main', event_name: 'push', run_id: '7' },
};
const GITLAB = {
  ...{ project_path: 'octo/apps/shop', project_id: '9', ref: 'main', ref_type: 'branch', pipeline_source: 'push' },
  pipeline_id: '8',
};
const JOB = readJob('github', GITHUB) as CiJob;

function rule(more: Partial<CiRule> = {}): CiRule {
  const facts = { issuer: github.url, repository: 'octo/shop', branch: 'main' };
  return { id: 'a'.repeat(12), by: 'ada', createdAt: 0, ...facts, ...more };
}

test('the public services are known, and those of an admin go by their host', () => {
  expect(issuers).toEqual([
    { service: 'github', url: 'https://token.actions.githubusercontent.com', name: 'github' },
    { service: 'gitlab', url: 'https://gitlab.com', name: 'gitlab' },
    { service: 'gitlab', url: 'https://gitlab.example.com:8443', name: 'gitlab.example.com:8443' },
  ]);
});

test.each([
  ['gitlab=https://gitlab.example.com', true],
  ['github=https://ghe.example.com/_services/token', true],
  ['gitlab=http://127.0.0.1:9000', true],
  ['gitlab=http://gitlab.example.com', false],
  ['gitlab=https://user@gitlab.example.com', false],
  ['gitlab=file:///etc/passwd', false],
  ['jenkins=https://ci.example.com', false],
  ['https://gitlab.example.com', false],
  ['', false],
])('%s names an issuer: %s', (text, is) => expect(isCiIssuer(text)).toBe(is));

describe('a rule', () => {
  const parse = (more: Partial<NewCiRule>): unknown =>
    parseCiRule({ issuer: 'github', repository: 'octo/shop', branch: 'main', ...more }, issuers);

  test('is kept with the URL of its issuer, without what was left out', () => {
    expect(parse({ repository: ' octo/shop ', branch: 'refs/heads/main', environment: ' ' })).toEqual({
      ...{ issuer: github.url, repository: 'octo/shop', branch: 'main' },
    });
    const all = {
      issuer: own.url,
      repository: 'octo/apps/shop',
      repositoryId: '9',
      branch: '',
      environment: 'live now',
    };
    expect(parse(all)).toEqual({
      ...{ issuer: own.url, repository: 'octo/apps/shop', repositoryId: '9', environment: 'live now' },
    });
    expect(parse({ issuer: own.name })).toMatchObject({ issuer: own.url });
  });

  test.each([
    [{ issuer: 'https://evil.example.com' }, 'ci-issuer-unknown', 'issuer'],
    [{ repository: 'shop' }, 'ci-rule-invalid', 'repository'],
    [{ repository: 'octo/apps/shop' }, 'ci-rule-invalid', 'repository'],
    [{ repository: 'octo/*' }, 'ci-rule-invalid', 'repository'],
    [{ repositoryId: 'x' }, 'ci-rule-invalid', 'repository_id'],
    [{ branch: 'release/*' }, 'ci-rule-invalid', 'branch'],
    [{ branch: 'a b' }, 'ci-rule-invalid', 'branch'],
    [{ branch: 'a\u0000' }, 'ci-rule-invalid', 'branch'],
    [{ branch: '' }, 'ci-rule-invalid', 'branch'],
    [{ environment: 'a\nb' }, 'ci-rule-invalid', 'environment'],
  ] as const)('is refused with %j', (more, code, field) => {
    expect(() => parse(more)).toThrow(expect.objectContaining({ code, field }) as Error);
  });
});

describe('a job', () => {
  test('is read from the claims of its service, whose numbers may be text', () => {
    expect(JOB).toEqual({
      ...{ repository: 'octo/shop', repositoryId: '42', ref: 'refs/heads/main', event: 'push', run: '7' },
      environment: undefined,
    });
    expect(readJob('gitlab', { ...GITLAB, project_id: 9, environment: 'live' })).toEqual({
      ...{ repository: 'octo/apps/shop', repositoryId: '9', ref: 'refs/heads/main', event: 'push', run: '8' },
      environment: 'live',
    });
  });

  test.each([
    ['github', {}],
    ['github', GITLAB],
    ['gitlab', GITHUB],
    ['github', { ...GITHUB, repository_id: undefined }],
    ['github', { ...GITHUB, repository_id: '' }],
    ['github', { ...GITHUB, ref: ['refs/heads/main'] }],
    ['gitlab', { ...GITLAB, project_id: null }],
  ] as const)('of %s is none with %j', (service, claims) => expect(readJob(service, claims)).toBeUndefined());

  test('goes by its repository and its branch or tag', () => {
    expect(jobName(github, JOB)).toBe('ci:github:octo/shop@main');
    expect(jobName(own, { ...JOB, ref: 'refs/tags/v1' })).toBe('ci:gitlab.example.com:8443:octo/shop@v1');
    expect(jobName(gitlab, { ...JOB, ref: 'refs/heads/a\u001b[31m' })).not.toContain('\u001b');
  });
});

describe('a rule trusts', () => {
  test('the jobs of its repository on its branch', () => {
    expect(missedBy(rule(), JOB)).toBeUndefined();
    expect(missedBy(rule({ repository: 'Octo/Shop', repositoryId: '42' }), JOB)).toBeUndefined();
    expect(missedBy(rule({ branch: undefined, environment: 'live' }), { ...JOB, environment: 'live' })).toBeUndefined();
    const tagged = { ...JOB, environment: 'live', ref: 'refs/tags/v1' };
    expect(missedBy(rule({ branch: undefined, environment: 'live' }), tagged)).toBeUndefined();
  });

  test.each([
    ['repository', rule(), { repository: 'octo/shop2' }],
    ['repository', rule(), { repository: 'evil/shop' }],
    ['repository id', rule({ repositoryId: '42' }), { repositoryId: '43' }],
    ['branch', rule(), { ref: 'refs/heads/dev' }],
    ['branch', rule(), { ref: 'refs/heads/main2' }],
    ['branch', rule(), { ref: 'refs/heads/Main' }],
    ['branch', rule(), { ref: 'refs/tags/main' }],
    ['event', rule({ branch: undefined, environment: 'live' }), { ref: 'refs/pull/1/merge', environment: 'live' }],
    ['event', rule({ branch: 'pull/1/merge' }), { ref: 'refs/pull/1/merge' }],
    ['environment', rule({ environment: 'live' }), {}],
    ['environment', rule({ environment: 'live' }), { environment: 'test' }],
  ] as const)('no other: its %s', (trait, trusts, more) => {
    expect(missedBy(trusts, { ...JOB, ...more })).toBe(trait);
  });

  test.each(['pull_request', 'pull_request_target', 'pull_request_review', 'workflow_run', 'issue_comment'])(
    'none that %s starts, though GitHub runs it on the branch',
    (event_name) => {
      const job = readJob('github', { ...GITHUB, event_name }) as CiJob;
      expect(missedBy(rule(), job)).toBe('event');
    },
  );

  test.each(['merge_request_event', 'external_pull_request_event'])('none that %s starts at GitLab', (source) => {
    const job = readJob('gitlab', { ...GITLAB, pipeline_source: source }) as CiJob;
    expect(missedBy(rule({ repository: 'octo/apps/shop' }), job)).toBe('event');
  });
});

test('the rule that comes closest says what a job misses', () => {
  expect(closestMiss([], JOB)).toBe('repository');
  expect(closestMiss([rule({ repository: 'a/b' }), rule({ branch: 'dev' })], JOB)).toBe('branch');
  expect(closestMiss([rule({ branch: 'dev' }), rule({ environment: 'live' })], JOB)).toBe('environment');
  expect(traitOf(JOB, 'branch')).toBe('"refs/heads/main"');
  expect(traitOf(JOB, 'environment')).toBe('none');
});
