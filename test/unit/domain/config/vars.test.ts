import { expect, it } from 'vitest';
import { checkVarName, checkVars, mergeVars, VAR_LIMITS } from '../../../../src/domain/config/vars.js';
import { streamlitEnvironment } from '../../../../src/domain/streamlit/streamlit.js';
import { Refusal } from '../../../../src/errors.js';

/** How a call is refused. */
function refusal(work: () => void): Refusal {
  try {
    work();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

it.each(['API_KEY', 'a', '_private', 'Mixed_Case_9', 'STREAMLIT_THEME_BASE', 'STREAMLITX', 'PATHS', 'A'.repeat(100)])(
  'the name of a config var may be %s',
  (name) => {
    expect(() => checkVarName(name)).not.toThrow();
  },
);

it.each(['', '9A', 'A-B', 'A B', 'A=B', 'É', 'A.B', 'A\n', 'A\0', 'A'.repeat(101)])(
  'the name of a config var is refused if no shell could use it: %j',
  (name) => {
    const { code, message, kind, field } = refusal(() => checkVarName(name));
    expect(code).toBe('var-name-invalid');
    expect(kind).toBe('invalid');
    expect(message).toMatch(
      /^".*" is not a valid name for a config var\. Use up to 100 letters, digits and "_", not starting with a digit\.$/,
    );
    expect(field).toMatch(/^vars\./);
  },
);

it.each([
  'PATH',
  'HOME',
  'VIRTUAL_ENV',
  'PYTHONHOME',
  'STREAMLIT_SERVER_PORT',
  'STREAMLIT_HOST_APP',
  'STREAMLIT_HOST_',
  'STREAMLIT_SECRETS_FILES',
  '__proto__',
])('the name of a config var is refused with a sentence if the server sets it: %s', (name) => {
  const { code, message } = refusal(() => checkVarName(name));
  expect(code).toBe('var-name-reserved');
  expect(message).toMatch(new RegExp(`^The name ${name} is reserved: [^:].*\\.$`));
});

it('the name of a config var is refused for every setting that the server passes to Streamlit', () => {
  const own = streamlitEnvironment({
    identity: false,
    port: 1,
    basePath: 'apps/a',
    publicHost: 'h',
    disconnectedSessionTtl: 1,
    publicPort: 1,
    chosen: {},
    limits: { uploadMb: 1, messageMb: 1 },
    cookieSecret: 's',
  });
  expect(Object.keys(own).length).toBeGreaterThan(5);
  const free = [
    'STREAMLIT_SERVER_MAX_UPLOAD_SIZE',
    'STREAMLIT_SERVER_MAX_MESSAGE_SIZE',
    'STREAMLIT_CLIENT_TOOLBAR_MODE',
  ];
  expect(Object.keys(own)).toEqual(expect.arrayContaining(free));
  for (const name of free) expect(() => checkVarName(name)).not.toThrow();
  for (const name of Object.keys(own).filter((one) => !free.includes(one)))
    expect(refusal(() => checkVarName(name)).code).toBe('var-name-reserved');
});

it('the values of config vars may be empty, long, multi-line and in any language', () => {
  expect(() =>
    checkVars({ A: '', B: 'x'.repeat(VAR_LIMITS.valueBytes), C: 'a\nb\r\nc', D: 'schlüssel 鍵 🔑' }),
  ).not.toThrow();
});

it('the values of config vars are refused without being quoted', () => {
  const nul = refusal(() => checkVars({ TOKEN: 'hunter2\0' }));
  expect([nul.code, nul.field]).toEqual(['var-value-invalid', 'vars.TOKEN']);
  expect(nul.message).not.toContain('hunter2');
  const long = refusal(() => checkVars({ TOKEN: 'hunter2'.repeat(10_000) }));
  expect([long.code, long.kind]).toEqual(['vars-too-large', 'too-large']);
  expect(long.message).not.toContain('hunter2');
});

it('the values of config vars are counted in bytes, not in characters', () => {
  expect(refusal(() => checkVars({ A: '鍵'.repeat(VAR_LIMITS.valueBytes / 2) })).code).toBe('vars-too-large');
});

it('the values of config vars are refused if there are too many, or too much in total', () => {
  const many = Object.fromEntries(Array.from({ length: VAR_LIMITS.count + 1 }, (_, at) => [`A${at}`, '']));
  expect(refusal(() => checkVars(many)).field).toBe('vars');
  const much = Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`A${at}`, 'x'.repeat(VAR_LIMITS.valueBytes)]));
  expect(refusal(() => checkVars(much)).field).toBe('vars');
});

it('a change of config vars sets, replaces and removes, and does not modify its input', () => {
  const before = { KEEP: '1', CHANGE: '2', GO: '3' };
  expect(mergeVars(before, { CHANGE: 'two', GO: null, NEW: '4', NEVER: null })).toEqual({
    CHANGE: 'two',
    KEEP: '1',
    NEW: '4',
  });
  expect(before).toEqual({ KEEP: '1', CHANGE: '2', GO: '3' });
});

it('changed config vars are sorted by name', () => {
  expect(Object.keys(mergeVars({ B: '', A: '' }, { a: '', _: '' }))).toEqual(['A', 'B', '_', 'a']);
});
