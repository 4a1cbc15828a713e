import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { localParts, pathOf, type LocalParts } from '../../../src/environments/local-parts.js';
import { writeFiles } from '../../helpers/files.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'local-parts-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** What counts of a project with these files, those of before included. */
async function parts(
  lines: string[],
  files: Record<string, string>,
  links: string[] = [],
): Promise<LocalParts | undefined> {
  await writeFiles(folder, files);
  return localParts(lines, links, folder);
}

const PROJECT = '[project]\nname = "shop"\nversion = "1"\n';

describe('pathOf', () => {
  it.each([
    ['-e .', '.'],
    ['.', '.'],
    ['.[plot,web]', '.'],
    ['-e ./libs/own/[web] ; python_version > "3"', 'libs/own'],
    ['own @ file:./dist/own-1.0.whl', 'dist/own-1.0.whl'],
    ['own[web] @ ./libs/own', 'libs/own'],
    ['dist/own-1.0.whl --hash=sha256:00', 'dist/own-1.0.whl'],
    ['file:libs/own', 'libs/own'],
  ])('finds the path in %s', (line, path) => {
    expect(pathOf(line)).toBe(path);
  });

  it.each([
    '../own',
    '-e ..',
    '/srv/own',
    'file:///srv/own',
    '~/own',
    './a%20b',
    '.#egg=own',
    './${NAME}',
    'C:\\own',
    '',
  ])('finds none in %s', (line) => {
    expect(pathOf(line)).toBeUndefined();
  });
});

describe('localParts', () => {
  it('does not count the code of a project whose settings say everything', async () => {
    const before = await parts(['-e .'], { 'pyproject.toml': PROJECT, 'src/shop/__init__.py': '1', 'README.md': '1' });
    expect(before?.folders).toEqual(['.']);
    const after = await parts(['-e .'], { 'src/shop/__init__.py': '2', 'src/shop/new.py': '', 'README.md': '2' });
    expect(after).toEqual(before);
    expect(await parts(['-e .'], { 'pyproject.toml': `${PROJECT}dependencies = ["six"]\n` })).not.toEqual(before);
  });

  it.each<[string, Record<string, string>]>([
    ['a dynamic version', { 'pyproject.toml': '[project]\nname = "shop"\ndynamic = ["version"]\n' }],
    ['a setup.py', { 'setup.py': '' }],
    ['an attribute in setup.cfg', { 'setup.cfg': '[metadata]\nversion = attr: shop.__version__\n' }],
  ])('counts where a version may stand, and files beside the settings, for %s', async (_what, settings) => {
    const before = await parts(['.'], { ...settings, 'src/shop/__init__.py': '1', 'src/shop/a.py': '1', VERSION: '1' });
    expect(await parts(['.'], { 'src/shop/a.py': '2' })).toEqual(before);
    expect(await parts(['.'], { 'src/shop/__init__.py': '2' })).not.toEqual(before);
    expect(await parts(['.'], { 'src/shop/__init__.py': '1', VERSION: '2' })).not.toEqual(before);
  });

  it('counts a file by its content, and all files of a folder of packages', async () => {
    const files = { 'dist/own.whl': '1', 'wheels/a.whl': '1' };
    const before = await parts(['./dist/own.whl'], files, ['wheels']);
    expect(before?.folders).toEqual([]);
    expect(await parts(['./dist/own.whl'], { 'app.py': '1' }, ['wheels'])).toEqual(before);
    expect(await parts(['./dist/own.whl'], { 'wheels/b.whl': '1' }, ['wheels'])).not.toEqual(before);
    expect(await parts(['./dist/own.whl'], { 'dist/own.whl': '2' }, ['wheels'])).not.toEqual(before);
  });

  it('knows nothing of projects that bring their own build, of links, and of what is missing or not plain', async () => {
    await writeFiles(folder, {
      'own/pyproject.toml': '[build-system]\nrequires = []\nbackend-path = ["."]\n',
      'bad/pyproject.toml': '[',
      'none/app.py': '',
    });
    await symlink('own', join(folder, 'link'));
    for (const line of ['./own', './bad', './none', './link', './missing', '..'])
      expect(await parts([line], {})).toBeUndefined();
    expect(await parts([], {}, ['missing'])).toBeUndefined();
  });

  it('gives up where it would have to look at too much', async () => {
    const many = Object.fromEntries(Array.from({ length: 2_001 }, (_, at) => [`src/${at}.txt`, '']));
    expect(await parts(['.'], { 'setup.py': '', ...many })).toBeUndefined();
  });
});
