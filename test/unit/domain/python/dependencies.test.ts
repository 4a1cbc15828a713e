import { describe, expect, it } from 'vitest';
import { chooseDependencies, type Dependencies } from '../../../../src/domain/python/dependencies.js';

function named(file: string | undefined): { file: string; where: string } | undefined {
  return file === undefined ? undefined : { file, where: 'streamlit-host.toml' };
}

function choose(files: Record<string, string>, preferred?: string): Dependencies {
  return chooseDependencies({ has: (file) => file in files, text: (file) => files[file] ?? '' }, named(preferred));
}

function lines(files: Record<string, string>): string[] {
  return choose(files).text.split('\n').slice(0, -1);
}

const PROJECT = '[project]\nname = "demo"\nrequires-python = ">=3.10"\ndependencies = ["streamlit>=1.40", "six"]\n';
const POETRY = '[tool.poetry.dependencies]\npython = "^3.10"\nstreamlit = "^1.40"\n';
const UV_LOCK = '[[package]]\nname = "streamlit"\nversion = "1.64.0"\n[[package]]\nname = "six"\nversion = "1.17.0"\n';
const ALL = {
  'uv.lock': UV_LOCK,
  'pyproject.toml': PROJECT,
  'requirements.txt': 'streamlit\n',
  Pipfile: '[packages]\nstreamlit = "*"\n',
  'Pipfile.lock': '{"default": {"streamlit": {"version": "==1.64.0"}}}',
  'environment.yml': 'dependencies: [python]\n',
};

describe('chooseDependencies', () => {
  it('uses requirements.txt unchanged', () => {
    expect(choose({ 'requirements.txt': '# ours\nstreamlit\n' })).toEqual({
      file: 'requirements.txt',
      format: 'requirements',
      text: '# ours\nstreamlit\n',
      python: undefined,
      notes: ['Dependencies: requirements.txt'],
    });
  });

  it("uses the main file's own list where there is no other", () => {
    const main = '# /// script\n# requires-python = ">=3.11"\n# dependencies = ["streamlit>=1.40", "six"]\n# ///\n';
    const files: Record<string, string> = { 'app.py': main };
    const project = { has: (file: string) => file in files, text: (file: string) => files[file] ?? '' };
    const own = (): Dependencies => chooseDependencies(project, undefined, 'refused', [''], 'app.py');
    expect(own()).toMatchObject({
      file: 'app.py',
      format: 'lines',
      text: 'streamlit>=1.40\nsix\n',
      python: { specifier: '>=3.11' },
      notes: ['Dependencies: the script block in app.py'],
    });
    files['requirements.txt'] = 'streamlit\n';
    expect(own().file).toBe('requirements.txt');
    delete files['requirements.txt'];
    files['app.py'] = '# /// script\n# dependencies = [six]\n# ///\n';
    expect(own).toThrow('Cannot read app.py: line 1');
    files['app.py'] = '# /// script\n# dependencies = ["x @ file:///etc/passwd"]\n# ///\n';
    expect(own).toThrow('app.py contains');
    files['app.py'] = 'import streamlit\n';
    expect(own).toThrow('No requirements.txt');
  });

  it('uses the first in order, and says which, why, and which it ignored', () => {
    const left: Record<string, string> = { ...ALL };
    const taken: string[] = [];
    for (const file of ['uv.lock', 'pyproject.toml', 'requirements.txt', 'Pipfile.lock', 'Pipfile']) {
      taken.push(choose(left).notes[0] ?? '');
      expect(choose(left).file).toBe(file);
      delete left[file];
    }
    expect(taken).toEqual([
      'Dependencies: uv.lock (it pins every version); not used: requirements.txt, Pipfile.lock, Pipfile, environment.yml',
      "Dependencies: pyproject.toml (it is the project's own list); not used: requirements.txt, Pipfile.lock, Pipfile, environment.yml",
      "Dependencies: requirements.txt (it is pip's own list); not used: Pipfile.lock, Pipfile, environment.yml",
      'Dependencies: Pipfile.lock (it pins every version); not used: environment.yml',
      "Dependencies: Pipfile (it is pipenv's list); not used: environment.yml",
    ]);
  });

  it('uses the file set in streamlit-host.toml', () => {
    const chosen = choose(ALL, 'requirements.txt');
    expect(chosen.file).toBe('requirements.txt');
    expect(chosen.notes[0]).toMatch(
      /^Dependencies: requirements\.txt \(set in streamlit-host\.toml\); not used: uv\.lock, /,
    );
    expect(() => choose({ 'requirements.txt': '' }, 'uv.lock')).toThrow(
      /dependency file uv\.lock, set in streamlit-host\.toml, is not in the project\. Add it/,
    );
  });

  it('skips a pyproject.toml with tool settings only', () => {
    for (const [text, why] of [
      ['[tool.ruff]\nline-length = 100\n', 'lists no dependencies'],
      ['[project]\nname = "x"\ndynamic = ["dependencies"]\n', 'lists its dependencies only at build time'],
    ] as const) {
      const chosen = choose({ 'pyproject.toml': text, 'requirements.txt': 'streamlit\n' });
      expect(chosen.notes).toEqual([
        `Dependencies: requirements.txt (it is pip's own list); not used: pyproject.toml (${why})`,
      ]);
    }
  });

  it('refuses a project without a dependency file, and says what it found', () => {
    expect(() => choose({})).toThrow(
      'No requirements.txt or other dependency file in the project root. Add a requirements.txt that lists the packages the app imports, such as streamlit.',
    );
    expect(() => choose({ 'pyproject.toml': '[tool.ruff]\n' })).toThrow(
      /and pyproject\.toml lists no dependencies\. Add a requirements\.txt/,
    );
    expect(() => choose({ 'uv.lock': UV_LOCK })).toThrow(
      expect.objectContaining({
        code: 'no-requirements',
        message: expect.stringContaining('uv.lock has no pyproject.toml next to it') as string,
      }),
    );
  });

  it('refuses the file set in streamlit-host.toml if it lists nothing, whatever else is there', () => {
    const files = { 'pyproject.toml': '[tool.ruff]\n', 'requirements.txt': 'streamlit\n' };
    expect(() => choose(files, 'pyproject.toml')).toThrow(
      'The dependency file pyproject.toml, set in streamlit-host.toml, lists no dependencies. Change the setting or the file.',
    );
  });

  it.each([
    [{ 'pyproject.toml': 'a = 1\nb = = 2\n' }, /^Cannot read pyproject\.toml: line 2: invalid TOML: invalid value\.$/],
    [{ Pipfile: '[packages\n' }, /^Cannot read Pipfile: line 1:/],
    [{ 'Pipfile.lock': '{' }, /^Cannot read Pipfile\.lock: invalid JSON\.$/],
  ])('refuses a file that it cannot read: %j', (files, sentence) => {
    expect(() => choose(files as Record<string, string>)).toThrow(sentence);
    expect(() => choose(files as Record<string, string>)).toThrow(
      expect.objectContaining({ code: 'requirements-unreadable' }),
    );
  });

  it("uses the pip section of conda's file and packages of the same name, and names the ignored ones", () => {
    const chosen = choose({
      'environment.yml':
        'dependencies:\n  - python=3.11\n  - numpy\n  - gdal\n  - pip:\n      - streamlit\n      - six==1.16\n',
    });
    expect(chosen.text).toContain('six==1.16');
    expect(chosen.text).toContain('numpy');
    expect(chosen.text).not.toContain('gdal');
    expect(chosen.notes.join('\n')).toContain('Conda packages are ignored: gdal.');
  });

  it("refuses conda's file if it is not YAML", () => {
    expect(() => choose({ 'environment.yml': 'dependencies: [numpy' })).toThrow(/^Cannot read environment\.yml: /);
  });

  it.each([
    { 'requirements.txt': 'streamlit==1.10\n' },
    { 'pyproject.toml': '[project]\ndependencies = ["streamlit<1.12"]\n' },
    { 'pyproject.toml': PROJECT, 'uv.lock': UV_LOCK.replace('1.64.0', '1.11.0') },
    { 'Pipfile.lock': '{"default": {"streamlit": {"version": "==1.2.0"}}}' },
  ])('refuses a Streamlit that is too old, in %j', (files) => {
    expect(() => choose(files as Record<string, string>)).toThrow(
      expect.objectContaining({ code: 'streamlit-too-old' }),
    );
  });
});

describe('uv.lock', () => {
  it("is left to uv, with the project's own indexes", () => {
    const pyproject = `${PROJECT}[[tool.uv.index]]\nname = "torch"\nurl = "https://host/cpu"\nexplicit = true\n`;
    expect(choose({ 'uv.lock': UV_LOCK, 'pyproject.toml': pyproject })).toMatchObject({
      format: 'uv',
      text: '--extra-index-url https://host/cpu\n',
      python: { file: 'pyproject.toml', specifier: '>=3.10' },
    });
  });

  it('is refused if it lacks packages that pyproject.toml requires', () => {
    const pyproject = PROJECT.replace('"six"', '"six", "Pandas>=2"');
    expect(() => choose({ 'uv.lock': UV_LOCK, 'pyproject.toml': pyproject })).toThrow(
      /^Cannot use uv\.lock: it lacks Pandas, .* Run "uv lock" and push it again\./,
    );
  });
});

describe('pyproject.toml', () => {
  it('in the standard format gives its packages and its Python, and says that groups are left out', () => {
    const chosen = choose({
      'pyproject.toml': `${PROJECT.replace('"six"', '"six[x, y] >=1.16 ; python_version < \'4\'", "a @ https://host/a.whl"')}[dependency-groups]\ndev = ["pytest"]\n`,
    });
    expect(chosen.text).toBe("streamlit>=1.40\nsix[x,y]>=1.16 ; python_version < '4'\na @ https://host/a.whl\n");
    expect(chosen.python).toEqual({ file: 'pyproject.toml', text: '>=3.10', specifier: '>=3.10' });
    expect(chosen.notes).toContain('Only the main dependencies in pyproject.toml are installed, not the groups dev.');
  });

  it("follows uv's sources if they are simple, and refuses the others", () => {
    const sources = (text: string): Record<string, string> => ({
      'pyproject.toml': `${PROJECT}[tool.uv.sources]\n${text}\n`,
    });
    expect(lines(sources('six = { git = "https://host/six", tag = "v1", subdirectory = "a" }'))).toContain(
      'six @ git+https://host/six@v1#subdirectory=a',
    );
    expect(lines(sources('six = { path = "libs/six", editable = true }'))).toContain('./libs/six');
    expect(lines(sources('six = { url = "https://host/six.whl" }'))).toContain('six @ https://host/six.whl');
    expect(
      lines(
        sources(
          'six = { index = "ours" }\n[[tool.uv.index]]\nname = "ours"\nurl = "https://host/simple"\nexplicit = true',
        ),
      ),
    ).toEqual(['--extra-index-url https://host/simple', 'streamlit>=1.40', 'six']);
    expect(() => lines(sources('six = { workspace = true }'))).toThrow(
      /the source of six .* Run "uv lock" and push it too\./,
    );
  });

  it("in Poetry's format gives the same, translated for pip", () => {
    const text = `${POETRY}
pandas = { version = "~2.1", extras = ["excel"], python = ">=3.9,<3.13" }
six = [{ version = "1.16.0", python = "<3.12" }, { version = "1.17.0", markers = "python_version >= '3.12'" }]
extra = { version = "*", optional = true }
tool = { git = "git@host:us/tool.git", rev = "abc" }
own = { path = "./own" }
private = { version = "*", source = "ours" }
[[tool.poetry.source]]
name = "ours"
url = "https://host/simple"
[tool.poetry.group.dev.dependencies]
pytest = "*"
`;
    const chosen = choose({ 'pyproject.toml': text });
    expect(chosen.text.split('\n')).toEqual([
      '--extra-index-url https://host/simple',
      'streamlit>=1.40,<2',
      'pandas[excel]>=2.1,<2.2 ; python_version >= "3.9" and python_version < "3.13"',
      'six==1.16.0 ; python_version < "3.12"',
      "six==1.17.0 ; python_version >= '3.12'",
      'tool @ git+ssh://git@host/us/tool.git@abc',
      './own',
      'private',
      '',
    ]);
    expect(chosen.python).toEqual({ file: 'pyproject.toml', text: '^3.10', specifier: '>=3.10,<4' });
    expect(chosen.notes.at(-1)).toContain('not the groups dev.');
  });

  it.each([
    ['six = "^1 || ^2"', /pip does not support "\^1 \|\| \^2", the version of six/],
    ['six = { version = "*", source = "ours" }', /six comes from the index "ours", which has no URL in the file/],
    ['"-r x" = "*"', /"-r x" is not a valid package name/],
    ['six = { version = "*", markers = "a\\nb" }', /its entry for six is not a single requirement/],
    ['six = { git = "https://host/x # y" }', /its entry for six is not a single requirement/],
  ])('refuses %s, and says why', (line, sentence) => {
    const files = { 'pyproject.toml': `${POETRY}${line}\n` };
    expect(() => choose(files)).toThrow(sentence);
    expect(() => choose(files)).toThrow(
      expect.objectContaining({ code: 'requirements-unsupported', field: 'pyproject.toml' }),
    );
  });
});

describe('poetry.lock', () => {
  const newer = `
[[package]]
name = "streamlit"
version = "1.64.0"
optional = false
groups = ["main"]
[[package]]
name = "colorama"
version = "0.4.6"
optional = false
groups = ["main", "dev"]
[package.markers]
main = "platform_system == 'Windows'"
[[package]]
name = "pytest"
version = "8.0"
optional = false
groups = ["dev"]
[[package]]
name = "maybe"
version = "1.0"
optional = true
groups = ["main"]
[[package]]
name = "tool"
version = "1.0"
optional = false
groups = ["main"]
[package.source]
type = "git"
url = "https://host/tool.git"
resolved_reference = "abc"
[metadata]
python-versions = "^3.10"
`;

  it('gives the versions of the main group, before pyproject.toml', () => {
    const chosen = choose({ 'poetry.lock': newer, 'pyproject.toml': POETRY, 'requirements.txt': '' });
    expect(chosen.text).toBe(
      "streamlit==1.64.0\ncolorama==0.4.6 ; platform_system == 'Windows'\ntool @ git+https://host/tool.git@abc\n",
    );
    expect(chosen.notes[0]).toBe('Dependencies: poetry.lock (it pins every version); not used: requirements.txt');
  });

  it('pins a package whose version in pyproject.toml pip does not support', () => {
    const pyproject =
      '[tool.poetry.dependencies]\nstreamlit = "^1.30 || ^2"\ntool = { version = "^1 || ^2", optional = false }\n';
    expect(lines({ 'poetry.lock': newer, 'pyproject.toml': pyproject })).toContain('streamlit==1.64.0');
  });

  it('is the last resort without a pyproject.toml', () => {
    expect(choose({ 'poetry.lock': newer, 'requirements.txt': '' }).file).toBe('requirements.txt');
    expect(choose({ 'poetry.lock': newer })).toMatchObject({ file: 'poetry.lock', python: { text: '^3.10' } });
  });

  it('in older formats is resolved from what pyproject.toml requires', () => {
    const older = `
[[package]]
name = "streamlit"
version = "1.64.0"
optional = false
[package.dependencies]
Click = ">=7"
watchdog = { version = "*", markers = "platform_system != \\"Darwin\\"" }
snow = { version = "*", optional = true, markers = "extra == \\"snowflake\\"" }
[package.extras]
snowflake = ["snow (>=1)"]
[[package]]
name = "click"
version = "8.0"
optional = false
[package.dependencies]
colorama = { version = "*", markers = "platform_system == \\"Windows\\"" }
[[package]]
name = "colorama"
version = "0.4"
optional = false
[[package]]
name = "watchdog"
version = "6.0"
optional = false
[package.dependencies]
below = "*"
[[package]]
name = "below"
version = "1.0"
optional = false
[package.dependencies]
watchdog = "*"
[[package]]
name = "snow"
version = "3.0"
optional = true
[[package]]
name = "pytest"
version = "8.0"
optional = false
[metadata]
lock-version = "2.0"
`;
    expect(lines({ 'poetry.lock': older, 'pyproject.toml': POETRY })).toEqual([
      'streamlit==1.64.0',
      'click==8.0',
      'colorama==0.4 ; platform_system == "Windows"',
      'watchdog==6.0 ; platform_system != "Darwin"',
      'below==1.0 ; platform_system != "Darwin"',
    ]);
    const withExtra = POETRY.replace('"^1.40"', '{ version = "^1.40", extras = ["snowflake"] }');
    expect(lines({ 'poetry.lock': older, 'pyproject.toml': withExtra })).toContain('snow==3.0');
    expect(() => choose({ 'poetry.lock': older })).toThrow(/there is no pyproject\.toml next to it/);
    expect(() => choose({ 'poetry.lock': older, 'pyproject.toml': `${POETRY}pandas = "*"\n` })).toThrow(
      /it lacks pandas, .* Run "poetry lock"/,
    );
  });
});

describe('poetry.lock with several versions of a package', () => {
  const versions = (...more: string[]): string =>
    [
      ['1.26.4', more[0] ?? ''],
      ['2.1.0', more[1] ?? ''],
    ]
      .map(([version, rest]) => `[[package]]\nname = "numpy"\nversion = "${version}"\noptional = false\n${rest}\n`)
      .join('');

  it('uses each if its own marker matches', () => {
    const lock = versions(
      'groups = ["main"]\nmarkers = "python_version < \\"3.12\\""',
      'groups = ["main"]\nmarkers = "python_version >= \\"3.12\\""',
    );
    const pyproject = '[project]\ndependencies = ["numpy"]\n';
    expect(lines({ 'poetry.lock': lock, 'pyproject.toml': pyproject })).toEqual([
      'numpy==1.26.4 ; python_version < "3.12"',
      'numpy==2.1.0 ; python_version >= "3.12"',
    ]);
  });

  it("uses each if its dependent's marker matches, in the older format", () => {
    const lock = `${versions()}[[package]]
name = "streamlit"
version = "1.64.0"
optional = false
[package.dependencies]
numpy = [
  {version = ">=1.20,<2", markers = "python_version < \\"3.12\\""},
  {version = ">=2.1,<3", markers = "python_version >= \\"3.12\\""},
]
`;
    const both = [
      'numpy==1.26.4 ; python_version < "3.12"',
      'numpy==2.1.0 ; python_version >= "3.12"',
      'streamlit==1.64.0',
    ];
    expect(lines({ 'poetry.lock': lock, 'pyproject.toml': POETRY })).toEqual(both);
    const direct = `${POETRY}numpy = [{ version = "^1.26", python = "<3.12" }, { version = "^2.1", python = ">=3.12" }]\n`;
    expect(lines({ 'poetry.lock': lock, 'pyproject.toml': direct })).toEqual([
      'numpy==1.26.4 ; (python_version < "3.12") or python_version < "3.12"',
      'numpy==2.1.0 ; (python_version >= "3.12") or python_version >= "3.12"',
      'streamlit==1.64.0',
    ]);
  });
});

describe('Pipfile', () => {
  it('gives its packages, its Python and its own index', () => {
    const chosen = choose({
      Pipfile: `
[[source]]
name = "pypi"
url = "https://index.example/simple"
[[source]]
url = "https://host/simple"
[packages]
streamlit = "*"
six = {version = ">=1.16", markers = "python_version > '3'", extras = ["x"]}
win = {version = "*", sys_platform = "== 'win32'"}
own = {path = "./own", editable = true}
[dev-packages]
pytest = "*"
[requires]
python_version = "3.11"
`,
    });
    expect(chosen.text).toBe(
      "--extra-index-url https://host/simple\nstreamlit\nsix[x]>=1.16 ; python_version > '3'\nwin ; sys_platform == 'win32'\n./own\n",
    );
    expect(chosen.python).toEqual({ file: 'Pipfile', text: '3.11', specifier: '==3.11.*' });
  });

  it('is replaced by its lock, which must contain what it requires', () => {
    const lock = JSON.stringify({
      _meta: { requires: { python_version: '3.12' }, sources: [] },
      default: {
        streamlit: { version: '==1.64.0', hashes: ['sha256:00'], index: 'pypi' },
        tool: { git: 'https://host/tool', ref: 'abc' },
      },
      develop: { pytest: { version: '==8' } },
    });
    expect(choose({ 'Pipfile.lock': lock, Pipfile: '[packages]\nstreamlit = "*"\n' })).toMatchObject({
      text: 'streamlit==1.64.0\ntool @ git+https://host/tool@abc\n',
      python: { file: 'Pipfile.lock', specifier: '==3.12.*' },
    });
    expect(() => choose({ 'Pipfile.lock': lock, Pipfile: '[packages]\nsix = "*"\n' })).toThrow(
      /it lacks six, which the Pipfile requires/,
    );
  });
});
