import { expect, it } from 'vitest';
import { diffConfigs } from '../../../../src/domain/config/diff.js';

const none = { added: [], removed: [], changed: [] };

it('a config diff lists names, vars and secrets separately, and no values', () => {
  const from = {
    vars: { KEPT: 'one', OTHER: 'value-of-before', GONE: '3' },
    secretsToml: 'key = "x"\nold = 1\n\n[db]\npassword = "secret-of-before"\n',
  };
  const to = {
    vars: { NEW: '', OTHER: 'value-of-after', KEPT: 'one' },
    secretsToml: 'key = "x"\n\n[db]\npassword = "secret-of-after"\n\n[mail]\nhost = "h"\n',
  };
  const diff = diffConfigs(from, to);
  expect(diff).toEqual({
    vars: { added: ['NEW'], removed: ['GONE'], changed: ['OTHER'] },
    secrets: { added: ['mail'], removed: ['old'], changed: ['db'] },
  });
  expect(JSON.stringify(diff)).not.toMatch(/before|after/);
});

it('a config diff is empty if only the formatting differs', () => {
  expect(
    diffConfigs(
      { vars: { A: '1', B: '2' }, secretsToml: '# why\ndb = { a = 1, b = 1.0 }\n' },
      { vars: { B: '2', A: '1' }, secretsToml: '[db]\na = 1\nb = 1.0\n' },
    ),
  ).toEqual({ vars: none, secrets: none });
});

it('a config diff notices a number of another type', () => {
  expect(
    diffConfigs({ vars: {}, secretsToml: 'a = 1\n' }, { vars: {}, secretsToml: 'a = 1.0\n' }).secrets.changed,
  ).toEqual(['a']);
});

it('a config diff handles odd names', () => {
  const odd = {
    vars: Object.fromEntries([
      ['__proto__', '1'],
      ['constructor', '2'],
    ]),
    secretsToml: '',
  };
  expect(diffConfigs({ vars: {}, secretsToml: '' }, odd).vars).toEqual({
    ...none,
    added: ['__proto__', 'constructor'],
  });
});
