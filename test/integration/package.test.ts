import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, expect, inject, test } from 'vitest';
import { endWithFile, scratch } from '../helpers/ends.js';
import { ROOT } from '../helpers/host.js';

// The product as npm packs and installs it, on a machine that has no checkout.

const exec = promisify(execFile);
const NETWORK = /^(PIP_|UV_|(HTTPS?|NO)_PROXY$|SSL_CERT_|REQUESTS_CA_BUNDLE$|NODE_EXTRA_CA_CERTS$|npm_config_)/i;

let prefix: string;
let env: Record<string, string>;
let elsewhere: string;
let file: string;

beforeAll(async () => {
  const base = await scratch('package-');
  prefix = join(base, 'prefix');
  elsewhere = join(base, 'elsewhere');
  await mkdir(elsewhere);
  await mkdir(join(base, 'home'));
  const { uv, redisDirs, cacheDir } = inject('tools');
  env = {
    ...Object.fromEntries(
      Object.entries(process.env).filter((entry): entry is [string, string] => NETWORK.test(entry[0])),
    ),
    PATH: [join(prefix, 'bin'), ...(uv === undefined ? [] : [dirname(uv)]), ...redisDirs, process.env.PATH].join(':'),
    HOME: join(base, 'home'),
    UV_CACHE_DIR: cacheDir,
    STREAMLIT_HOST_PORT: '0',
    STREAMLIT_HOST_PICTURES: 'off',
    STREAMLIT_HOST_PREBUILD: 'off',
  };
  const packed = await exec('npm', ['run', '--silent', 'pack', '--', base], { cwd: ROOT });
  file = packed.stdout.trim();
  // Nothing else is downloaded: the registry is out of reach.
  const options = ['--prefix', prefix, '--no-audit', '--no-fund', '--registry', 'http://127.0.0.1:9', '--cache'];
  await exec('npm', ['install', '--global', ...options, join(base, 'npm'), file], { env, cwd: elsewhere });
  endWithFile(() => run('stop').catch(() => undefined));
});

const run = async (...args: string[]): Promise<string> =>
  (await exec('streamlit-host', args, { env, cwd: elsewhere })).stdout;

const installed = (): string => join(prefix, 'lib/node_modules/streamlit-host');

const facts = async (folder: string): Promise<{ version: string; dependencies?: Record<string, string> }> =>
  JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string };

test('npx runs the package in an empty folder, and leaves nothing there', async () => {
  const folder = await scratch('npx-');
  const options = [
    '--yes',
    '--registry',
    'http://127.0.0.1:9',
    '--cache',
    join(dirname(prefix), 'npx'),
    '--package',
    file,
  ];
  const { stdout } = await exec('npx', [...options, '--', 'streamlit-host', '--version'], { env, cwd: folder });
  expect(stdout.trim()).toBe((await facts(ROOT)).version);
  expect(await readdir(folder)).toEqual([]);
});

test('the package contains the built program, without source and tests', async () => {
  const root = installed();
  const names = await readdir(root);
  expect(names).toEqual(expect.arrayContaining(['dist', 'docs', 'hooks', 'public', 'python', 'scripts', 'templates']));
  expect(names).not.toEqual(expect.arrayContaining([expect.stringMatching(/^(src|test|bench|data)$/)]));
});

test('the package needs no other packages, and holds the licence of each library, all of which permit that', async () => {
  const root = installed();
  expect(existsSync(join(root, 'node_modules'))).toBe(false);
  expect(await facts(root)).not.toHaveProperty('dependencies');
  const entries = (await readFile(join(root, 'dist/THIRD-PARTY.txt'), 'utf8')).trim().split(/\n+-{80}\n+/);
  const libraries = entries.map((entry) => {
    const [, name, licence = '', text] = /^(\S+) [\d.]+ \((.+)\)\n\n([^]+)$/.exec(entry) ?? [];
    // "(MIT OR Apache-2.0)" is a choice (https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/).
    for (const one of licence.replace(/^\((.+)\)$/, '$1').split(' OR '))
      expect(['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT', 'MIT-0'], entry).toContain(one);
    expect(text, name).toMatch(/permission|redistribution|licensed? under|grants/i);
    return name;
  });
  const { dependencies } = await facts(ROOT);
  expect(libraries).toEqual(expect.arrayContaining(Object.keys(dependencies ?? {})));
  // The build puts each into a file of its own name.
  const parts = (await readdir(join(root, 'dist/parts'))).map((file) => file.replace(/\.js$/, ''));
  const known = new Set(libraries.map((name) => name?.replace('/', '-')));
  const own = await readdir(join(ROOT, 'src'), { recursive: true });
  const ours = new Set(own.map((file) => basename(file, '.ts')));
  const others = parts.filter((part) => !known.has(part) && !ours.has(part) && !ours.has(part.replace(/\d$/, '')));
  expect(others).toEqual(['rolldown-runtime']);
});

test('a stack trace names functions and lines', async () => {
  const entry = pathToFileURL(join(installed(), 'dist/deploys/reader-worker.cjs')).href;
  const failed = await exec(process.execPath, ['-e', `import('${entry}')`]).catch((error: { stderr: string }) => error);
  expect(failed.stderr).toMatch(/\n\s.*throw new Error\("this module is to be run by a worker thread"\)/);
  expect(failed.stderr).toMatch(/at answerQuestions \(.*\.cjs:\d+:\d+\)/);
});

test('the command prints the version of the package', async () => {
  expect((await run('--version')).trim()).toBe((await facts(ROOT)).version);
});

test('the server starts, deploys the example and stops, and writes nothing to its installation', async () => {
  const before = await readdir(installed());
  expect(await run('start', '--detach')).toContain('streamlit-host is running at');
  const said = await run('deploy', join(installed(), 'examples/hello'));
  expect(said).toContain('Live: http');
  const { apps } = JSON.parse(await run('status', '--json')) as { apps: { id: string; state: string }[] };
  expect(apps).toMatchObject([{ id: 'hello', state: 'running' }]);
  await run('stop');
  expect(await readdir(installed())).toEqual(before);
  expect(await readdir(join(env.HOME ?? '', '.local/share/streamlit-host/data'))).toContain('apps');
});
