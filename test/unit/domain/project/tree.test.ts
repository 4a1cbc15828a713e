import { Links } from '../../../../src/domain/project/links.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Layout } from '../../../../src/domain/project/layout.js';
import {
  blobsToRead,
  inspectTree,
  parseBlobs,
  settingsToRead,
  type TreeEntry,
} from '../../../../src/domain/project/tree.js';
import type { TreeLimits } from '../../../../src/domain/project/tree-limits.js';

const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 12345\n`;

interface File {
  path: string;
  text?: string;
  mode?: string;
  size?: number;
}

function inspect(files: File[], limits?: TreeLimits, layout: Layout = {}): ReturnType<typeof inspectTree> {
  const contents = new Map<string, Buffer>();
  const entries = files.map(({ path, text = '', mode = '100644', size }, index): TreeEntry => {
    const object = index.toString(16).padStart(40, '0');
    contents.set(object, Buffer.from(text));
    return { mode, object, path, size: size ?? Buffer.byteLength(text) };
  });
  const only = (objects: string[]): Map<string, Buffer> =>
    new Map([...contents].filter(([object]) => objects.includes(object)));
  const settings = only(settingsToRead(entries, layout));
  return inspectTree(entries, only(blobsToRead(entries, layout, settings)), limits, layout);
}

const APP: File[] = [
  { path: 'app.py', text: 'import streamlit' },
  { path: 'requirements.txt', text: 'streamlit\n' },
];

describe('inspectTree', () => {
  it('describes a valid project', () => {
    expect(inspect([...APP, { path: 'data/link.csv', text: '../app.py', mode: '120000' }])).toEqual({
      entrypoint: 'app.py',
      dependencies: {
        file: 'requirements.txt',
        format: 'requirements',
        text: 'streamlit\n',
        python: undefined,
        notes: ['Dependencies: requirements.txt'],
      },
      python: undefined,
      packages: [],
      settings: {},
      files: 3,
      bytes: 35,
      lfs: [],
    });
  });

  it.each<[string, File[], Layout, object]>([
    [
      'a main file in a folder, with the list of packages beside it',
      [...APP, { path: 'dash/x.py' }, { path: 'dash/requirements.txt', text: 'streamlit==1.64\n' }],
      { main: 'dash/x.py' },
      { entrypoint: 'dash/x.py', dependencies: { file: 'dash/requirements.txt', text: 'streamlit==1.64\n' } },
    ],
    [
      'the same, named in its settings, with the Python and the Debian packages of that folder',
      [
        ...APP,
        { path: 'streamlit-host.toml', text: 'main = "dash/x.py"' },
        { path: 'dash/x.py' },
        { path: 'dash/environment.yml', text: 'dependencies: [{pip: [streamlit]}]' },
        { path: 'dash/.python-version', text: '3.12' },
        { path: 'dash/packages.txt', text: 'graphviz' },
        { path: 'packages.txt', text: 'curl' },
      ],
      {},
      { dependencies: { file: 'dash/environment.yml' }, python: { text: '3.12' }, packages: ['graphviz'] },
    ],
    [
      'a main file in a folder whose files name no packages',
      [...APP, { path: 'dash/x.py' }, { path: 'dash/pyproject.toml', text: '[tool.ruff]\n' }],
      { main: 'dash/x.py' },
      { dependencies: { file: 'requirements.txt' } },
    ],
    [
      'a list of packages of another name',
      [
        ...APP,
        { path: 'streamlit-host.toml', text: 'dependencies = "reqs/app.txt"' },
        { path: 'reqs/app.txt', text: 'streamlit\nsix\n' },
      ],
      {},
      { dependencies: { file: 'reqs/app.txt', format: 'requirements', text: 'streamlit\nsix\n' } },
    ],
    [
      'a folder of a repository, with its own settings',
      [
        ...APP,
        { path: 'streamlit-host.toml', text: 'main = "app.py"' },
        { path: 'a/b/streamlit-host.toml', text: 'main = "y.py"' },
        { path: 'a/b/y.py' },
        { path: 'a/b/requirements.txt', text: 'streamlit\n' },
      ],
      { root: 'a/b' },
      { root: 'a/b', entrypoint: 'y.py', settings: { main: 'y.py' }, dependencies: { file: 'requirements.txt' } },
    ],
    [
      'a folder that its own settings name, and a main file named elsewhere, which goes first',
      [
        { path: 'streamlit-host.toml', text: 'root = "a"\nmain = "x.py"' },
        { path: 'a/x.py' },
        { path: 'a/y.py' },
        { path: 'a/requirements.txt', text: 'streamlit\n' },
      ],
      { main: 'y.py' },
      { root: 'a', entrypoint: 'y.py' },
    ],
  ])('finds %s', (_, files, layout, expected) => {
    expect(inspect(files, undefined, layout)).toMatchObject(expected);
  });

  it.each<[string, File[], Layout, object]>([
    ['a main file', [{ path: 'src/app.py' }], {}, { code: 'no-entrypoint', field: 'app.py', choices: ['src/app.py'] }],
    [
      'a main file in the place of a program that starts it',
      [{ path: 'run_app.py', text: 'from streamlit.web import cli\ncli.main()\n' }, { path: 'src/main.py' }],
      {},
      { code: 'no-entrypoint', field: 'app.py', choices: ['src/main.py'] },
    ],
    [
      'a main file in the place of one that is not there',
      [...APP, { path: 'a b/\u0007.py' }],
      { main: 'x.py' },
      {
        code: 'no-entrypoint',
        field: 'main',
        message: expect.stringMatching(/x\.py, set in the app's settings, is not/) as string,
        choices: ['app.py'],
      },
    ],
    [
      'a list of packages',
      [
        { path: 'app.py' },
        { path: 'deep/er/requirements.txt' },
        { path: 'reqs/requirements-app.txt' },
        { path: 'notes.txt' },
      ],
      {},
      {
        code: 'no-requirements',
        choices: ['reqs/requirements-app.txt', 'deep/er/requirements.txt'],
        message: expect.stringContaining('push with -o dependencies=reqs/requirements-app.txt') as string,
      },
    ],
    [
      'nothing in the place of a root that is not there',
      APP,
      { root: 'x' },
      { code: 'root-missing', field: 'root', choices: [] },
    ],
  ])('offers %s', (_, files, layout, expected) => {
    expect(() => inspect(files, undefined, layout)).toThrow(expect.objectContaining(expected) as Error);
  });

  it.each<[string, File[], string, RegExp]>([
    ['no app', [{ path: 'README.md' }, { path: 'requirements.txt' }], 'no-entrypoint', /^No app\.py/],
    [
      'the list of another tool',
      [{ path: 'app.py' }, { path: 'pylock.toml' }, { path: 'sub/pixi.toml' }],
      'no-requirements',
      /imports, such as streamlit\. pylock\.toml is not read here; list the packages/,
    ],
    [
      'a project for setuptools alone',
      [{ path: 'app.py' }, { path: 'setup.py' }],
      'no-requirements',
      /setup\.py is read by an install of the project; add a requirements\.txt with the line "\."/,
    ],
    [
      'requirements whose name ends twice',
      [{ path: 'app.py' }, { path: 'requirements.txt.txt' }],
      'no-requirements',
      /To use requirements\.txt\.txt, push with -o dependencies=requirements\.txt\.txt/,
    ],
    [
      'requirements in capitals',
      [{ path: 'app.py' }, { path: 'Requirements.TXT' }],
      'no-requirements',
      /To use Requirements\.TXT, push with -o dependencies=Requirements\.TXT/,
    ],
    ['no requirements', [{ path: 'app.py' }], 'no-requirements', /^No requirements\.txt/],
    [
      'unreadable requirements',
      [{ path: 'app.py' }, { path: 'requirements.txt', text: 'a\0b' }],
      'requirements-unreadable',
      /not a text file/,
    ],
    [
      'requirements that are a link',
      [{ path: 'app.py' }, { path: 'r.txt' }, { path: 'requirements.txt', text: 'r.txt', mode: '120000' }],
      'requirements-unreadable',
      /symbolic link/,
    ],
    [
      'endless requirements',
      [{ path: 'app.py' }, { path: 'requirements.txt', size: 2_000_000 }],
      'requirements-unreadable',
      /larger than 1 MB/,
    ],
    [
      'a main file that is not there',
      [...APP, { path: 'streamlit-host.toml', text: 'main = "dash.py"' }],
      'no-entrypoint',
      /^The main file dash\.py, set in streamlit-host\.toml,/,
    ],
    [
      'settings that nobody knows',
      [...APP, { path: 'streamlit-host.toml', text: 'port = 80' }],
      'app-file-invalid',
      /^streamlit-host\.toml, line 1: unknown setting port/,
    ],
    [
      'settings that are a link',
      [...APP, { path: 'streamlit-host.toml', text: 'app.py', mode: '120000' }],
      'requirements-unreadable',
      /^streamlit-host\.toml is a symbolic link/,
    ],
    [
      'a Python of long ago',
      [...APP, { path: 'runtime.txt', text: 'python-2.7.18' }],
      'python-too-old',
      /^runtime\.txt requires Python/,
    ],
    [
      'no name of a package',
      [...APP, { path: 'packages.txt', text: '; reboot' }],
      'packages-invalid',
      /in line 1 of packages\.txt/,
    ],
    ['a submodule', [...APP, { path: 'lib/x', mode: '160000' }], 'submodule', /^lib\/x is a submodule/],
    [
      'a link to a place on the machine',
      [...APP, { path: 'x', text: '/etc/passwd', mode: '120000' }],
      'link-outside',
      /^x is a symbolic link to \/etc\/passwd/,
    ],
    [
      'a link out of the project',
      [...APP, { path: 'a/x', text: '../../y', mode: '120000' }],
      'link-outside',
      /^a\/x is a symbolic link/,
    ],
    [
      'a list of packages in Git LFS',
      [{ path: 'app.py' }, { path: 'requirements.txt', text: POINTER }],
      'lfs-pointer',
      /^requirements\.txt is stored in Git LFS, but has to be in git itself\./,
    ],
    [
      'a project that is too large with what Git LFS stores',
      [...APP, { path: 'model.bin', text: POINTER.replace('12345', String(2 * 1024 ** 3)) }],
      'project-too-large',
      /^The project is 2049 MB; the limit is 1024 MB/,
    ],
    [
      'a large file',
      [...APP, { path: 'big.csv', size: 101 * 1024 * 1024 }],
      'file-too-large',
      /^big\.csv is 101 MB; the limit for one file is 100 MB/,
    ],
  ])('refuses %s', (_what, files, code, sentence) => {
    expect(() => inspect(files)).toThrow(expect.objectContaining({ code }));
    expect(() => inspect(files)).toThrow(sentence);
  });

  it("reads the project's settings, its Python and its Debian packages", () => {
    const found = inspect([
      { path: 'src/dash.py' },
      { path: 'pyproject.toml', text: '[project]\nrequires-python = ">=3.10"\ndependencies = ["streamlit"]\n' },
      { path: 'packages.txt', text: 'ffmpeg\n' },
      { path: 'streamlit-host.toml', text: 'main = "src/dash.py"\n[check]\nscript = "off"\n' },
    ]);
    expect(found).toMatchObject({
      entrypoint: 'src/dash.py',
      dependencies: { file: 'pyproject.toml', format: 'lines', text: 'streamlit\n' },
      python: { file: 'pyproject.toml', specifier: '>=3.10' },
      packages: ['ffmpeg'],
      settings: { main: 'src/dash.py', check: { script: 'off' } },
    });
  });

  it('uses the Python of the first file that sets one', () => {
    const files = [
      { path: 'streamlit-host.toml', text: 'python = "3.13"\n' },
      { path: '.python-version', text: '3.12\n' },
      { path: 'runtime.txt', text: 'python-3.11.4\n' },
      { path: 'pyproject.toml', text: '[project]\nrequires-python = ">=3.10"\n' },
    ];
    const asked = files.map((_file, index) => inspect([...APP, ...files.slice(index)]).python);
    expect(asked.map((wish) => [wish?.file, wish?.text])).toEqual([
      ['streamlit-host.toml', '3.13'],
      ['.python-version', '3.12'],
      ['runtime.txt', '3.11.4'],
      ['pyproject.toml', '>=3.10'],
    ]);
  });

  it('refuses many files that are too large in total', () => {
    const files = [...APP, { path: 'a', size: 60 }, { path: 'b', size: 60 }];
    expect(() => inspect(files, { files: 4, fileBytes: 100, totalBytes: 100 })).toThrow(
      expect.objectContaining({ code: 'project-too-large', kind: 'too-large' }),
    );
    expect(inspect(files, { files: 4, fileBytes: 100, totalBytes: 1_000 }).files).toBe(4);
    expect(() => inspect(files, { files: 3, fileBytes: 100, totalBytes: 1_000 })).toThrow(
      'The project has 4 files; the limit is 3. Leave out files the app does not need.',
    );
  });

  it('names what Git LFS stores, by the size of its content', () => {
    const found = inspect([...APP, { path: 'model.bin', text: POINTER }, { path: 'other.bin', text: POINTER }]);
    const pointer = { oid: '0'.repeat(64), size: 12_345 };
    expect(found.lfs).toEqual([
      { path: 'model.bin', ...pointer },
      { path: 'other.bin', ...pointer },
    ]);
    expect(found.bytes).toBeGreaterThan(24_690);
  });

  it('does not mistake a text about LFS for a pointer', () => {
    expect(inspect([...APP, { path: 'notes.md', text: `What LFS writes:\n${POINTER}` }]).files).toBe(3);
  });
});

describe('a link', () => {
  it.each<[Record<string, string>, string, boolean]>([
    [{ a: 'b' }, 'a', false],
    [{ 'x/a': '../b/../c' }, 'x/a', false],
    [{ a: '..' }, 'a', true],
    [{ a: '.' }, 'a', false],
    [{ a: '/b' }, 'a', true],
    [{ a: 'b', b: 'a' }, 'a', true],
    // Read as text these stay within the project; followed on disk they do not.
    [{ 'x/y/b': '../../..', c: 'x/y/b/../etc' }, 'c', true],
    [{ up: 'x/y', c: 'up/../../z' }, 'c', false],
    [{ a: 'b/c', b: '../out' }, 'a', true],
  ])('of %j is %s: %s', (links, path, outside) => {
    expect(new Links(new Map(Object.entries(links))).leadsOutside(path)).toBe(outside);
  });

  it('resolution ends for any links', () => {
    const part = fc.constantFrom('a', 'b', 'c', '..', '.');
    const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('a', 'b', 'c', 'a/b', 'b/c'), path), (links) => {
        for (const link of Object.keys(links))
          expect(typeof new Links(new Map(Object.entries(links))).leadsOutside(link)).toBe('boolean');
      }),
    );
  });
});

describe('the blobs that git prints', () => {
  it('are read, whatever is in them', () => {
    const blobs = parseBlobs(Buffer.from('a1 blob 5\nb\nc d\na2 blob 0\n\n'));
    expect([...blobs].map(([id, bytes]) => [id, bytes.toString()])).toEqual([
      ['a1', 'b\nc d'],
      ['a2', ''],
    ]);
  });

  it.each(['a1 missing\n', 'a1 blob -11\n', 'a1 blob 1e9\n', 'a1 blob\n', 'a1 tree 3\nabc\n', 'a1 blob 1'])(
    'are not read from %j',
    (text) => {
      expect(() => parseBlobs(Buffer.from(text))).toThrow('git cat-file --batch: no blob');
    },
  );
});
