import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { Environments } from '../../../src/environments/environments.js';
import type { EnvironmentRequest } from '../../../src/environments/request.js';
import { chooseDependencies } from '../../../src/domain/python/dependencies.js';
import { gatherRequirements } from '../../../src/environments/requirements.js';
import { writeFiles } from '../../helpers/files.js';

const { uv, cacheDir } = inject('tools');

const surroundings = Object.fromEntries(
  Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && /^(PATH|HOME|PIP_.*|UV_.*|https?_proxy|no_proxy|SSL_CERT_.*)$/i.test(entry[0]),
  ),
);

let folder: string;
let all: Environments;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'own-project-')));
  const at = (name: string): string => join(folder, name);
  all = new Environments({
    gather: gatherRequirements,
    root: at('environments'),
    locks: at('locks'),
    tmp: at('tmp'),
    cache: cacheDir,
    tools: { uv, python: 'python3' },
    env: surroundings,
  });
});
afterEach(async () => {
  await all.idle();
  await rm(folder, { recursive: true, force: true });
});

type Asked = EnvironmentRequest & { heard: string[] };

/** What the deploy of a commit asks for: each has a folder of its own. */
async function commit(
  name: string,
  files: Record<string, string | Uint8Array>,
  more: Partial<EnvironmentRequest> = {},
): Promise<Asked> {
  const sourceDir = join(folder, name);
  await writeFiles(sourceDir, files);
  const heard: string[] = [];
  const text = String(files['requirements.txt']);
  return {
    dependencies: { file: 'requirements.txt', text },
    sourceDir,
    localKey: name,
    own: { app: 'shop', within: '' },
    onLine: (line) => void heard.push(line),
    heard,
    ...more,
  };
}

/** Runs code as the processes of a release do: they are told where its files are. */
function run(made: { python: string }, { sourceDir }: Asked, code: string): string {
  const env = { PATH: process.env.PATH, STREAMLIT_HOST_SOURCE: sourceDir };
  return execFileSync(made.python, ['-B', '-c', code], { encoding: 'utf8', cwd: '/', env }).trim();
}

const version = (name: string): string => `import importlib.metadata as m; print(m.version("${name}"))`;

/** A package named streamlit that is not, as a wheel: streamlit itself takes long to install. */
function wheel(name: string, number: string, content: string): Buffer {
  const info = `${name}-${number}.dist-info`;
  const script = `
import io, sys, zipfile
out = io.BytesIO()
with zipfile.ZipFile(out, 'w') as wheel:
    for path, text in (('${name}.py', sys.argv[1]), ('${info}/METADATA', 'Metadata-Version: 2.1\\nName: ${name}\\nVersion: ${number}\\n'),
        ('${info}/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'), ('${info}/RECORD', '')):
        wheel.writestr(zipfile.ZipInfo(path), text)
sys.stdout.buffer.write(out.getvalue())`;
  return execFileSync('python3', ['-c', script, content]);
}

const STREAMLIT = { 'wheels/streamlit-9.0-py3-none-any.whl': wheel('streamlit', '9.0', 'value = 1') };
const WHEEL = './wheels/streamlit-9.0-py3-none-any.whl\n';

/** A project of one package with a program, as hatch makes it. */
function shop(value: number, more = ''): Record<string, string | Uint8Array> {
  return {
    ...STREAMLIT,
    'requirements.txt': `-e .\n${WHEEL}`,
    'pyproject.toml': `[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n[project]\nname = "shop"\nversion = "1.2"\ndependencies = ["six"]\n[project.scripts]\nshop-value = "shop.values:tell"\n${more}`,
    'src/shop/__init__.py': `value = ${value}\n`,
    'src/shop/values.py': 'import shop\ndef tell():\n    print(shop.value)\n',
    'src/shop/data/list.txt': `${value}\n`,
    'app.py': `# ${value}\n`,
  };
}

describe.runIf(uv !== undefined)('a project that installs itself', () => {
  it('is installed once for all commits that change nothing but code, and each has its own code', async () => {
    const first = await commit('one', shop(1));
    const made = await all.ensure(first);
    expect(made.reused).toBe(false);
    const second = await commit('two', { ...shop(2), 'src/shop/added.py': 'value = 3\n' });
    const again = await all.ensure(second);
    expect(again).toMatchObject({ reused: true, hash: made.hash, lock: made.lock });
    expect(second.heard).toEqual([]);

    const code = 'import shop, six, streamlit; print(shop.value, open(shop.__path__[0] + "/data/list.txt").read())';
    expect([run(made, first, code), run(again, second, code)]).toEqual(['1 1', '2 2']);
    expect(run(again, second, 'import shop.added; print(shop.added.value)')).toBe('3');
    expect(run(again, second, version('shop'))).toBe('1.2');
    const program = join(again.path, 'bin', 'shop-value');
    const env = { PATH: process.env.PATH, STREAMLIT_HOST_SOURCE: second.sourceDir };
    expect(execFileSync(program, { encoding: 'utf8', env }).trim()).toBe('2');
    await all.idle();
    expect(await readFile(join(folder, 'locks', `${made.lock}.txt`), 'utf8')).toMatch(/^six==/);
  });

  it('is installed again if its packages or its name change, and for another app', async () => {
    const made = await all.ensure(await commit('one', shop(1)));
    const other = await all.ensure(
      await commit('two', shop(1, '[tool.hatch.metadata]\nallow-direct-references = true\n')),
    );
    expect(other).toMatchObject({ reused: false });
    expect(other.hash).not.toBe(made.hash);
    const others = await all.ensure(await commit('three', shop(1), { own: { app: 'other', within: '' } }));
    expect(others).toMatchObject({ reused: false });
    const fresh = await all.ensure(await commit('four', shop(1), { fresh: '2026-01-01' }));
    expect(fresh).toMatchObject({ reused: false });
  });

  it('has the version that its code says, and lies where its tool expects it', async () => {
    const files = (number: string, value: number): Record<string, string | Uint8Array> => ({
      ...STREAMLIT,
      'requirements.txt': `.\n${WHEEL}`,
      'setup.cfg':
        '[metadata]\nname = shop\nversion = attr: shop.__version__\n[options]\npackages = find:\npackage_dir =\n  = python\n[options.packages.find]\nwhere = python\n',
      'setup.py': 'from setuptools import setup\nsetup()\n',
      'python/shop/__init__.py': `__version__ = "${number}"\n`,
      'python/shop/values.py': `value = ${value}\n`,
    });
    const made = await all.ensure(await commit('one', files('1.0', 1)));
    const second = await commit('two', files('1.0', 2));
    const again = await all.ensure(second);
    expect(again).toMatchObject({ reused: true, hash: made.hash });
    expect(run(again, second, 'import shop.values; print(shop.values.value)')).toBe('2');
    const third = await commit('three', files('1.1', 2));
    expect(run(await all.ensure(third), third, version('shop'))).toBe('1.1');
  });

  it('belongs to its commit if a build adds what is not among its files', async () => {
    const files = (value: number): Record<string, string | Uint8Array> => ({
      ...shop(value, '[tool.hatch.build.hooks.custom]\n'),
      'hatch_build.py': `
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
class Hook(BuildHookInterface):
    def initialize(self, version, data):
        with open("src/shop/made.py", "w") as made:
            made.write("value = ${value}")
        data["artifacts"].append("src/shop/made.py")
`,
    });
    // Both at once: the one that waits must not get what was made of the other.
    const asked = await Promise.all([commit('one', files(1)), commit('two', files(2))]);
    const made = await Promise.all(asked.map(async (one) => all.ensure(one)));
    const code = 'import shop.made; print(shop.made.value)';
    await Promise.all(asked.map(async ({ sourceDir }) => rm(sourceDir, { recursive: true })));
    expect(made.map((one, at) => run(one, asked[at] as Asked, code))).toEqual(['1', '2']);
    expect(await readdir(join(folder, 'environments'))).toHaveLength(2);
    const later = await commit('three', files(3));
    expect(await all.ensure(later)).toMatchObject({ reused: false });
  });

  it('may only be there for its packages', async () => {
    const files = {
      ...STREAMLIT,
      'requirements.txt': `-e .\n${WHEEL}`,
      'pyproject.toml':
        '[project]\nname = "shop"\nversion = "1"\ndependencies = ["six"]\n[tool.setuptools]\npy-modules = []\n',
    };
    const made = await all.ensure(await commit('one', { ...files, 'app.py': '' }));
    const second = await commit('two', { ...files, 'app.py': '#' });
    expect(await all.ensure(second)).toMatchObject({ reused: true, hash: made.hash });
    expect(run(made, second, 'import six; print(six.__name__)')).toBe('six');
  });
});

describe.runIf(uv !== undefined)('a wheel in the repository', () => {
  it.each([
    ['by its path', `${WHEEL}own @ file:./wheels/own-1.0-py3-none-any.whl\n`],
    ['by its folder', '--no-index\n--find-links wheels\nstreamlit\nown\n'],
  ])('is installed once for all commits that do not change it, named %s', async (_how, requirements) => {
    const files = (value: number): Record<string, string | Uint8Array> => ({
      ...STREAMLIT,
      'requirements.txt': requirements,
      'wheels/own-1.0-py3-none-any.whl': wheel('own', '1.0', `value = ${value}`),
    });
    const made = await all.ensure(await commit('one', { ...files(1), 'app.py': '' }));
    const second = await commit('two', { ...files(1), 'app.py': '#' });
    expect(await all.ensure(second)).toMatchObject({ reused: true, hash: made.hash });
    expect(second.heard).toEqual([]);
    const third = await commit('three', files(2));
    const code = 'import own, streamlit; print(own.value)';
    expect([run(made, second, code), run(await all.ensure(third), third, code)]).toEqual(['1', '2']);
  });
});

describe.runIf(uv !== undefined)('a workspace of uv', () => {
  const member = (name: string, dependencies: string, more = ''): string =>
    `[project]\nname = "${name}"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = [${dependencies}]\n${more}`;
  const BUILD = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n';

  /** Its files, with the lock that uv itself makes. */
  async function workspace(value: number): Promise<Record<string, string | Uint8Array>> {
    const files = {
      'pyproject.toml': '[tool.uv.workspace]\nmembers = ["packages/*"]\n',
      'packages/core/pyproject.toml': member('core', '"six<1.17"', BUILD),
      'packages/core/src/core/__init__.py': `value = ${value}\n`,
      'packages/dash/pyproject.toml': member(
        'dash',
        '"core", "streamlit"',
        `${BUILD}[tool.uv.sources]\ncore = { workspace = true }\nstreamlit = { path = "../../wheels/streamlit-9.0-py3-none-any.whl" }\n`,
      ),
      'packages/dash/src/dash/__init__.py': '',
      'packages/dash/src/dash/app.py': 'import core\n',
      'packages/other/pyproject.toml': member('other', '"packaging"'),
      ...STREAMLIT,
    };
    const at = join(folder, 'locked');
    await writeFiles(at, files);
    execFileSync(uv ?? 'uv', ['lock', '--quiet', '--cache-dir', join(cacheDir, 'uv')], { cwd: at, env: surroundings });
    return { ...files, 'uv.lock': await readFile(join(at, 'uv.lock')) };
  }

  it('installs what the member of the main file needs, and the members that it depends on', async () => {
    const ask = async (name: string): Promise<Asked> => {
      const files = await workspace(name === 'one' ? 1 : 2);
      const has = (file: string): boolean => file in files;
      const text = (file: string): string => Buffer.from(files[file] ?? '').toString();
      const dependencies = chooseDependencies({ has, text }, undefined, 'refused', ['packages/dash/src/dash', '']);
      expect(dependencies).toMatchObject({
        file: 'uv.lock',
        notes: ['Dependencies: uv.lock, for dash in packages/dash'],
      });
      return commit(name, { 'requirements.txt': '', ...files }, { dependencies });
    };
    const first = await ask('one');
    const made = await all.ensure(first);
    const second = await ask('two');
    expect(await all.ensure(second)).toMatchObject({ reused: true, hash: made.hash });
    const code = 'import core, dash, six, streamlit; print(core.value, six.__version__)';
    expect([run(made, first, code), run(made, second, code)]).toEqual(['1 1.16.0', '2 1.16.0']);
    expect(run(made, first, 'import importlib.util as u; print(u.find_spec("packaging"), u.find_spec("other"))')).toBe(
      'None None',
    );
  });
});
