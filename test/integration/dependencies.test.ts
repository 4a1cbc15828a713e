import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { Environments } from '../../src/environments/environments.js';
import type { EnvironmentRequest } from '../../src/environments/request.js';
import { gatherRequirements } from '../../src/environments/requirements.js';
import { findPythons } from '../../src/environments/pythons.js';
import { chooseDependencies } from '../../src/domain/python/dependencies.js';
import { parsePythonWish } from '../../src/domain/python/python-version.js';
import { writeFiles } from '../helpers/files.js';
import { startHost, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';

const { uv, cacheDir } = inject('tools');

const surroundings = Object.fromEntries(
  Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && /^(PATH|HOME|PIP_.*|UV_.*|https?_proxy|no_proxy|SSL_CERT_.*)$/i.test(entry[0]),
  ),
);

/** A package named streamlit that is not: streamlit itself takes long to install. */
const STAND_IN = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1] + '/streamlit-9999.0-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('streamlit.py', 'value = 1')
    wheel.writestr('streamlit-9999.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: streamlit\\nVersion: 9999.0\\n')
    wheel.writestr('streamlit-9999.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr('streamlit-9999.0.dist-info/RECORD', '')
`;

let folder: string;
let env: Record<string, string>;
const opened: Environments[] = [];

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'dependencies-')));
  await mkdir(join(folder, 'wheels'));
  execFileSync('python3', ['-c', STAND_IN, join(folder, 'wheels')]);
  env = { ...surroundings, UV_FIND_LINKS: join(folder, 'wheels') };
});
afterEach(async () => {
  await idle();
  opened.length = 0;
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await rm(folder, { recursive: true, force: true });
});

const servers: Server[] = [];

/** Packages of two indexes, of which one wants credentials, and a git repository. @returns their address */
async function serve(at: string): Promise<string> {
  const index = `
import os, sys, zipfile
for place, name, version in (('public', 'both', '1.5'), ('private', 'both', '2.0'), ('private', 'only', '1.0'), ('public', 'coming', '3.0rc1'), ('public', 'coming', '1.0')):
    folder = os.path.join(sys.argv[1], place, name)
    os.makedirs(folder, exist_ok=True)
    with zipfile.ZipFile(f'{folder}/{name}-{version}-py3-none-any.whl', 'w') as wheel:
        info = f'{name}-{version}.dist-info'
        wheel.writestr(f'{info}/METADATA', f'Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n')
        wheel.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
        wheel.writestr(f'{info}/RECORD', '')
`;
  const web = join(at, 'web');
  execFileSync('python3', ['-c', index, web]);
  const own = await Project.create(
    Object.fromEntries(
      Object.entries(library('own', 'value = 1\n')).map(([path, text]) => [path.replace('libs/own/', ''), text]),
    ),
  );
  execFileSync('git', ['clone', '--quiet', '--bare', own.folder, join(web, 'own.git')]);
  execFileSync('git', ['-C', join(web, 'own.git'), 'update-server-info']);
  const server = createServer((asked, answer) => {
    const path = decodeURIComponent(asked.url?.split('?')[0] ?? '');
    const given = Buffer.from(asked.headers.authorization?.replace(/^Basic /, '') ?? '', 'base64').toString();
    if (path.startsWith('/private') && given !== 'ada:s3cret') return void answer.writeHead(401).end();
    const file = join(web, path);
    if (!existsSync(file)) return void answer.writeHead(404).end();
    if (!statSync(file).isDirectory()) return void answer.writeHead(200).end(readFileSync(file));
    const links = readdirSync(file).map((name) => `<a href="${name}">${name}</a>`);
    answer.writeHead(200, { 'content-type': 'text/html' }).end(links.join('\n'));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function environments(tools: { uv?: string | undefined } = { uv }): Environments {
  const at = (name: string): string => join(folder, name);
  const made = new Environments({
    gather: gatherRequirements,
    root: at('environments'),
    locks: at('locks'),
    tmp: at('tmp'),
    cache: cacheDir,
    tools: { ...tools, python: 'python3' },
    env,
  });
  opened.push(made);
  return made;
}

/** Waits for what follows an install. */
async function idle(): Promise<void> {
  await Promise.all(opened.map(async (each) => each.idle()));
}

/** What is in progress once nothing should be. */
async function drafts(): Promise<string[]> {
  await idle();
  return readdir(join(folder, 'tmp'));
}

async function project(name: string, files: Record<string, string>): Promise<string> {
  const sourceDir = join(folder, name);
  await writeFiles(sourceDir, files);
  return sourceDir;
}

/** What a deploy of these files asks for, with what it heard. */
async function request(
  name: string,
  files: Record<string, string>,
  more: Partial<EnvironmentRequest> = {},
): Promise<EnvironmentRequest & { heard: string[] }> {
  const sourceDir = await project(name, files);
  const dependencies = chooseDependencies({ has: (file) => file in files, text: (file) => files[file] ?? '' });
  const heard: string[] = [];
  return { dependencies, sourceDir, localKey: 'commit-1', onLine: (line) => void heard.push(line), heard, ...more };
}

function python(made: { python: string }, code: string): string {
  return execFileSync(made.python, ['-B', '-c', code], { encoding: 'utf8', cwd: '/' }).trim();
}

/** Files of a project with its lock, as uv itself makes it. */
async function locked(pyproject: string, files: Record<string, string> = {}): Promise<Record<string, string>> {
  const at = await project('locked', { ...files, 'pyproject.toml': pyproject });
  // The wheels are this machine's own: a lock that named them would be of no use to others.
  execFileSync(uv ?? 'uv', ['lock', '--quiet', '--cache-dir', join(cacheDir, 'uv')], {
    cwd: at,
    env: { ...surroundings, PIP_FIND_LINKS: '' },
  });
  const lock = execFileSync('cat', [join(at, 'uv.lock')], { encoding: 'utf8' });
  return { ...files, 'pyproject.toml': pyproject, 'uv.lock': lock };
}

const PROJECT = '[project]\nname = "demo"\nversion = "1"\nrequires-python = ">=3.9"\n';

describe.runIf(uv !== undefined)('dependencies with uv', () => {
  it('come from uv.lock with its hashes, and streamlit is added if it is missing', async () => {
    const files = await locked(`${PROJECT}dependencies = ["six<1.17"]\n[dependency-groups]\ndev = ["packaging"]\n`);
    const asked = await request('a', files);
    const made = await environments().ensure(asked);
    expect(made.reused).toBe(false);
    expect(python(made, 'import six, streamlit; print(six.__version__, streamlit.value)')).toBe('1.16.0 1');
    expect(python(made, 'import importlib.util; print(importlib.util.find_spec("packaging"))')).toBe('None');
    expect(asked.heard).toContain('uv.lock does not list streamlit. Adding the latest version.');
    // Another project with the same lock has the same environment.
    expect(await environments().ensure(await request('b', files))).toMatchObject({ hash: made.hash, reused: true });
    expect(await drafts()).toEqual([]);

    const forged = { ...files, 'uv.lock': files['uv.lock']?.replace(/sha256:\w{8}/g, 'sha256:00000000') ?? '' };
    await expect(environments().ensure(await request('c', forged))).rejects.toMatchObject({
      code: 'build-failed',
      field: 'uv.lock',
    });
    expect(await drafts()).toEqual([]);
  });

  it('come from uv.lock with a folder in the project', async () => {
    const files = await locked(
      `${PROJECT}dependencies = ["streamlit", "own"]\n[tool.uv.sources]\nown = { path = "libs/own" }\nstreamlit = { path = "libs/streamlit" }\n`,
      {
        ...library('own', 'value = 7\n'),
        ...library('streamlit', 'value = 2\n'),
      },
    );
    const asked = await request('a', files);
    const made = await environments().ensure(asked);
    await rm(asked.sourceDir, { recursive: true });
    expect(python(made, 'import own, streamlit; print(own.value, streamlit.value)')).toBe('7 2');
  });

  it('come from pyproject.toml, translated for pip', async () => {
    const asked = await request('a', {
      'pyproject.toml':
        '[tool.poetry.dependencies]\npython = "^3.9"\nstreamlit = "*"\nsix = "~1.16"\nwin = { version = "1", platform = "win32" }\n',
    });
    const made = await environments().ensure(asked);
    expect(python(made, 'import six, streamlit; print(six.__version__, streamlit.value)')).toBe('1.16.0 1');
    expect(asked.heard.join('\n')).not.toContain(folder);
  });

  it('are still installed for the second deploy if the first one gives up and its files are gone', async () => {
    const all = environments();
    const files = { 'requirements.txt': 'streamlit\n-r more/base.txt\n', 'more/base.txt': 'six==1.16.0\n' };
    const stop = new AbortController();
    const removed: Promise<void>[] = [];
    const first = await request('a', files, {
      signal: stop.signal,
      onSpawn: () => {
        stop.abort();
        removed.push(rm(first.sourceDir, { recursive: true, force: true }));
      },
    });
    const second = await request('b', files);
    const results = await Promise.allSettled([all.ensure(first), all.ensure(second)]);
    await Promise.all(removed);
    expect(removed.length).toBeGreaterThan(0);
    expect(results[0]).toMatchObject({ status: 'rejected', reason: { code: 'build-cancelled' } });
    expect(results[1]).toMatchObject({ status: 'fulfilled', value: { reused: false } });
  });

  it("that need the project's files wait for each other, and can give up while waiting", async () => {
    const all = environments();
    const files = { 'requirements.txt': 'streamlit\n./libs/own\n', ...library('own', 'value = 7\n') };
    let begun = (): void => undefined;
    const started = new Promise<void>((resolve) => (begun = resolve));
    const first = all.ensure(await request('a', files, { onSpawn: () => begun() }));
    await started;
    const stop = new AbortController();
    const second = all.ensure(await request('b', files));
    const third = all.ensure(await request('c', files, { signal: stop.signal }));
    stop.abort();
    await expect(third).rejects.toMatchObject({ code: 'build-cancelled' });
    expect(await first).toMatchObject({ reused: false });
    expect(await second).toMatchObject({ reused: true, hash: (await first).hash });
  });

  it('mean what pip takes them for: all indexes, pre-releases, editables of git, credentials from config vars', async () => {
    const at = await serve(folder);
    const asked = await request(
      'a',
      {
        'requirements.txt': [
          '--pre',
          `--index-url ${at}/public`,
          `--extra-index-url ${at.replace('//', '//${INDEX_USER}:${INDEX_TOKEN}@')}/private`,
          '--prefer-binary --trusted-host example.com',
          'streamlit',
          'both>=1',
          'only',
          'coming',
          `-e git+${at}/own.git@main#egg=own`,
        ].join('\r\n'),
      },
      { vars: { INDEX_USER: 'ada', INDEX_TOKEN: 's3cret', API_KEY: 'k' } },
    );
    const made = await environments().ensure(asked);
    const code = 'from importlib.metadata import version as v; print(v("both"), v("coming"), v("own"))';
    expect(python(made, code)).toBe('2.0 3.0rc1 99.0');
    expect(asked.heard.join('\n')).toContain('Warning: requirements.txt names several indexes.');
    // Who has no credentials gets neither the packages nor the environment that was made from them.
    const other = { ...asked, vars: { INDEX_USER: 'eve', INDEX_TOKEN: 'guessed' } };
    await expect(environments().ensure(other)).rejects.toMatchObject({
      code: 'build-failed',
      message: 'No package named only was found. If it is on a private index, check the credentials of that index.',
    });
    await expect(environments().ensure({ ...asked, vars: {} })).rejects.toMatchObject({ code: 'var-not-found' });
  });

  it('say where the packages they need cannot be downloaded', async () => {
    const files = { 'pyproject.toml': `${PROJECT}dependencies = ["streamlit", "six==99.0"]\n` };
    await expect(environments().ensure(await request('a', files))).rejects.toMatchObject({
      code: 'build-failed',
      field: 'pyproject.toml',
      message: 'No version of six==99.0 was found.',
    });
    const broken = { 'pyproject.toml': `${PROJECT}dependencies = []\n`, 'uv.lock': 'version = 99\n' };
    await expect(environments().ensure(await request('b', broken))).rejects.toMatchObject({
      code: 'build-failed',
      field: 'uv.lock',
    });
    await expect(environments({}).ensure(await request('c', broken))).rejects.toMatchObject({ code: 'uv-missing' });
    expect(await drafts()).toEqual([]);
  });
});

describe('the Python of an environment', () => {
  it.runIf(uv !== undefined)('is the requested version, and only an installed one', async () => {
    const all = environments();
    const { version } = await all.python();
    const [major, minor, patch] = version.split('.');
    const files = { 'requirements.txt': 'streamlit\n' };
    const asked = await request('a', files, { python: parsePythonWish('runtime.txt', `python-${major}.${minor}`) });
    const made = await all.ensure(asked);
    expect(asked.heard[0]).toBe(`Python ${version}, as required by runtime.txt (${major}.${minor}).`);
    expect(python(made, 'import platform; print(platform.python_version())')).toBe(version);

    const other = await request('a', files, {
      python: parsePythonWish('.python-version', `${major}.${minor}.${Number(patch) + 90}`),
    });
    await all.ensure(other);
    expect(other.heard[0]).toContain(
      `, the closest one installed to ${major}.${minor}.${Number(patch) + 90}, which .python-version requires.`,
    );
    await expect(
      all.ensure(await request('a', files, { python: parsePythonWish('.python-version', '3.99') })),
    ).rejects.toMatchObject({
      code: 'python-missing',
      message: expect.stringContaining(version) as string,
    });
  });

  it.each([
    ['uv', uv],
    ['nothing', undefined],
  ])('is found with %s where pyenv keeps it, not among its shims', async (_with, tool) => {
    const real = await environments().python();
    const bin = join(folder, '.pyenv', 'versions', 'own', 'bin');
    await mkdir(bin, { recursive: true });
    await symlink(real.executable, join(bin, `python${real.version.replace(/\.\d+$/, '')}`));
    await mkdir(join(folder, '.pyenv', 'shims'));
    await writeFile(join(folder, '.pyenv', 'shims', 'python3.99'), '#!/bin/sh\nexit 127\n', { mode: 0o755 });
    const found = await findPythons(tool, { PATH: join(folder, '.pyenv', 'shims'), HOME: folder });
    expect(found.find(({ executable }) => executable.startsWith(bin))?.version).toBe(real.version);
    expect(found.some(({ executable }) => executable.includes('shims'))).toBe(false);
  });
});

describe('a push', () => {
  let host: TestHost;
  let pushed: Project;
  beforeAll(async () => {
    host = await startHost();
    pushed = await Project.create({});
  });

  const push = async (files: Record<string, string>): Promise<{ code: number; output: string }> => {
    await pushed.commit(files, 'change');
    return pushed.git('push', host.remote('own'), '+HEAD:main');
  };

  it('follows streamlit-host.toml: main file, description, no check', async () => {
    const { code, output } = await push({
      'src/dash.py': 'import streamlit as st\nst.title("there")\nraise RuntimeError("later")\n',
      'pyproject.toml': `${PROJECT}dependencies = ["streamlit"]\n[tool.ruff]\n`,
      Pipfile: '[packages]\n',
      'streamlit-host.toml': 'main = "src/dash.py"\ndescription = "What we sold"\n[check]\nscript = "off"\n',
    });
    expect(output).toContain('main file: src/dash.py');
    expect(output).toContain("Dependencies: pyproject.toml (it is the project's own list); not used: Pipfile");
    expect(output).toMatch(/Python 3\.\d+\.\d+, as required by pyproject\.toml \(>=3\.9\)\./);
    expect(output).toContain('Script check skipped, as set in streamlit-host.toml');
    expect(code).toBe(0);
    expect(await host.app('own')).toMatchObject({ release: 1, description: 'What we sold' });
  });

  it('that changes only code installs nothing again where the project installs itself, and runs the new code', async () => {
    const files = (value: number): Record<string, string> => ({
      'pyproject.toml':
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n[project]\nname = "shop"\nversion = "1"\n[tool.hatch.build.targets.wheel]\npackages = ["python/shop"]\n',
      'requirements.txt': 'streamlit\n-e .\n',
      'streamlit-host.toml': 'dependencies = "requirements.txt"\n',
      'python/shop/__init__.py': `value = ${value}\n`,
      'app.py': `import subprocess, sys\nimport streamlit as st\nimport shop\nrun = [sys.executable, "-c", "import shop; print(shop.value)"]\nassert [str(shop.value), subprocess.check_output(run, cwd="/", text=True).strip()] == ["${value}"] * 2\n`,
    });
    const itself = await Project.create(files(1));
    const first = await itself.git('push', host.remote('itself'), 'main');
    expect(first.output).toContain('itself is live');
    await itself.commit(files(2), 'Other code');
    const second = await itself.git('push', host.remote('itself'), 'main');
    expect(second.output).toContain('Dependencies already installed: reusing environment');
    expect(second.output).toContain('itself is live');
  });

  it('installs what the script block of its main file lists, where there is no other list', async () => {
    const block = '# /// script\n# requires-python = ">=3.9"\n# dependencies = ["streamlit"]\n# ///\n';
    const script = await Project.create({ 'app.py': `${block}import streamlit as st\nst.title("alone")\n` });
    const { code, output } = await script.git('push', host.remote('script'), 'main');
    expect(output).toContain('Dependencies: the script block in app.py');
    expect(output).toMatch(/Python 3\.\d+\.\d+, as required by app\.py \(>=3\.9\)\./);
    expect(output).toContain('script is live');
    expect(code).toBe(0);
  });

  it.each<[string, Record<string, string>, RegExp]>([
    [
      'a check that takes too long',
      {
        'streamlit-host.toml': 'main = "src/dash.py"\n[check]\ntimeout_s = 1\n',
        'src/dash.py': 'import time\ntime.sleep(20)\n',
      },
      /the script did not finish within 1 s/,
    ],
    [
      'a Python that is not there',
      { '.python-version': '3.99\n' },
      /\.python-version requires Python 3\.99, which is not installed on this server\. Installed: 3\./,
    ],
    [
      'settings that nobody knows',
      { 'streamlit-host.toml': '\nport = 80\n' },
      /streamlit-host\.toml, line 2: unknown setting port/,
    ],
  ])('is refused for %s, and the previous release keeps serving', async (_what, files, sentence) => {
    const before = await host.app('own');
    const { code, output } = await push(files);
    expect(output).toMatch(sentence);
    expect(code).toBe(1);
    expect(await host.app('own')).toMatchObject({ release: before.release, pid: before.pid, state: 'running' });
  });
});

/** A package of the project itself, made from files at once. */
function library(name: string, text: string): Record<string, string> {
  return {
    [`libs/${name}/pyproject.toml`]: `[build-system]\nrequires = []\nbackend-path = ["."]\nbuild-backend = "backend"\n[project]\nname = "${name}"\nversion = "99.0"\n`,
    [`libs/${name}/content.txt`]: text,
    [`libs/${name}/backend.py`]: `
import os, zipfile
def build_wheel(folder, settings=None, metadata=None):
    name = '${name}-99.0-py3-none-any.whl'
    with zipfile.ZipFile(os.path.join(folder, name), 'w') as wheel:
        wheel.writestr('${name}.py', open('content.txt').read())
        wheel.writestr('${name}-99.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: ${name}\\nVersion: 99.0\\n')
        wheel.writestr('${name}-99.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
        wheel.writestr('${name}-99.0.dist-info/RECORD', '')
    return name
build_editable = build_wheel
`,
  };
}
