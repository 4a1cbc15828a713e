import { describe, expect, it } from 'vitest';
import { chooseDependencies, type Dependencies } from '../../../../src/domain/python/dependencies.js';
import { isOutside, refuseOutside } from '../../../../src/domain/python/outside.js';

const REFUSED = expect.objectContaining({ code: 'requirements-outside' }) as Error;

function choose(files: Record<string, string>, outside?: 'allowed'): Dependencies {
  return chooseDependencies({ has: (file) => file in files, text: (file) => files[file] ?? '' }, undefined, outside);
}

it.each([
  '-r file:///data/admin-token',
  '-r /data/admin-token',
  '-r "/data/admin-token"',
  "-r '/data/admin-token'",
  '-r /da\\ta/admin-token',
  '-r/data/admin-token',
  '-r ${HOME}/admin-token',
  '-r sub/../../admin-token',
  '-c /data/admin-token',
  '--requirement=/data/admin-token',
  '--constraint file:///data/admin-token',
  '-e /srv/other',
  '-e ../other',
  '--editable=file:///srv/other',
  'x @ file:///srv/other',
  'x @ FILE:///srv/other',
  'x@file:/srv/other',
  'x[a, b]@/srv/other',
  'x @ file://localhost/srv/other',
  'x @ file://%2fsrv/other',
  'x @ file:../other',
  'x @ file:%2e%2e/other',
  'x @ ${HOME}/other',
  'x @ f${EMPTY}ile:///srv/other',
  'x @ git+file:///data/apps/victim/repo.git',
  'git+FILE:///data/apps/victim/repo.git#egg=x',
  '-e git+file:///data/apps/victim/repo.git#egg=x',
  'x @ git+ext://sh',
  '/srv/other.whl',
  '../other.whl',
  './lib/../../other',
  '~/other.whl',
  '--find-links /srv/wheels',
  '-f../wheels',
  '--find-links=~/wheels',
  '--find-link=/srv/wheels',
  '--index-url file:///srv/simple',
  '--extra-index-url=/srv/simple',
  '--no-index --find-links /srv/wheels',
  '-i file:///srv/simple',
  // Where pip sees the end of a line, and we do not.
  'six\u2028-r /data/admin-token',
  'six \\\n-r /data/admin-token',
])('%j is refused', (line) => {
  expect(() => refuseOutside(`streamlit\n${line}\n`, 'requirements.txt')).toThrow(REFUSED);
});

it.each([
  'streamlit==1.64.0 --hash=sha256:00',
  'six[a,b]>=1,<2 ; python_version < "3.12" and sys_platform != "win32"',
  '-r requirements/base.txt',
  '-r sub/../base.txt',
  '-c constraints.txt',
  '-r https://example.com/requirements.txt',
  '-e .',
  '-e ./lib[extra]',
  './lib ; python_version > "3"',
  'x @ file:./lib',
  'x @ ./lib#subdirectory=a',
  'lib/x-1.0-py3-none-any.whl',
  '--find-links wheels',
  '--index-url https://user:${TOKEN}@example.com/simple/',
  '--extra-index-url http://example.com/simple?a=/b',
  'x @ git+https://example.com/o/x.git@main#subdirectory=a',
  'x @ git+ssh://git@example.com/o/x.git',
  'x @ https://user:password@example.com/x.whl#sha256=00',
  '--trusted-host example.com --trusted-host b:8080',
  '--only-binary :all:',
  '# -r /data/admin-token',
])('%j is not refused', (line) => {
  expect(() => refuseOutside(`${line}\n`, 'requirements.txt')).not.toThrow();
});

it('the refusal quotes the line and says what to do', () => {
  expect(() => refuseOutside('six\n-r   file:///etc/passwd # x\n', 'req/base.txt')).toThrow(
    'req/base.txt contains "-r file:///etc/passwd", but file:///etc/passwd is outside of the project. Add the files to the project, or use a URL.',
  );
});

it('a path with a variable is outside, and a URL with one is not', () => {
  expect(isOutside('${HOME}/x')).toBe(true);
  expect(isOutside('https://${HOST}/x')).toBe(false);
});

describe('outside paths in files of other formats', () => {
  const project = '[project]\nname = "a"\nversion = "1"\ndependencies = ["x"]\n';
  const locked = (source: string): Record<string, string> => ({
    'pyproject.toml': project,
    'uv.lock': `version = 1\n[[package]]\nname = "x"\nversion = "1"\n${source}\n`,
  });
  it.each<[string, Record<string, string>]>([
    ['a path of uv', { 'pyproject.toml': `${project}[tool.uv.sources]\nx = { path = "/srv/x" }\n` }],
    ['a repository of uv', { 'pyproject.toml': `${project}[tool.uv.sources]\nx = { git = "file:///srv/x.git" }\n` }],
    ['an index of uv', { 'pyproject.toml': `${project}[[tool.uv.index]]\nurl = "file:///srv/simple"\n` }],
    ['a requirement', { 'pyproject.toml': project.replace('"x"', '"x @ file:///srv/x"') }],
    ['a path of Poetry', { 'pyproject.toml': '[tool.poetry.dependencies]\nx = { path = "../x" }\n' }],
    ['an address of Poetry', { 'pyproject.toml': '[tool.poetry.dependencies]\nx = { url = "file:///srv/x.whl" }\n' }],
    ['a path of Pipfile', { Pipfile: '[packages]\nx = { path = "/srv/x" }\n' }],
    ['a file of Pipfile', { Pipfile: '[packages]\nx = { file = "file:///srv/x.whl" }\n' }],
    ['a source of Pipfile', { Pipfile: '[[source]]\nname = "a"\nurl = "file:///srv"\n[packages]\nx = "*"\n' }],
    ['a line for pip', { 'environment.yml': 'dependencies:\n  - pip:\n      - -r /srv/x.txt\n' }],
    ['a directory of uv.lock', locked('source = { directory = "../x" }')],
    ['an editable folder of uv.lock', locked('source = { editable = "/srv/x" }')],
    ['a registry of uv.lock', locked('source = { registry = "/srv/simple" }')],
    ['a wheel of uv.lock', locked('source = { registry = "https://e.com" }\nwheels = [{ path = "/srv/x.whl" }]')],
    [
      'a source of uv beside uv.lock',
      {
        ...locked('source = { registry = "https://e.com" }'),
        'pyproject.toml': `${project}[tool.uv.workspace]\nmembers = ["../../*"]\n`,
      },
    ],
  ])('are refused: %s', (_what, files) => {
    expect(() => choose(files)).toThrow(REFUSED);
    expect(() => choose(files, 'allowed')).not.toThrow();
  });

  it('are not refused if they stay inside', () => {
    choose(locked('source = { directory = "lib/x" }'));
    choose({ 'pyproject.toml': `${project}[tool.uv.sources]\nx = { path = "lib/x" }\n` });
    choose({ Pipfile: '[packages]\nx = { path = "./lib" }\n' });
  });
});

it('refuses a word with more "=" and "@" than it could check in time', () => {
  const unreadable = expect.objectContaining({ code: 'requirements-unreadable' }) as Error;
  const text = `a${'='.repeat(8_000)}\n`.repeat(100);
  expect(() => refuseOutside(text, 'requirements.txt')).toThrow(unreadable);
  expect(() => refuseOutside(`x @ https://a/b?${'c=d&'.repeat(20)}\n`, 'requirements.txt')).not.toThrow();
});

it.each([
  ['-r ../base.txt', false],
  ['-c ../../base.txt', true],
  ['-r "../my base.txt"', false],
  ['-r "../my dir/../../base.txt"', true],
  ['-f ../wheels', false],
  ['-f ../../wheels', true],
  ['-r /base.txt', true],
  // Installed from the folder of the project, wherever that is written.
  ['-e ../lib', true],
  ['../lib', true],
])('%j in a folder of the project leads out of it: %j', (line, out) => {
  const look = expect(() => refuseOutside(`${line}\n`, 'req/dev.txt'));
  if (out) look.toThrow(REFUSED);
  else look.not.toThrow();
});

it.each([
  '-e c:\\users\\me\\lib',
  '-e C:/Users/me/lib',
  'C:\\wheels\\six-1.17.0-py3-none-any.whl',
  'six @ file:///C:/ci/six_1',
  '-r C:/base.txt',
  '-f d:\\wheels',
])('%j is a path of Windows, and the refusal says so', (line) => {
  expect(() => refuseOutside(`${line}\n`, 'requirements.txt')).toThrow('a path on a Windows machine');
});

it('a path of a conda build is refused with the command to run instead of pip freeze', () => {
  expect(() => refuseOutside('six @ file:///home/conda/feedstock_root/six_1/work\n', 'requirements.txt')).toThrow(
    'Use "pip list --format=freeze > requirements.txt" instead, or write the version.',
  );
});
