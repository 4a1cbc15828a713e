import { describe, expect, it } from 'vitest';
import { changeLayout, listOf, plainPath } from '../../../../src/domain/project/layout.js';

describe('changeLayout', () => {
  it('keeps what is left out, and takes back what is empty', () => {
    const layout = { main: 'dash/app.py', root: 'a' };
    expect(changeLayout(layout, {})).toEqual(layout);
    expect(changeLayout(layout, { main: ' ', dependencies: './r.txt' })).toEqual({ root: 'a', dependencies: 'r.txt' });
    expect(changeLayout(layout, { main: './x/y.py', root: 'b/' })).toEqual({ main: 'x/y.py', root: 'b' });
  });

  it.each([
    ['main', '../app.py'],
    ['main', '/app.py'],
    ['main', '-x.py'],
    ['main', 'a\\b.py'],
    ['main', 'a\0.py'],
    ['main', 'a//b.py'],
    ['main', 'app.ipynb'],
    ['main', `${'a'.repeat(500)}.py`],
    ['root', '..'],
    ['root', 'a/../../b'],
    ['root', '.git'],
    ['root', 'a/.GIT/hooks'],
    ['dependencies', 'setup.py'],
    ['dependencies', '../requirements.txt'],
  ] as const)('refuses the %s %j', (key, path) => {
    expect(() => changeLayout({}, { [key]: path })).toThrow(
      expect.objectContaining({ code: 'layout-invalid', field: key, kind: 'invalid' }) as Error,
    );
  });
});

it('a path is the same however it is written', () => {
  for (const text of ['a/b', './a/b', ' a/b/ ', './/a/b//']) expect(plainPath(text)).toBe('a/b');
  for (const text of ['', '.', './', ' ']) expect(plainPath(text)).toBe('');
});

it('a list of packages is known by its name', () => {
  expect(['requirements/prod.txt', 'a/Pipfile.lock', 'conda.yaml', 'reqs.in', 'setup.cfg'].map(listOf)).toEqual([
    'requirements.txt',
    'Pipfile.lock',
    'environment.yml',
    'requirements.txt',
    undefined,
  ]);
});
