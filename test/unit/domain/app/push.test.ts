import { expect, it } from 'vitest';
import {
  demandBranchName,
  deployBranchOf,
  howToChoose,
  isCreation,
  isDeletion,
  parsePushOptions,
  parseUpdate,
  planRef,
  type PreviewRule,
  type RefUpdate,
} from '../../../../src/domain/app/push.js';

const OLD = 'a'.repeat(40);
const NEW = 'b'.repeat(40);
const NONE = '0'.repeat(40);

function update(ref: string, to = NEW, from = OLD): RefUpdate {
  return { ref, new: to, old: from };
}

it('a line from git is parsed into a ref update', () => {
  expect(parseUpdate(`${OLD} ${NEW} refs/heads/main`)).toEqual(update('refs/heads/main'));
  expect(parseUpdate(`${'a'.repeat(64)} ${'b'.repeat(64)} refs/heads/ä b`)).toMatchObject({ ref: 'refs/heads/ä b' });
});

it.each([
  '',
  `${OLD} ${NEW}`,
  `${OLD} ${NEW} main`,
  `${OLD} ${NEW} ../refs/heads/main`,
  `${OLD.slice(1)} ${NEW} refs/heads/main`,
  `${OLD} ${NEW.toUpperCase()} refs/heads/main`,
  `${OLD} ${NEW} refs/heads/ma\nin`,
  `${OLD} ${NEW} refs/heads/main\0report-status`,
])('a line from git with %j is refused', (line) => {
  expect(parseUpdate(line)).toBeUndefined();
});

it('a line from git tells creations and deletions apart', () => {
  expect(isCreation(update('refs/heads/main', NEW, NONE))).toBe(true);
  expect(isCreation(update('refs/heads/main'))).toBe(false);
  expect(isDeletion(update('refs/heads/main', NONE))).toBe(true);
  expect(isDeletion(update('refs/heads/main', NEW, NONE))).toBe(false);
});

const branches = (...names: string[]): RefUpdate[] => names.map((name) => update(`refs/heads/${name}`));

it('the deploy branch is main, then master, then the first branch of the first push', () => {
  expect(deployBranchOf(null, branches('aaa', 'master', 'main'), false)).toBe('main');
  expect(deployBranchOf(null, branches('aaa', 'master'), false)).toBe('master');
  expect(deployBranchOf(null, branches('trunk', 'aaa'), false)).toBe('trunk');
});

it('the deploy branch is not set by a push without branches', () => {
  expect(deployBranchOf(null, [update('refs/tags/v1'), update('refs/heads/gone', NONE)], false)).toBeNull();
});

it('the deploy branch does not change once a release is live', () => {
  expect(deployBranchOf('trunk', branches('main'), true)).toBe('trunk');
  expect(deployBranchOf('trunk', [], true)).toBe('trunk');
});

it('the deploy branch can change to main or master only, while nothing is live', () => {
  expect(deployBranchOf('attempt', branches('main'), false)).toBe('main');
  expect(deployBranchOf('attempt', branches('other'), false)).toBe('attempt');
  expect(deployBranchOf('attempt', [], false)).toBe('attempt');
});

const off: PreviewRule = { on: false, has: () => false, how: 'Switch them on.' };

it.each([
  ['refs/heads/main', NEW, { kind: 'deploy', branch: 'main' }],
  [
    'refs/heads/main',
    NONE,
    {
      kind: 'refuse',
      reason: 'main is the deploy branch; to delete the app, use the console or "streamlit-host delete"',
    },
  ],
  [
    'refs/heads/idea',
    NEW,
    {
      kind: 'store',
      say: 'Stored branch idea. It is not deployed: this app deploys main. Switch them on.',
      branch: 'idea',
    },
  ],
  ['refs/heads/idea', NONE, { kind: 'store', say: 'Deleted branch idea.' }],
  [
    'refs/heads/main/sub',
    NEW,
    {
      kind: 'store',
      say: 'Stored branch main/sub. It is not deployed: this app deploys main. Switch them on.',
      branch: 'main/sub',
    },
  ],
  ['refs/tags/v1', NEW, { kind: 'store', say: 'Stored tag v1. Tags do not deploy.' }],
  ['refs/tags/v1', NONE, { kind: 'store', say: 'Deleted tag v1.' }],
  ['refs/notes/commits', NEW, { kind: 'refuse', reason: 'only branches and tags can be pushed' }],
  ['refs/releases/1', NEW, { kind: 'refuse', reason: 'only branches and tags can be pushed' }],
  ['refs/heads', NEW, { kind: 'refuse', reason: 'only branches and tags can be pushed' }],
])('the plan for %s pushed as %s is decided without previews', (ref, to, plan) => {
  expect(planRef(update(ref, to), 'main', off)).toEqual(plan);
});

const on: PreviewRule = { ...off, on: true };
const one: PreviewRule = { ...off, has: (branch) => branch === 'idea' };
it.each([
  ['where previews are on', on, 'refs/heads/main', NEW, { kind: 'deploy', branch: 'main' }],
  ['where previews are on', on, 'refs/heads/idea', NEW, { kind: 'preview', branch: 'idea' }],
  ['where previews are on', on, 'refs/heads/idea', NONE, { kind: 'store', say: 'Deleted branch idea.' }],
  ['where previews are on', on, 'refs/tags/v1', NEW, { kind: 'store', say: 'Stored tag v1. Tags do not deploy.' }],
  ['where the branch has one', one, 'refs/heads/idea', NEW, { kind: 'preview', branch: 'idea' }],
  ['where the branch has one', one, 'refs/heads/idea', NONE, { kind: 'end-preview', branch: 'idea' }],
  [
    'where another branch has one',
    one,
    'refs/heads/other',
    NEW,
    {
      kind: 'store',
      say: 'Stored branch other. It is not deployed: this app deploys main. Switch them on.',
      branch: 'other',
    },
  ],
])('the plan for a ref is decided %s: case %#', (_where, rule, ref, to, plan) => {
  expect(planRef(update(ref, to), 'main', rule)).toEqual(plan);
});

it('push options are parsed, and those for other servers are recognised', () => {
  expect(parsePushOptions([])).toEqual({ nowait: false, fresh: false, layout: {}, unknown: [] });
  expect(parsePushOptions(['nowait', 'fresh', 'drain=0', 'ci.skip'])).toEqual({
    nowait: true,
    fresh: true,
    layout: {},
    drainMinutes: 0,
    unknown: ['ci.skip'],
  });
});

it.each(['drain=', 'drain=-1', 'drain=soon', 'drain=10081', 'drain=1.5'])(
  'invalid push options are refused: %s',
  (option) => {
    expect(() => parsePushOptions([option])).toThrow(
      'Invalid push option drain. Use drain=<minutes>, with 0 to 10080 minutes.',
    );
  },
);

it.each(['main', 'feature/x', 'prüfung', 'v1.2', '#42', 'a'.repeat(200)])(
  'the branch name %j is valid, as in git',
  (name) => {
    expect(demandBranchName(name)).toBe(name);
  },
);

it.each([
  '',
  '-f',
  '/main',
  'main/',
  'a//b',
  'a..b',
  'a b',
  'a~1',
  'a^',
  'a:b',
  'a?',
  'a*',
  'a[',
  'a\\b',
  'a@{b',
  '@',
  '.a',
  'a/.b',
  'a.lock',
  'a.lock/b',
  'a.',
  'a\n',
  'a\0',
  'a'.repeat(201),
])('the branch name %j is refused, as in git', (name) => {
  expect(() => demandBranchName(name)).toThrow(expect.objectContaining({ code: 'branch-invalid' }));
});

it('the options of a push say where in the repository the app is, and nothing that leaves it', () => {
  const options = ['main=./dash/app.py', 'root=dashboards/sales/', 'dependencies=', 'mainly=x'];
  expect(parsePushOptions(options)).toMatchObject({
    layout: { main: './dash/app.py', root: 'dashboards/sales/', dependencies: '' },
    unknown: ['mainly=x'],
  });
  for (const option of ['main=../app.py', 'main=app.sh', 'root=/etc', 'root=a/../b', 'dependencies=setup.py'])
    expect(() => parsePushOptions([option])).toThrow(expect.objectContaining({ code: 'layout-invalid' }));
});

it('a refusal with choices is followed by the lines that would work, without what a shell would read', () => {
  const choices = ['dash/app.py', 'a b.py', '$(rm).py'];
  expect(howToChoose({ code: 'no-entrypoint', choices }, 'main')).toEqual([
    'To deploy one of them, now and with later pushes:',
    '  git push -o main=dash/app.py host main',
    '',
  ]);
  expect(howToChoose({ code: 'no-requirements', choices: ['r.txt'] }, 'dev')[1]).toBe(
    '  git push -o dependencies=r.txt host dev',
  );
  expect(howToChoose({ code: 'submodule', choices }, 'main')).toEqual([]);
  expect(howToChoose({ code: 'no-entrypoint', choices: [] }, 'main')).toEqual([]);
});
