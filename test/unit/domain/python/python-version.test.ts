import { describe, expect, it } from 'vitest';
import { choosePython, parsePythonWish, readPythonVersionFile } from '../../../../src/domain/python/python-version.js';

const FILE = '.python-version';

describe('parsePythonWish', () => {
  it.each([
    ['3.11', '==3.11.*', undefined],
    ['3.11.4', '==3.11.*', '3.11.4'],
    ['python-3.11.4', '==3.11.*', '3.11.4'],
    ['cpython@3.12', '==3.12.*', undefined],
    ['3', '==3.*', undefined],
    ['>=3.10,<3.13', '>=3.10,<3.13', undefined],
    [' 3.13\n', '==3.13.*', undefined],
  ])('of %j returns %s', (text, specifier, exact) => {
    const wish = parsePythonWish(FILE, text);
    expect([wish.specifier, wish.exact]).toEqual([specifier, exact]);
  });

  it.each(['pypy3.10', '3.13t', 'myenv', '', '3.x', '--help', '3.11\u001b[31m'])(
    'refuses %j with a sentence',
    (text) => {
      expect(() => parsePythonWish(FILE, text)).toThrow(
        expect.objectContaining({ code: 'python-invalid', field: FILE }),
      );
      expect(() => parsePythonWish(FILE, text)).toThrow(
        /^"[^\p{Cc}]*" in \.python-version is not a CPython version\. /u,
      );
    },
  );

  it.each(['3.8', '2.7.18', '<3.9', '~=3.8.1', '==3.7.*'])('refuses %j, which is too old', (text) => {
    expect(() => parsePythonWish(FILE, text)).toThrow(expect.objectContaining({ code: 'python-too-old' }));
  });
});

describe('readPythonVersionFile', () => {
  it.each([
    ['\uFEFF# ours\r\n\r\n3.11 # the old one\r\n3.12\r\n', '3.11'],
    ['3.9', '3.9'],
    ['python-3.12.1\n', '3.12.1'],
  ])('of %j returns %s', (text, wanted) => {
    expect(readPythonVersionFile(FILE, text)?.text).toBe(wanted);
  });

  it.each(['', '# nothing\n', 'system\n'])('of %j returns nothing', (text) => {
    expect(readPythonVersionFile(FILE, text)).toBeUndefined();
  });
});

describe('choosePython', () => {
  const usual = { version: '3.11.2', executable: '/usr/bin/python3' };
  const there = ['3.13.0', '3.12.1', '3.11.7', '3.11.2', '3.8.18', '3.9.18'].map((version) => ({
    version,
    executable: `/py/${version}`,
  }));
  const chosen = (text: string): string[] => {
    const { python, note } = choosePython(parsePythonWish(FILE, text), there, usual);
    return [python.executable, note];
  };

  it('uses the exact version if it is installed', () => {
    expect(chosen('3.11.7')).toEqual(['/py/3.11.7', 'Python 3.11.7, as required by .python-version (3.11.7).']);
  });

  it('uses the default version if it matches, else the newest that does', () => {
    expect(chosen('3.11')[0]).toBe('/usr/bin/python3');
    expect(chosen('>=3.9')[0]).toBe('/usr/bin/python3');
    expect(chosen('>=3.12')).toEqual(['/py/3.13.0', 'Python 3.13.0, as required by .python-version (>=3.12).']);
  });

  it('accepts another patch version, and says so', () => {
    expect(chosen('python-3.12.9')).toEqual([
      '/py/3.12.1',
      'Python 3.12.1, the closest one installed to 3.12.9, which .python-version requires.',
    ]);
  });

  it.each([
    ['requires-python', '==3.12.9', undefined],
    ["Poetry's python", '3.12.9', '==3.12.9'],
    ["conda's python", '==3.12.9', '==3.12.*'],
  ])('accepts another patch version for %s as well', (_file, text, meaning) => {
    const { python, note } = choosePython(parsePythonWish(FILE, text, meaning), there, usual);
    expect([python.executable, note]).toEqual([
      '/py/3.12.1',
      'Python 3.12.1, the closest one installed to 3.12.9, which .python-version requires.',
    ]);
    expect(parsePythonWish(FILE, '==3.11').specifier).toBe('==3.11.*');
  });

  it('refuses a version that is not installed, and lists those that are', () => {
    expect(() => chosen('3.10')).toThrow(
      '.python-version requires Python 3.10, which is not installed on this server. Installed: 3.13.0, 3.12.1, 3.11.7, 3.11.2, 3.9.18. Require one of those, or ask the operator to install it.',
    );
    expect(() => chosen('3.10')).toThrow(expect.objectContaining({ code: 'python-missing', field: FILE }));
  });
});
