import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
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
  };
  const packed = await exec('npm', ['pack', '--json', '--pack-destination', base], { cwd: ROOT });
  const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }];
  await exec('npm', ['install', '--global', '--prefix', prefix, '--no-audit', '--no-fund', join(base, filename)], {
    env,
    cwd: elsewhere,
  });
  endWithFile(() => run('stop').catch(() => undefined));
});

const run = async (...args: string[]): Promise<string> =>
  (await exec('streamlit-host', args, { env, cwd: elsewhere })).stdout;

test('the package contains the built program, without source and tests', async () => {
  const root = join(prefix, 'lib/node_modules/streamlit-host');
  const names = await readdir(root);
  expect(names).toEqual(expect.arrayContaining(['dist', 'docs', 'hooks', 'public', 'python', 'scripts', 'templates']));
  expect(names).not.toEqual(expect.arrayContaining([expect.stringMatching(/^(src|test|bench|data)$/)]));
  // What only the development needs, the compiler first of all.
  for (const name of ['typescript', 'vitest']) expect(existsSync(join(root, 'node_modules', name))).toBe(false);
  expect(existsSync(join(ROOT, 'npm-shrinkwrap.json'))).toBe(false);
});

test('the command prints the version of the package', async () => {
  const { version } = (await import(join(ROOT, 'package.json'), { with: { type: 'json' } })) as { version: string };
  expect((await run('--version')).trim()).toBe(version);
});

test('the server starts, deploys the example and stops, and writes nothing to its installation', async () => {
  const before = await readdir(join(prefix, 'lib/node_modules/streamlit-host'));
  expect(await run('start', '--detach')).toContain('streamlit-host is running at');
  const said = await run('deploy', join(prefix, 'lib/node_modules/streamlit-host/examples/hello'));
  expect(said).toContain('Live: http');
  const { apps } = JSON.parse(await run('status', '--json')) as { apps: { id: string; state: string }[] };
  expect(apps).toMatchObject([{ id: 'hello', state: 'running' }]);
  await run('stop');
  expect(await readdir(join(prefix, 'lib/node_modules/streamlit-host'))).toEqual(before);
  expect(await readdir(join(env.HOME ?? '', '.local/share/streamlit-host/data'))).toContain('apps');
});
