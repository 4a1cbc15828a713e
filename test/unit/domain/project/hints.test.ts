import { describe, expect, it } from 'vitest';
import { hints, keysInCode, missingKeys } from '../../../../src/domain/project/hints.js';

/** What is asked for without a way out, as it stands in the code. */
function asked(code: string): string[] {
  const { asks } = keysInCode(code);
  return asks.filter(({ optional }) => !optional).map(({ kind, name, text }) => `${kind} ${name}: ${text}`);
}

describe('keys that code reads', () => {
  it.each([
    ['st.secrets["db"]', 'secret db: st.secrets["db"]'],
    ["st.secrets['db']['password']", 'secret db: st.secrets["db"]'],
    ['st.secrets.db.password', 'secret db: st.secrets.db'],
    ['streamlit . secrets [ "db" ]', 'secret db: streamlit.secrets["db"]'],
    ['st.secrets.get("db")', 'secret db: st.secrets.get("db")'],
    ['st.secrets[\n    "db"  # here\n]', 'secret db: st.secrets["db"]'],
    ['from streamlit import secrets\nsecrets["db"]', 'secret db: secrets["db"]'],
    ['os.environ["KEY"]', 'env KEY: os.environ["KEY"]'],
    ['os.environ.get("KEY")', 'env KEY: os.environ.get("KEY")'],
    ['os.getenv("KEY")', 'env KEY: os.getenv("KEY")'],
    ['from os import (\n  environ,\n  getenv,\n)\ngetenv("KEY")', 'env KEY: getenv("KEY")'],
    ['from os import path, environ as e, environ\nenviron["KEY"]', 'env KEY: environ["KEY"]'],
    ['f(r"raw", u"", os.environ[r"KEY"])', 'env KEY: os.environ["KEY"]'],
    ['if os.environ["KEY"] == "a": pass', 'env KEY: os.environ["KEY"]'],
  ])('are found in %j', (code, found) => {
    expect(asked(`import os\nimport streamlit as st\n${code}\n`)).toEqual([found]);
  });

  it.each([
    ['# st.secrets["db"]'],
    ['"""\nst.secrets["db"]\n"""'],
    ["'''os.environ[\"KEY\"]'''"],
    ['"use st.secrets[\'db\'] or os.environ"'],
    ['my.st.secrets["db"]'],
    ['test.secrets["db"]'],
    ['secrets["db"]'],
    ['import secrets\nsecrets.token_hex()'],
    ['environ["KEY"]'],
    ['st.secrets[name]'],
    ['st.secrets[f"db_{name}"]'],
    ['st.secrets["a" + name]'],
    ['os.environ[b"KEY"]'],
    ['st.secrets.items()'],
    ['st.secrets.to_dict()'],
    ['st.secrets._parse()'],
    ['os.environ["KEY"] = "1"'],
    ['os.environ.copy()'],
    ['st.secrets.get("db", None)'],
    ['os.getenv("KEY", "default")'],
    ['os.environ.get("KEY", "")'],
  ])('are not seen in %j', (code) => {
    expect(asked(`${code}\n`)).toEqual([]);
  });

  it('come with their line, whatever strings and comments precede them', () => {
    const { asks } = keysInCode('"""\na\n"""\n# st\nx = \'it\\\'s\'\n\ny = st.secrets["db"]\n');
    expect(asks).toMatchObject([{ name: 'db', line: 7 }]);
  });
});

describe('a hint', () => {
  const files = (code: string): Map<string, ReturnType<typeof keysInCode>> => new Map([['app.py', keysInCode(code)]]);

  it('names the file and the key, once', () => {
    const code = 'st.secrets["db"]\nst.secrets["db"]\nst.secrets.db\nos.environ["API_KEY"]\n';
    expect(hints(files(code), { vars: [], secretsToml: '' })).toEqual([
      `hint: app.py reads st.secrets["db"], which is not set. Add it to the app's secrets.`,
      `hint: app.py reads os.environ["API_KEY"], which is not set. Add it to the app's config vars.`,
    ]);
  });

  it('names the key for the person who sets it', () => {
    expect(missingKeys(files('st.secrets["db"]\nos.environ["API_KEY"]\n'), { vars: [], secretsToml: '' })).toEqual([
      { kind: 'secret', name: 'db', text: 'st.secrets["db"]', path: 'app.py' },
      { kind: 'env', name: 'API_KEY', text: 'os.environ["API_KEY"]', path: 'app.py' },
    ]);
  });

  it('is not given for a key that is set', () => {
    const code = 'st.secrets["db"]\nst.secrets.key\nos.environ["API_KEY"]\nos.getenv("key")\n';
    expect(hints(files(code), { vars: ['API_KEY'], secretsToml: 'key = "x"\n[db]\na = 1\n' })).toEqual([]);
  });

  it('is given if a secret was set as a config var, since Streamlit does not look there', () => {
    expect(hints(files('st.secrets["db"]'), { vars: ['db'], secretsToml: '' })).toHaveLength(1);
  });

  it('is not given for keys that every app has', () => {
    expect(
      hints(files('os.environ["HOME"], os.environ["STREAMLIT_HOST_STORAGE"], os.getenv("PATH")'), {
        vars: [],
        secretsToml: '',
      }),
    ).toEqual([]);
  });

  it('is not given if code in any file sets the key, or checks before it reads it', () => {
    const both = new Map([
      [
        'app.py',
        keysInCode(
          'os.environ["A"]\nos.environ["B"]\nif "db" in st.secrets:\n  st.secrets["db"]\nif "C" not in os.environ: pass\nos.environ["C"]\n',
        ),
      ],
      ['b.py', keysInCode('os.environ["A"] = "1"\nos.environ.setdefault("B", "2")\n')],
    ]);
    expect(hints(both, { vars: [], secretsToml: '' })).toEqual([]);
  });
});
