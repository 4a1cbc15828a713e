import { expect, it } from 'vitest';
import { requirementLine, type Wanted } from '../../../../src/domain/python/wanted.js';

const lineOf = (wanted: Wanted, name = 'pkg'): string => requirementLine('Pipfile', name, wanted);

it.each<[Wanted, string]>([
  [{}, 'pkg'],
  [{ specifier: '>=1,<2' }, 'pkg>=1,<2'],
  [{ extras: ['a', 'b'], specifier: '==1' }, 'pkg[a,b]==1'],
  [{ markers: ['python_version < "3.9"'] }, 'pkg ; python_version < "3.9"'],
  [{ markers: [undefined, ' ', 'a == "b"'] }, 'pkg ; a == "b"'],
  [{ markers: ['a == "b"', 'c == "d" or e == "f"'] }, 'pkg ; (a == "b") and (c == "d" or e == "f")'],
  [{ url: 'https://x/p.whl' }, 'pkg @ https://x/p.whl'],
  [{ git: 'https://x/p.git', ref: 'main' }, 'pkg @ git+https://x/p.git@main'],
  [{ git: 'git@x:o/p.git', subdirectory: 'lib' }, 'pkg @ git+ssh://git@x/o/p.git#subdirectory=lib'],
  [{ git: 'git+https://x/p.git' }, 'pkg @ git+https://x/p.git'],
  [{ path: 'lib', extras: ['a'] }, './lib[a]'],
  [{ path: '../lib' }, '../lib'],
])('%j is formatted as %s', (wanted, line) => {
  expect(lineOf(wanted)).toBe(line);
});

it.each<[string, Wanted]>([
  ['a\nb', {}],
  ['-r other.txt', {}],
  ['', {}],
  ['pkg', { specifier: '==1\n--index-url https://evil.example' }],
  ['pkg', { url: 'https://x/p.whl #comment' }],
  ['pkg', { path: 'lib\u0000' }],
])('exactly one requirement gets into the list: %j with %j is refused', (name, wanted) => {
  expect(() => lineOf(wanted, name)).toThrow(expect.objectContaining({ code: 'requirements-unsupported' }));
});
