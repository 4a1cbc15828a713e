import { expect, it } from 'vitest';
import { parse } from 'smol-toml';
import {
  checkSecrets,
  secretNames,
  secretsFile,
  secretValues,
  SECRETS_BYTES,
} from '../../../../src/domain/config/secrets.js';
import { Refusal } from '../../../../src/errors.js';

const AUTH = { redirectUri: 'https://apps.example.com/apps/a/oauth2callback', cookieSecret: 'the-cookie-secret' };

function refusal(text: string): Refusal {
  try {
    checkSecrets(text);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

it('a secrets.toml that is not TOML is refused with line and column, without its content', () => {
  const { code, message, status, field } = refusal('good = "hunter1"\n\nbad = hunter2 hunter3\n');
  expect([code, status, field]).toEqual(['secrets-invalid', 422, 'toml']);
  expect(message).toMatch(/^The secrets are not valid TOML \(line 3, column \d+\): [a-z -]+\.$/);
  expect(message).not.toMatch(/hunter/);
});

it('a secrets.toml that sets a key twice is refused', () => {
  expect(refusal('a = 1\na = 2\n').message).toContain('line 2, column 1');
});

it('a secrets.toml that is too large is refused', () => {
  expect(refusal(`a = "${'x'.repeat(SECRETS_BYTES)}"`).status).toBe(413);
});

it('a secrets.toml may be empty, or have comments only', () => {
  expect(() => checkSecrets('')).not.toThrow();
  expect(() => checkSecrets('# nothing yet\n')).not.toThrow();
});

it('a secrets.toml lists its names without values', () => {
  const names = secretNames(
    'key = "hunter2"\nlist = ["hunter3"]\nday = 1979-05-27\n[db]\npassword = "hunter4"\n[auth.google]\nid = 1\n[[many]]\na = 1\n',
  );
  expect(names).toEqual({ keys: ['day', 'key', 'list', 'many'], sections: ['auth', 'db'] });
});

it('a secrets.toml returns every text and number to mask, at any depth', () => {
  const text =
    'a = "one"\nn = 123456\nf = 1.5\nyes = true\n[b]\nc = ["two", ["three"]]\n[b.d]\ne = { f = "four" }\n[[g]]\nh = "five"\n';
  expect(secretValues(text).sort()).toEqual(['1.5', '123456', 'five', 'four', 'one', 'three', 'two']);
});

it('the secrets.toml of a process means what was set, even if that used newer TOML', () => {
  const text = `whole = 1
      float = 1.0
      big = 9223372036854775807
      text = "a \\"quoted\\" \\\\ \\u00e9 \\t text"
      lines = """
one
two"""
      when = 1979-05-27T07:32:00Z
      day = 1979-05-27
      "odd key" = true
      inline = {
        a = 1,
        b = [1, 2.0],
      }
      [[many]]
      name = "x"
      [many.inner]
      y = 'raw\\n'
      `;
  const written = secretsFile(text, AUTH);
  expect(parse(written, { integersAsBigInt: true })).toEqual(parse(text, { integersAsBigInt: true }));
  expect(written).toContain('float = 1.0');
  expect(written).toContain('whole = 1\n');
  // A line break within an inline table is not TOML 1.0.
  expect(written).not.toMatch(/\{[^}]*\n/);
});

it.each([
  ['[auth]\nclient_id = "x"\n'],
  ['auth.client_id = "x"\n'],
  ['auth = { client_id = "x" }\n'],
  ['[auth.google]\nclient_id = "x"\n'],
  ['[ "auth" ] # by hand\nclient_id = "x"\n[auth.google]\na = 1'],
])('the secrets.toml of a process gets missing keys of [auth]: %j', (text) => {
  const { auth } = parse(secretsFile(text, AUTH)) as { auth: Record<string, unknown> };
  expect(auth).toMatchObject({ redirect_uri: AUTH.redirectUri, cookie_secret: AUTH.cookieSecret });
});

it('the secrets.toml of a process keeps existing keys of [auth]', () => {
  const text = '[auth]\nredirect_uri = "https://own.example.com/oauth2callback"\ncookie_secret = "own"\n';
  expect(parse(secretsFile(text, AUTH))).toEqual(parse(text));
});

it('the secrets.toml of a process has the lines of a value as Python reads them, with any line endings', () => {
  const text = 'key = """\r\n-----BEGIN\r\nMII\r\n"""\r\n';
  expect(secretsFile(text, AUTH)).toBe('key = "-----BEGIN\\nMII\\n"\n');
  expect(secretValues(text)).toEqual(['-----BEGIN\nMII\n']);
});

it('the secrets.toml of a process gets no [auth] of its own', () => {
  expect(secretsFile('a = 1\n', AUTH)).toBe('a = 1\n');
  expect(secretsFile('auth = "a word"\n', AUTH)).toBe('auth = "a word"\n');
});
