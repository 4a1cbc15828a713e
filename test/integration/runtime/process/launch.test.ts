import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { scratch } from '../../../helpers/ends.js';
import { writeFiles } from '../../../helpers/files.js';
import { ROOT } from '../../../helpers/host.js';

/** What Python says of a package once the launcher has looked at a project; the error's name where it knows none. */
async function versionOf(name: string, files: Record<string, string>): Promise<string> {
  const project = await scratch('project-');
  await writeFiles(project, files);
  const code = [
    'import sys',
    'sys.path.insert(0, sys.argv[1])',
    'import importlib.metadata as metadata, launch',
    'launch.describe_project(sys.argv[2])',
    'try:',
    '    print(metadata.version(sys.argv[3]), metadata.metadata(sys.argv[3])["Name"])',
    'except Exception as error:',
    '    print(type(error).__name__)',
    'assert len(list(metadata.distributions())) > 0',
  ].join('\n');
  const argv = ['-B', '-c', code, join(ROOT, 'python'), project, name];
  return execFileSync('python3', argv, { encoding: 'utf8', cwd: project }).trim();
}

const table = (text: string): Record<string, string> => ({ 'pyproject.toml': text });

describe('the metadata of a project that is not installed', () => {
  it.each<[string, string, Record<string, string>, string]>([
    ['names a version', 'my-shop', table('[project]\nname = "My.Shop"\nversion = "1.2"\n'), '1.2 My.Shop'],
    ['are of Poetry', 'my_shop', table('[tool.poetry]\nname = "my-shop"\nversion = "0.1.0"\n'), '0.1.0 my-shop'],
    [
      'leave the version to a package in src',
      'my-shop',
      {
        ...table('[project]\nname = "my-shop"\ndynamic = ["version"]\n'),
        'src/my_shop/__init__.py': '"""A shop."""\n\n__version__: str = "2.0rc1"\n',
      },
      '2.0rc1 my-shop',
    ],
    [
      'leave the version to a file next to the code',
      'shop',
      { ...table('[project]\nname = "shop"\n'), 'shop/__init__.py': '', 'shop/_version.py': "version = '3.1'\n" },
      '3.1 shop',
    ],
    ['leave the version to git', 'shop', table('[project]\nname = "shop"\n'), '0+unknown shop'],
  ])('is there where its settings %s', async (_, name, files, expected) => {
    expect(await versionOf(name, files)).toBe(expected);
  });

  it('stays away from other packages', async () => {
    const settings = table('[project]\nname = "shop"\nversion = "1.2"\n');
    expect(await versionOf('other', settings)).toBe('PackageNotFoundError');
    const pip = table('[project]\nname = "pip"\nversion = "0.0.1"\n');
    expect(await versionOf('pip', pip)).not.toContain('0.0.1');
  });

  it.each<[string, Record<string, string>]>([
    ['no settings', {}],
    ['settings without a name', table('[tool.ruff]\nline-length = 120\n')],
    ['settings that are not TOML', table('[project\n')],
    ['a name of several lines', table('[project]\nname = "shop\\nVersion: 9"\n')],
  ])('is missing where the project has %s', async (_, files) => {
    expect(await versionOf('shop', files)).toBe('PackageNotFoundError');
  });
});
