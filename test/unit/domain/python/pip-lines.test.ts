import { expect, it } from 'vitest';
import { pipLines, shellWords } from '../../../../src/domain/python/pip-lines.js';

/** Each line as its requirement and its options. */
const said = (text: string): unknown[] =>
  pipLines(text).map(({ requirement, options }) => [
    requirement,
    ...options.map(({ name, value }) => `${name}=${value}`),
  ]);

it.each<[string, unknown[]]>([
  ['six \\\r\n  ==1.17\r\n', [['six ==1.17']]],
  ['stream\\\nlit\n', [['streamlit']]],
  ['six \\\n# why\nseven\n', [['six'], ['seven']]],
  ['six#1 # why\n', [['six#1']]],
  ['six==1 --hash=sha256:a \\\n  --hash sha256:b\n', [['six==1', '--hash=sha256:a', '--hash=sha256:b']]],
  ['-rmore.txt\n', [['', '--requirement=more.txt']]],
  ['-r "my file.txt" # ours\n', [['', '--requirement=my file.txt']]],
  [
    "-r my\\ file.txt\n--requirem 'a b'\n",
    [
      ['', '--requirement=my file.txt'],
      ['', '--requirement=a b'],
    ],
  ],
  ['-i https://a --extra https://b\n', [['', '--index-url=https://a', '--extra-index-url=https://b']]],
  ['--pre six\n', [['', '--pre=']]],
  ['six\u2028seven\u000beight', [['six'], ['seven'], ['eight']]],
])('reads %j as pip does', (text, lines) => {
  expect(said(text)).toEqual(lines);
});

it.each(['--pr\n', '--pre=yes\n', '-r\n', '-r "a\n', '--upgrade six\n', '-x\n'])(
  'knows that pip does not accept %j',
  (text) => {
    expect(pipLines(text).flatMap(({ options }) => options.filter(({ known }) => !known))).toHaveLength(1);
  },
);

it('numbers lines by their first one', () => {
  expect(pipLines('\n# a\nsix \\\n ==1\n\nseven').map(({ number }) => number)).toEqual([3, 6]);
});

it.each<[string, string[] | undefined]>([
  ['a  b', ['a', 'b']],
  ['"" a', ['', 'a']],
  ['"a \\" b" c\\\\d', ['a " b', 'c\\d']],
  ["'a\\b'", ['a\\b']],
  ['"a\\b"', ['a\\b']],
  ['a\\', undefined],
  ["'a", undefined],
])('splits %j as a shell does', (text, words) => {
  expect(shellWords(text)).toEqual(words);
});
