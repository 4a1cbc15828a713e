import { posix, win32 } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Refusal } from '../../../../src/errors.js';
import { isLeftOut } from '../../../../src/lib/left-out.js';
import { checkTree, safePath, withoutTopFolder } from '../../../../src/web/upload/path.js';

describe('a path from outside', () => {
  test.each([
    ['app.py', 'app.py'],
    ['./app.py', 'app.py'],
    ['pages//1_Überblick.py', 'pages/1_Überblick.py'],
    ['pages/2_📈 統計.py', 'pages/2_📈 統計.py'],
    ['a/./b/', 'a/b'],
    ['..hidden/x..y', '..hidden/x..y'],
    ['é.py'.normalize('NFD'), 'é.py'.normalize('NFC')],
  ])('%j is accepted as %j', (name, path) => {
    expect(safePath(name, 'files')).toBe(path);
  });

  test.each([
    '',
    '.',
    './',
    '/',
    '/etc/passwd',
    '../x',
    'a/../../x',
    'a/..',
    '..\\x',
    'a\\b',
    'C:/x',
    'c:x',
    'a\0b',
    'a\nb',
    '\u0085',
    '\ud800',
    'x'.repeat(256),
    'a/'.repeat(600) + 'a',
  ])('%j is refused, naming the field', (name) => {
    expect(() => safePath(name, 'archive')).toThrow(
      expect.objectContaining({ code: 'path-unsafe', field: 'archive', status: 422 }) as Error,
    );
  });

  test('never leads out of its folder, on any system', () => {
    const part = fc.constantFrom(
      '..',
      '.',
      '',
      'a',
      '..a',
      'a..',
      '.git',
      '...',
      'C:',
      '~',
      ' ',
      '\\',
      '%2e%2e',
      '‥',
      '\u2024\u2024',
      'é',
    );
    const name = fc.oneof(
      fc.array(part, { maxLength: 8 }).map((parts) => parts.join('/')),
      // Any character, and halves of one. (fast-check's own unit for that takes a second to be made.)
      fc.string({ unit: fc.nat(0x10ffff).map((code) => String.fromCodePoint(code)) }),
      fc.string(),
    );
    fc.assert(
      fc.property(name, (each) => {
        let path: string;
        try {
          path = safePath(each, 'files');
        } catch (error) {
          return error instanceof Refusal;
        }
        return (
          posix.resolve('/app', path).startsWith('/app/') &&
          win32.resolve('C:\\app', path).startsWith('C:\\app\\') &&
          posix.normalize(path) === path &&
          safePath(path, 'files') === path
        );
      }),
      { numRuns: 2_000 },
    );
  });
});

test('caches, environments and files of git and macOS are skipped, in any case', () => {
  for (const path of [
    '.git/config',
    'x/.git/HEAD',
    '.GIT/config',
    '.git',
    'venv/bin/python',
    '.venv/x',
    'a/__pycache__/b.pyc',
    '__MACOSX/._app.py',
    '.DS_Store',
    'pages/.DS_Store',
  ]) {
    expect(isLeftOut(path), path).toBe(true);
  }
  for (const path of ['app.py', '.gitignore', '.github/x', 'venv', 'myvenv/x', '.streamlit/config.toml'])
    expect(isLeftOut(path), path).toBe(false);
});

test('one folder around everything is removed, and only one', () => {
  expect(withoutTopFolder(['p/app.py', 'p/pages/a.py'])).toEqual(['app.py', 'pages/a.py']);
  expect(withoutTopFolder(['p/q/app.py'])).toEqual(['q/app.py']);
  expect(withoutTopFolder(['p/app.py', 'pp/a.py'])).toEqual(['p/app.py', 'pp/a.py']);
  expect(withoutTopFolder(['app.py', 'pages/a.py'])).toEqual(['app.py', 'pages/a.py']);
  expect(withoutTopFolder([])).toEqual([]);
});

test('a duplicate file, or a path that is both a file and a folder, is refused', () => {
  expect(() => checkTree(['a', 'b', 'a'], 'archive')).toThrow('appears twice');
  expect(() => checkTree(['a/b/c', 'a/b'], 'archive')).toThrow('a file and a folder');
  expect(() => checkTree(['a', 'A', 'ab/c', 'a.py'], 'archive')).not.toThrow();
});
