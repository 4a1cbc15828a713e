import { expect, it } from 'vitest';
import { forInstaller, noWishes, type Wishes } from '../../../../src/domain/python/for-installer.js';

function write(text: string, path = 'requirements.txt'): { text: string; wishes: Wishes } {
  const wishes = noWishes();
  const place = { path, nameOf: (target: string) => target, hasFolder: (folder: string) => folder === 'req/wheels' };
  return { text: forInstaller(text, place, wishes), wishes };
}

it.each([
  ['-e .', '.'],
  ['-e own', './own'],
  ['-e ./own[extra]', './own[extra]'],
  ['-e git+https://host/x.git', 'git+https://host/x.git'],
  ['-e git+https://host/x.git@main#egg=x[a]&subdirectory=y', 'x[a] @ git+https://host/x.git@main#subdirectory=y'],
  ['six==1 --hash=sha256:a --pre', 'six==1 --hash=sha256:a'],
  ['-i https://host/simple', '--index-url https://host/simple'],
])('%j is installed as %j', (line, copy) => {
  expect(write(`${line}\n`).text).toBe(`${copy}\n`);
});

it('every line keeps its number, so that errors name the right one', () => {
  expect(write('# why\n\nsix \\\n  ==1\n--pre\nseven\n').text.split('\n')).toEqual([
    '',
    '',
    'six ==1',
    '',
    '',
    'seven',
    '',
  ]);
});

it('notes the options that uv ignores in files', () => {
  const { wishes } = write(
    '--pre\n--trusted-host a --trusted-host b\n--extra-index-url https://${TOKEN}@host/simple\n-f wheels\n',
  );
  expect(wishes).toEqual({
    prereleases: true,
    trustedHosts: ['a', 'b'],
    folders: ['wheels'],
    manyIndexes: true,
    variables: ['TOKEN'],
    pip: undefined,
  });
});

it.each([
  ['six --config-settings="a=b"', '--config-settings'],
  ['six --global-option=a', '--global-option'],
  ['-e hg+https://host/x#egg=x', 'hg+'],
  ['x @ svn+https://host/x', 'svn+'],
])('%j is left to pip', (line, what) => {
  expect(write(line).wishes.pip).toBe(what);
});

it('looks for a find-links folder next to the file first', () => {
  expect(write('-f wheels\n-f more\n-f ../gone\n', 'req/base.txt').wishes.folders).toEqual([
    'req/wheels',
    'more',
    'gone',
  ]);
});
