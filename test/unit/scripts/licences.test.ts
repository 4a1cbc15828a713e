import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { licencesOf, packageOf } from '../../../scripts/lib/licences.js';

const folder = mkdtempSync(join(tmpdir(), 'licences-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const MIT = 'MIT License\n\nCopyright (c) 2026 us\n\nPermission is granted.\n';

function library(name: string, facts: object, files: Record<string, string> = {}): string {
  const place = join(folder, 'node_modules', name);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, 'package.json'), JSON.stringify({ name, version: '1.0.0', ...facts }));
  for (const [file, text] of Object.entries(files)) writeFileSync(join(place, file), text);
  return place;
}

it.each([
  ['/a/node_modules/b/c/d.js', '/a/node_modules/b'],
  ['/a/node_modules/@b/c/d.js', '/a/node_modules/@b/c'],
  ['/a/node_modules/b/node_modules/c/d.js', '/a/node_modules/b/node_modules/c'],
  ['/a/src/b.ts', undefined],
])('the file %s belongs to the package %s', (file, expected) => {
  expect(packageOf(file)).toBe(expected);
});

it('each package is listed once, with its licence and its notice', () => {
  const [b, a] = [
    library('b', { license: 'Apache-2.0' }, { LICENSE: 'Apache\n', 'NOTICE.txt': 'By them\n', 'README.md': 'no' }),
    library('@a/a', { license: 'ISC' }, { 'licence.md': 'ISC text' }),
  ];
  expect(licencesOf([b, a, b], MIT)).toBe(
    `@a/a 1.0.0 (ISC)\n\nISC text\n\n${'-'.repeat(80)}\n\nb 1.0.0 (Apache-2.0)\n\nApache\n\nBy them\n`,
  );
});

it('a package that only names the MIT licence gets its text, with its author', () => {
  const named = library('named', { license: 'MIT', author: 'Ada <ada@example.com>' });
  expect(licencesOf([named], MIT)).toContain('Copyright (c) Ada <ada@example.com>\n\nPermission is granted.');
  const unnamed = library('unnamed', { licenses: [{ type: 'MIT' }] });
  expect(licencesOf([unnamed], MIT)).toContain('Copyright (c) the authors of unnamed\n');
});

it.each([{}, { license: 'Apache-2.0' }])('a package without the text of its licence is refused: %j', (facts) => {
  expect(() => licencesOf([library('bare', facts)], MIT)).toThrow('bare has no licence.');
});
