import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { Environments, type Environment, type EnvironmentsOptions } from '../../src/environments/environments.js';
import type { EnvironmentRequest } from '../../src/environments/request.js';
import { gatherRequirements } from '../../src/environments/requirements.js';
import { writeFiles } from '../helpers/files.js';
import { knowsConfigSettings } from '../helpers/pip.js';
import { compilerOf } from '../helpers/compiler.js';

const { uv, cacheDir } = inject('tools');

/** What a server in these surroundings would hand down to its builds. */
const surroundings = Object.fromEntries(
  Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && /^(PATH|HOME|PIP_.*|UV_.*|https?_proxy|no_proxy|SSL_CERT_.*)$/i.test(entry[0]),
  ),
);

let folder: string;
let sourceDir: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'environments-')));
  sourceDir = join(folder, 'source');
  await mkdir(sourceDir);
});
afterEach(async () => {
  await idle();
  opened.length = 0;
  await rm(folder, { recursive: true, force: true });
});

const opened: Environments[] = [];

/** Waits for what follows an install. */
async function idle(): Promise<void> {
  await Promise.all(opened.map(async (each) => each.idle()));
}

/** What is in progress once nothing should be. */
async function drafts(): Promise<string[]> {
  await idle();
  return readdir(join(folder, 'tmp'));
}

function environments(options: Partial<EnvironmentsOptions> = {}): Environments {
  const made = new Environments({
    gather: gatherRequirements,
    root: join(folder, 'environments'),
    locks: join(folder, 'locks'),
    tmp: join(folder, 'tmp'),
    cache: cacheDir,
    tools: { uv, python: 'python3' },
    env: surroundings,
    ...options,
  });
  opened.push(made);
  return made;
}

/** A request whose files are written, with what it heard. A hash stands for streamlit, which takes long to install. */
async function project(
  text: string,
  more: Partial<EnvironmentRequest> = {},
  files: Record<string, string> = {},
): Promise<EnvironmentRequest & { heard: string[]; pids: number[] }> {
  await writeFiles(sourceDir, { 'requirements.txt': text, ...files });
  const heard: string[] = [];
  const pids: number[] = [];
  return {
    dependencies: { file: 'requirements.txt', text },
    sourceDir,
    localKey: 'commit-1',
    onLine: (line) => void heard.push(line),
    onSpawn: (pid) => void pids.push(pid),
    heard,
    pids,
    ...more,
  };
}

/** A package named streamlit that is not: made from files, at once. */
const STAND_IN = {
  'stand-in/pyproject.toml':
    '[build-system]\nrequires = []\nbackend-path = ["."]\nbuild-backend = "backend"\n[project]\nname = "streamlit"\nversion = "0.0.1"\n',
  'stand-in/backend.py': `
import os, zipfile
def build_wheel(folder, settings=None, metadata=None):
    name = 'streamlit-0.0.1-py3-none-any.whl'
    with zipfile.ZipFile(os.path.join(folder, name), 'w') as wheel:
        wheel.writestr('streamlit.py', open('content.txt').read())
        wheel.writestr('streamlit-0.0.1.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: streamlit\\nVersion: 0.0.1\\n')
        wheel.writestr('streamlit-0.0.1.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
        wheel.writestr('streamlit-0.0.1.dist-info/RECORD', '')
    return name
build_editable = build_wheel
`,
  'stand-in/content.txt': 'value = 1\n',
};

const LOCAL = 'streamlit @ file:./stand-in\nsix==1.17.0\n';

function python(environment: { python: string }, code: string): string {
  // Looking at it must not compile it.
  return execFileSync(environment.python, ['-B', '-c', code], { encoding: 'utf8', cwd: '/' }).trim();
}

/** A wheel with one module, as a zip file of stored entries. */
function wheel(name: string, version: string): Buffer {
  const info = `${name}-${version}.dist-info`;
  const script = [
    'import sys, zipfile, io',
    'out = io.BytesIO()',
    'with zipfile.ZipFile(out, "w") as wheel:',
    `    wheel.writestr("${name}.py", "")`,
    `    wheel.writestr("${info}/METADATA", "Metadata-Version: 2.1\\nName: ${name}\\nVersion: ${version}\\n")`,
    `    wheel.writestr("${info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")`,
    `    wheel.writestr("${info}/RECORD", "")`,
    'sys.stdout.buffer.write(out.getvalue())',
  ].join('\n');
  return execFileSync('python3', ['-c', script]);
}

/** Everything that is left of work in progress. */
async function left(): Promise<string[]> {
  await idle();
  const folders = await Promise.all(
    ['tmp', 'environments'].map(async (name) => readdir(join(folder, name)).catch(() => [])),
  );
  return folders.flat();
}

describe.runIf(uv !== undefined)('Environments with uv', () => {
  it('installs the packages relocatable, and reuses them before and after they are compiled', async () => {
    const all = environments();
    const request = await project(LOCAL, {}, STAND_IN);
    const made = await all.ensure(request);
    expect(made).toMatchObject({ reused: false, path: join(folder, 'environments', made.hash) });
    expect(made.hash).toMatch(/^[0-9a-f]{32}$/);
    expect(python(made, 'import six, streamlit; print(six.__version__, streamlit.value)')).toBe('1.17.0 1');
    const lock = join(folder, 'locks', `${made.lock}.txt`);
    expect(await readFile(lock, 'utf8')).toMatch(/^six==1\.17\.0\b/);
    await all.idle();
    expect(await readFile(lock, 'utf8')).toMatch(/^six==1\.17\.0 \\\n( {4}--hash=sha256:[0-9a-f]{64}( \\)?\n)+$/);
    expect(python(made, 'import six; print(six.__cached__)')).toContain(made.path);
    const cached = python(made, 'import six, importlib.util as u; print(u.cache_from_source(six.__file__))');
    await expect(stat(cached)).rejects.toThrow('ENOENT');
    expect(request.heard.join('\n')).toMatch(/\+ six==1\.17\.0/);
    expect(request.heard.join('\n')).not.toContain(folder);
    expect(request.pids.length).toBeGreaterThan(0);
    expect(await drafts()).toEqual([]);

    const again = await project(`# the same\r\n\r\n${LOCAL}`);
    expect(await environments().ensure(again)).toMatchObject({ hash: made.hash, reused: true });
    expect(again.heard).toEqual([]);
    expect(again.pids).toEqual([]);

    const marker = join(made.path, 'streamlit-host-uncompiled.json');
    const compiler = compilerOf(folder, cacheDir);
    compiler.add(made.hash);
    await compiler.idle();
    expect((await stat(cached)).isFile()).toBe(true);
    await expect(stat(marker)).rejects.toThrow('ENOENT');
    expect(python(made, 'import six, streamlit; print(six.__version__, streamlit.value)')).toBe('1.17.0 1');
    expect(await environments().ensure(again)).toMatchObject({ hash: made.hash, reused: true });
    expect(await drafts()).toEqual([]);

    // Once is enough: an environment without the marker is left alone.
    await rm(cached);
    await compiler.begin();
    await compiler.idle();
    await expect(stat(cached)).rejects.toThrow('ENOENT');

    // A kill has left half of the work and a draft.
    await writeFile(marker, '{"caged":false}');
    await writeFile(`${cached}.0123456789abcdef`, 'half');
    const next = compilerOf(folder, cacheDir);
    await next.begin();
    await next.close();
    await compiler.begin();
    await compiler.idle();
    const left = await readdir(join(cached, '..'));
    expect(left.filter((name) => name.includes('six'))).toEqual([basename(cached)]);
    await expect(stat(marker)).rejects.toThrow('ENOENT');
  });

  it('serves before the hashes of its packages are known, and is complete if nobody asks for them any more', async () => {
    const all = environments();
    const made = await all.ensure(await project(LOCAL, {}, STAND_IN));
    await all.close();
    expect(await readdir(join(folder, 'tmp'))).toEqual([]);
    expect(await readFile(join(folder, 'locks', `${made.lock}.txt`), 'utf8')).toMatch(/^six==1\.17\.0\b/);
    expect(await environments().ensure(await project(LOCAL))).toMatchObject({ hash: made.hash, reused: true });
  });

  it('outlives the source it was built from, editable or not', async () => {
    const made = await environments().ensure(await project('-e ./stand-in\nstreamlit\n', {}, STAND_IN));
    await rm(sourceDir, { recursive: true });
    expect(python(made, 'import streamlit; print(streamlit.value)')).toBe('1');
  });

  it('is rebuilt for a changed project only if the project itself is installed', async () => {
    const all = environments();
    const first = await all.ensure(await project(LOCAL, {}, STAND_IN));
    const second = await all.ensure(
      await project(LOCAL, { localKey: 'commit-2' }, { ...STAND_IN, 'stand-in/content.txt': 'value = 2\n' }),
    );
    expect(second.hash).not.toBe(first.hash);
    expect(python(first, 'import streamlit; print(streamlit.value)')).toBe('1');
    expect(python(second, 'import streamlit; print(streamlit.value)')).toBe('2');
  });

  it('installs packages again if they are asked for again, so that a branch of git moves on', async () => {
    const all = environments();
    const origin = join(folder, 'origin');
    await writeFiles(origin, Object.fromEntries(Object.entries(STAND_IN).map(([path, text]) => [path.slice(9), text])));
    const git = (...args: string[]): void =>
      void execFileSync('git', ['-C', origin, '-c', 'user.name=Ada', '-c', 'user.email=a@example.com', ...args]);
    git('init', '--quiet', '--initial-branch', 'main');
    git('add', '.');
    git('commit', '--quiet', '-m', 'One');
    const request = await project(`streamlit @ git+file://${origin}@main\n`, { outside: 'allowed' });
    const one = await all.ensure(request);
    await writeFile(join(origin, 'content.txt'), 'value = 2\n');
    git('commit', '--quiet', '-a', '-m', 'Two');
    expect(await all.ensure(request)).toMatchObject({ reused: true, hash: one.hash });
    const two = await all.ensure({ ...request, fresh: '2026-01-01' });
    expect(two).toMatchObject({ reused: false });
    expect([one, two].map((each) => python(each, 'import streamlit; print(streamlit.value)'))).toEqual(['1', '2']);
    expect(await all.ensure({ ...request, fresh: '2026-01-01' })).toMatchObject({ reused: true, hash: two.hash });
  });

  it('installs the same packages again if it is gone, and new ones only if they no longer exist', async () => {
    const index = join(folder, 'index');
    const publish = async (version: string): Promise<void> => {
      await mkdir(index, { recursive: true });
      await writeFile(join(index, `streamlit-${version}-py3-none-any.whl`), wheel('streamlit', version));
    };
    await publish('1.50');
    const all = environments();
    const request = await project(`--no-index\n-f ${index}\nstreamlit\n`, { outside: 'allowed' });
    const version = (made: { python: string }): string =>
      python(made, 'from importlib.metadata import version; print(version("streamlit"))');
    const made = await all.ensure(request);
    const lock = await readFile(join(folder, 'locks', `${made.lock}.txt`), 'utf8');
    expect(lock).toBe('streamlit==1.50\n');

    await publish('1.51');
    await rm(made.path, { recursive: true });
    const again = await all.ensure(request);
    expect(again).toMatchObject({ hash: made.hash, lock: made.lock, reused: false });
    expect(version(again)).toBe('1.50');
    expect(request.heard).toContain('Installing the versions of the first install');
    expect(version(await all.ensure({ ...request, fresh: '2026-01-01' }))).toBe('1.51');

    await rm(made.path, { recursive: true });
    await rm(join(index, 'streamlit-1.50-py3-none-any.whl'));
    expect(version(await all.ensure(request))).toBe('1.51');
    expect(request.heard).toContain(
      'Warning: these versions can no longer be installed. Installing the newest that requirements.txt allows.',
    );
    expect(await readFile(join(folder, 'locks', `${made.lock}.txt`), 'utf8')).toContain('streamlit==1.51');
    expect(await left()).toHaveLength(2);
  });

  it('installs the same commit of a branch again, and records what an older server has installed', async () => {
    const origin = join(folder, 'origin');
    await writeFiles(origin, Object.fromEntries(Object.entries(STAND_IN).map(([path, text]) => [path.slice(9), text])));
    const commit = (message: string): string => {
      const git = ['-C', origin, '-c', 'user.name=Ada', '-c', 'user.email=a@example.com'];
      execFileSync('git', [...git, 'init', '--quiet', '--initial-branch', 'main']);
      execFileSync('git', [...git, 'add', '.']);
      execFileSync('git', [...git, 'commit', '--quiet', '-m', message]);
      return execFileSync('git', ['-C', origin, 'rev-parse', 'HEAD'], { encoding: 'utf8' }).trim();
    };
    const first = commit('One');
    const all = environments();
    const request = await project(`streamlit @ git+file://${origin}@main\n`, { outside: 'allowed' });
    const made = await all.ensure(request);
    const lock = join(folder, 'locks', `${made.lock}.txt`);
    expect(await readFile(lock, 'utf8')).toBe(`streamlit @ git+file://${origin}@${first}\n`);
    await rm(lock);
    expect(await all.ensure(request)).toMatchObject({ reused: true });
    expect(await readFile(lock, 'utf8')).toBe(`streamlit @ git+file://${origin}@${first}\n`);

    await writeFile(join(origin, 'content.txt'), 'value = 2\n');
    commit('Two');
    await rm(made.path, { recursive: true });
    expect(python(await all.ensure(request), 'import streamlit; print(streamlit.value)')).toBe('1');
  });

  it('gives up a build without a deploy once another one begins, unless a deploy has joined it', async () => {
    const all = environments();
    const more: Promise<Environment>[] = [];
    const next = await project(LOCAL, { localKey: 'next' }, STAND_IN);
    const alone = await project(LOCAL, { yields: true, onSpawn: () => void (more[0] ??= all.ensure(next)) });
    await expect(all.ensure(alone)).rejects.toMatchObject({ code: 'build-cancelled' });

    const last = await project(LOCAL, { localKey: 'last' });
    const joining = await project(LOCAL, { onSpawn: () => void (more[2] ??= all.ensure(last)) });
    const begun = await project(LOCAL, { yields: true, onSpawn: () => void (more[1] ??= all.ensure(joining)) });
    await expect(all.ensure(begun)).rejects.toMatchObject({ code: 'build-cancelled' });
    expect(await Promise.all(more)).toMatchObject([{ reused: false }, { reused: false }, { reused: false }]);
    expect(await drafts()).toEqual([]);
  });

  it('installs once for two deploys that want the same environment, and tells both', async () => {
    const all = environments();
    const [one, two] = [await project(LOCAL, {}, STAND_IN), await project(LOCAL)];
    const made = await Promise.all([all.ensure(one), all.ensure(two)]);
    expect(made[0].hash).toBe(made[1].hash);
    expect(new Set([...one.pids, ...two.pids]).size).toBe(4);
    for (const { heard } of [one, two]) expect(heard.filter((line) => line.includes('+ six==1.17.0'))).toHaveLength(1);
  });

  it('continues for one deploy if the other gives up, and stops if both do', async () => {
    const all = environments();
    const stop = new AbortController();
    const one = await project(LOCAL, { signal: stop.signal, onSpawn: () => stop.abort() }, STAND_IN);
    const two = await project(LOCAL);
    const [first, second] = await Promise.allSettled([all.ensure(one), all.ensure(two)]);
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'build-cancelled' } });
    expect(second).toMatchObject({ status: 'fulfilled', value: { reused: false } });

    const both = new AbortController();
    const options = { signal: both.signal, localKey: 'commit-3', onSpawn: () => both.abort() };
    const results = await Promise.allSettled([
      all.ensure(await project(LOCAL, options)),
      all.ensure(await project(LOCAL, options)),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await drafts()).toEqual([]);
    expect(await readdir(join(folder, 'environments'))).toHaveLength(1);
    // And nothing stands in the way of the next one.
    expect(await all.ensure(await project(LOCAL, { localKey: 'commit-3' }))).toMatchObject({ reused: false });
  });

  it.each([
    ['six==99.0\nstreamlit', 'No version of six==99.0 was found.'],
    ['six>=1.16\nsix<1.0\nstreamlit', 'The requirements conflict: six>=1.16 and six<1.0.'],
    ['streamlit ; nonsense', /Couldn't parse requirement/],
  ])('says briefly why %j cannot be installed, with details in the log', async (text, reason) => {
    const request = await project(text);
    await expect(environments().ensure(request)).rejects.toMatchObject({
      code: 'build-failed',
      kind: 'invalid',
      message: expect.stringMatching(reason) as string,
    });
    expect(request.heard.join('\n')).toMatch(/^error: /m);
    expect(await left()).toEqual([]);
  });

  it('says that a package does not exist', async () => {
    await expect(environments().ensure(await project('streamlit\nno-such-package-of-ours-0\n'))).rejects.toMatchObject({
      message: 'No package named no-such-package-of-ours-0 was found.',
    });
  });

  it('says that an index is unreachable, without its password', async () => {
    const env = { ...surroundings, UV_DEFAULT_INDEX: 'http://me:geheim@127.0.0.1:9/simple', UV_HTTP_RETRIES: '0' };
    const request = await project('some-package-0\nstreamlit');
    const error: unknown = await environments({ env })
      .ensure(request)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'build-failed', message: expect.stringContaining('127.0.0.1:9') as string });
    expect(JSON.stringify([request.heard, String(error)])).not.toContain('geheim');
  });

  it("uses the index in pip's settings", async () => {
    const asked: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url);
      response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const env = { PATH: surroundings.PATH ?? '', HOME: folder, PIP_CONFIG_FILE: join(folder, 'pip.conf') };
      await writeFile(
        env.PIP_CONFIG_FILE,
        `[global]\nindex-url = http://127.0.0.1:${port}/simple\nno-such-option = 1\nfind-links = ${folder}/gone\n`,
      );
      const request = await project('some-package-0\nstreamlit');
      await expect(environments({ env }).ensure(request)).rejects.toMatchObject({ code: 'build-failed' });
      expect(asked).toContain('/simple/some-package-0/');
      // Nothing of what we tell it is deprecated, or unknown to it.
      expect(request.heard.filter((line) => /warning/i.test(line))).toEqual([]);
    } finally {
      server.close();
    }
  });

  it("ignores the app's and the machine's own uv settings", async () => {
    const env = {
      ...surroundings,
      UV_PYTHON: '/nowhere/python',
      UV_SYSTEM_PYTHON: '1',
      UV_PROJECT_ENVIRONMENT: folder,
    };
    const made = await environments({ env }).ensure(
      await project(LOCAL, {}, { ...STAND_IN, 'uv.toml': 'index-url = "http://127.0.0.1:9/simple"\n' }),
    );
    expect(python(made, 'import six, sys; print(sys.prefix)')).toBe(made.path);
  });

  it('stops an install that prints nothing for too long or takes too long', async () => {
    const hang = { ...STAND_IN, 'stand-in/backend.py': 'import time\ntime.sleep(600)\n' };
    const idle = await project(LOCAL, {}, hang);
    await expect(environments({ limits: { totalMs: 60_000, idleMs: 3_000 } }).ensure(idle)).rejects.toMatchObject({
      code: 'build-failed',
      message: 'uv printed nothing for 3 s and was stopped.',
    });
    const long = environments({ limits: { totalMs: 3_000, idleMs: 60_000 } }).ensure(await project(LOCAL));
    await expect(long).rejects.toMatchObject({
      message: expect.stringMatching(/^uv took longer than [\d.]+ s and was stopped\.$/) as string,
    });
    expect(await left()).toEqual([]);
  });

  it('says that the disk is full, and leaves nothing behind', async () => {
    const full = {
      ...STAND_IN,
      'stand-in/backend.py': 'import errno, os\nraise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))\n',
    };
    await expect(environments().ensure(await project(LOCAL, {}, full))).rejects.toMatchObject({
      code: 'disk-full',
      kind: 'unavailable',
    });
    expect(await left()).toEqual([]);
  });

  it('rebuilds one whose Python is gone, and keeps nothing of an interrupted move', async () => {
    const all = environments();
    const made = await all.ensure(await project(LOCAL, {}, STAND_IN));
    await rename(join(made.path, 'bin', 'python'), join(made.path, 'bin', 'gone'));
    expect(await all.ensure(await project(LOCAL))).toMatchObject({ hash: made.hash, reused: false });
    expect(python(made, 'import six')).toBe('');
    expect(await drafts()).toEqual([]);
  });
});

describe('Environments', () => {
  it('lists the available Pythons, and says if there are none', async () => {
    expect(await environments().python()).toMatchObject({
      version: expect.stringMatching(/^3\.\d+\.\d+/) as string,
      implementation: 'cpython',
    });
    const none = environments({ tools: { uv, python: 'python-of-nowhere' } });
    await expect(none.ensure(await project('streamlit'))).rejects.toMatchObject({
      code: 'python-unusable',
      kind: 'unavailable',
    });
  });

  it('builds the same without uv, with scripts that run from their final place', async () => {
    const request = await project('./stand-in\nstreamlit\nsix==1.17.0\nwheel==0.45.1\n', {}, STAND_IN);
    const made = await environments({ tools: { python: 'python3' } }).ensure(request);
    expect(python(made, 'import six, streamlit; print(six.__version__, streamlit.value)')).toBe('1.17.0 1');
    expect(execFileSync(join(made.path, 'bin', 'wheel'), ['version'], { encoding: 'utf8' })).toContain('wheel 0.45.1');
    expect(await drafts()).toEqual([]);
    // With uv too, pip does what uv cannot.
    const failing = await project('six==99.0 --config-settings="a=b"\nstreamlit');
    const [message, printed] = knowsConfigSettings()
      ? ['No version of six==99.0 was found.', 'ERROR: No matching distribution found for six==99.0']
      : ['Invalid requirement: six==99.0 --config-settings=a=b.', 'no such option: --config-settings'];
    await expect(environments().ensure(failing)).rejects.toMatchObject({ message });
    expect(failing.heard.join('\n')).toContain('which uv does not support. Installing with pip.\n');
    expect(failing.heard.join('\n')).toContain(printed);
  });

  it('adds no streamlit if a package of another name brings it', async () => {
    const files = Object.fromEntries(
      Object.entries(STAND_IN).map(([path, text]) => [path, text.replace('"streamlit"', '"streamlit-nightly"')]),
    );
    files['stand-in/backend.py'] = (files['stand-in/backend.py'] ?? '')
      .replaceAll('streamlit-0.0.1', 'streamlit_nightly-0.0.1')
      .replace('Name: streamlit', 'Name: streamlit-nightly');
    const request = await project('streamlit-nightly @ file:./stand-in\n', {}, files);
    const made = await environments().ensure(request);
    expect(request.heard.join('\n')).not.toContain('Adding');
    expect(python(made, 'import streamlit; print(streamlit.value)')).toBe('1');
  });

  it('adds streamlit if the requirements lack it, and says so', async () => {
    // An index with nothing in it: what is looked for shows what would be installed.
    const request = await project('# nothing\n');
    const env = { ...surroundings, PIP_NO_INDEX: '1', PIP_FIND_LINKS: '', PIP_CONFIG_FILE: '/dev/null' };
    const error: unknown = await environments({ env })
      .ensure(request)
      .catch((reason: unknown) => reason);
    expect(request.heard).toContain('requirements.txt does not list streamlit. Adding the latest version.');
    expect(error).toMatchObject({ code: 'build-failed', message: expect.stringContaining('streamlit') as string });
  });
});
