import { expect, it } from 'vitest';
import { parseEnvFile } from '../../../../src/domain/config/env-file.js';
import { Refusal } from '../../../../src/errors.js';

it.each<[string, Record<string, string>]>([
  ['A=1\nB=two words\n', { A: '1', B: 'two words' }],
  ['# a comment\n\n  \nexport A = 1  # why\r\nB=2', { A: '1', B: '2' }],
  ['A=\nB=""\nC=#none', { A: '', B: '', C: '' }],
  ['PASSWORD=pa#ss=w"ord', { PASSWORD: 'pa#ss=w"ord' }],
  ['A="x # y"  # z\nB=\'$HOME \\n\'\nC=`it\'s "so"`', { A: 'x # y', B: '$HOME \\n', C: `it's "so"` }],
  ['KEY="-----BEGIN\nabc\n-----END"\nB=2', { KEY: '-----BEGIN\nabc\n-----END', B: '2' }],
  ['A="one\\ntwo \\"three\\" \\\\ \\$"', { A: 'one\ntwo "three" \\ \\$' }],
  ['A=1\nA=2', { A: '2' }],
  ['\ufeffA=1', { A: '1' }],
])('an .env file with %j is parsed', (text, vars) => {
  expect(parseEnvFile(text)).toEqual(vars);
});

it("an .env file is refused with the invalid line's number, without its content", () => {
  for (const [text, says] of [
    ['A=1\n\nnothing-here-secret\nB=2', /Line 3 does not have the form NAME=value/],
    ['A="x\ny"\n=secret', /Line 3 does not/],
    ['A=1\nB="secret\nC=3', /Line 2 has a quoted value/],
    ['B="a" secret', /Line 1 has a quoted value/],
    ['# only a comment', /no line of the form/],
  ] as const) {
    expect(() => parseEnvFile(text)).toThrow(Refusal);
    expect(() => parseEnvFile(text)).toThrow(says);
    expect(() => parseEnvFile(text)).not.toThrow(/secret/);
  }
});
