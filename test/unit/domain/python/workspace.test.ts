import { describe, expect, it } from 'vitest';
import { chooseDependencies, type Dependencies } from '../../../../src/domain/python/dependencies.js';
import { memberOf } from '../../../../src/domain/python/workspace.js';

const LOCK = `version = 1
[manifest]
members = ["dash", "core", "top"]
[[package]]
name = "top"
source = { virtual = "." }
[[package]]
name = "core"
source = { editable = "packages/core" }
[[package]]
name = "dash"
source = { virtual = "packages/dash" }
[[package]]
name = "inner"
source = { editable = "packages/dash/inner" }
[[package]]
name = "streamlit"
version = "1.64"
source = { registry = "https://pypi.org/simple" }
`;

const FILES = {
  'uv.lock': LOCK,
  'pyproject.toml': '[project]\nname = "top"\ndependencies = ["streamlit"]\n',
  'packages/dash/pyproject.toml': '[project]\nname = "dash"\ndependencies = ["streamlit", "core"]\n',
};

/** What is chosen for a main file in a folder. */
function choose(files: Record<string, string>, folder: string, named?: string): Dependencies {
  const project = { has: (file: string) => file in files, text: (file: string) => files[file] ?? '' };
  const list = named === undefined ? undefined : { file: named, where: 'the settings' };
  return chooseDependencies(project, list, 'refused', folder === '' ? [''] : [folder, '']);
}

describe('a workspace of uv', () => {
  it('names the innermost member that a folder belongs to', () => {
    const source = (place: Record<string, string>, name: string): object => ({ name, source: place });
    const lock = {
      manifest: { members: ['a', 'b'] },
      package: [
        source({ editable: 'libs/a' }, 'a'),
        source({ virtual: 'libs/a/b' }, 'b'),
        source({ editable: 'libs/a/b/c' }, 'no-member'),
        source({ virtual: '.' }, 'a'),
      ],
    };
    expect(memberOf(lock, 'libs/a/x')).toEqual({ name: 'a', folder: 'libs/a', isPackage: true });
    expect(memberOf(lock, 'libs/a/b/c')).toEqual({ name: 'b', folder: 'libs/a/b', isPackage: false });
    expect(memberOf(lock, 'libs/ab')).toBeUndefined();
    expect(memberOf({}, 'libs/a')).toBeUndefined();
  });

  it("is read from its lock at the top, for the main file's member", () => {
    for (const [folder, named] of [['packages/dash'], ['packages/dash/pages'], ['packages/dash', 'uv.lock']] as const) {
      expect(choose(FILES, folder, named)).toMatchObject({
        file: 'uv.lock',
        format: 'uv',
        member: { name: 'dash', folder: 'packages/dash', isPackage: false },
      });
    }
    expect(choose(FILES, '').member).toBeUndefined();
    expect(choose(FILES, 'scripts').member).toBeUndefined();
  });

  it("gives way to a list of the member's own", () => {
    expect(choose({ ...FILES, 'packages/dash/requirements.txt': 'streamlit\n' }, 'packages/dash').file).toBe('uv.lock');
    const { 'packages/dash/pyproject.toml': _, ...others } = FILES;
    const own = { ...others, 'packages/dash/requirements.txt': 'streamlit\n' };
    expect(choose(own, 'packages/dash').file).toBe('packages/dash/requirements.txt');
  });

  it("is refused where the lock lacks what the member's list names", () => {
    const files = { ...FILES, 'packages/dash/pyproject.toml': '[project]\nname = "dash"\ndependencies = ["pandas"]\n' };
    expect(() => choose(files, 'packages/dash')).toThrow(
      /lacks pandas, which pyproject\.toml requires\. Run "uv lock"/,
    );
  });
});
