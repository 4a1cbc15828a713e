import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configFile, readConfigFile, writeConfigFile } from '../../../src/cli/config-file.js';
import { dataFolder, findLocal } from '../../../src/cli/local.js';
import { findServer, type Surroundings } from '../../../src/cli/where.js';

let base: string;
let around: Surroundings & { env: Record<string, string> };

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'where-'));
  around = { env: { XDG_CONFIG_HOME: join(base, 'config') }, cwd: join(base, 'cwd'), root: join(base, 'root') };
  await mkdir(around.cwd);
});
afterEach(() => rm(base, { recursive: true, force: true }));

/** A data folder on which a server runs: this very process. */
async function serverOn(data: string, url = 'http://127.0.0.1:8080', token = 'local-token-0123456789'): Promise<void> {
  for (const folder of ['apps', 'run', 'environments']) await mkdir(join(data, folder), { recursive: true });
  await writeFile(join(data, 'admin-token'), `${token}\n`);
  await writeFile(join(data, 'run', 'server.json'), JSON.stringify({ pid: process.pid, startTime: startTime(), url }));
}

function startTime(): string {
  const text = readFileSync('/proc/self/stat', 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

it('the server is that of --url, then STREAMLIT_HOST_URL, then the login, then the local one', async () => {
  await serverOn(join(base, 'root', 'data'));
  expect(await findServer(around)).toEqual({ url: 'http://127.0.0.1:8080', token: 'local-token-0123456789' });
  await writeConfigFile(around.env, { url: 'https://login.example', token: 'login-token' });
  expect(await findServer(around)).toEqual({ url: 'https://login.example', token: 'login-token' });
  around.env.STREAMLIT_HOST_URL = 'https://env.example/tools/';
  around.env.STREAMLIT_HOST_TOKEN = 'env-token';
  expect(await findServer(around)).toEqual({ url: 'https://env.example/tools', token: 'env-token' });
  await writeFile(join(base, 'token'), 'file-token\n');
  const named = { ...around, url: 'https://flag.example', tokenFile: join(base, 'token') };
  expect(await findServer(named)).toEqual({ url: 'https://flag.example', token: 'file-token' });
});

it('the login is ignored by commands for the local server', async () => {
  await serverOn(join(base, 'root', 'data'));
  await writeConfigFile(around.env, { url: 'https://login.example', token: 'login-token' });
  expect((await findServer({ ...around, loggedIn: false })).url).toBe('http://127.0.0.1:8080');
});

it('a missing server is reported with what to do', async () => {
  await expect(findServer(around)).rejects.toMatchObject({
    code: 'no-server',
    message: expect.stringContaining('streamlit-host start') as string,
  });
});

it('a server that is still starting is not used', async () => {
  await serverOn(join(base, 'root', 'data'), '');
  await expect(findServer(around)).rejects.toMatchObject({
    code: 'not-reachable',
    message: expect.stringContaining('still starting') as string,
  });
});

it.each(['ftp://x', 'apps.example.com', 'https://u:p@x', 'https://x/?a=1'])(
  '%s is not a valid server URL',
  async (url) => {
    await expect(findServer({ ...around, url })).rejects.toMatchObject({ code: 'usage' });
  },
);

describe('a token is sent only to its own server', () => {
  beforeEach(async () => {
    await serverOn(join(base, 'root', 'data'));
    await writeConfigFile(around.env, { url: 'https://login.example', token: 'login-token' });
  });

  it('without the stored login or the local token for another URL', async () => {
    expect((await findServer({ ...around, url: 'https://other.example' })).token).toBeUndefined();
  });

  it('and each token is used for its own URL, however that was given', async () => {
    expect((await findServer({ ...around, url: 'https://login.example/' })).token).toBe('login-token');
    expect((await findServer({ ...around, url: 'http://127.0.0.1:8080' })).token).toBe('local-token-0123456789');
  });

  it('and the one in the environment belongs to the URL in the environment', async () => {
    around.env.STREAMLIT_HOST_TOKEN = 'env-token';
    expect((await findServer(around)).token).toBe('login-token');
    expect((await findServer({ ...around, url: 'https://other.example' })).token).toBe('env-token');
    around.env.STREAMLIT_HOST_URL = 'https://env.example';
    expect((await findServer({ ...around, url: 'https://other.example' })).token).toBeUndefined();
  });
});

it('the local server is not a process that happens to have the same pid', async () => {
  const data = join(base, 'data');
  await serverOn(data);
  expect(await findLocal(data)).toMatchObject({ pid: process.pid });
  await writeFile(
    join(data, 'run', 'server.json'),
    JSON.stringify({ pid: process.pid, startTime: '1', url: 'http://x' }),
  );
  expect(await findLocal(data)).toBeUndefined();
});

it.each(['', '{', '{"pid":1}', '[]'])('the local server is not found through a record of %j', async (text) => {
  await mkdir(join(base, 'data', 'run'), { recursive: true });
  await writeFile(join(base, 'data', 'run', 'server.json'), text);
  expect(await findLocal(join(base, 'data'))).toBeUndefined();
});

it("the local data folder is the configured one, else a used one here, else the checkout's", async () => {
  const { cwd, root } = around;
  expect(dataFolder({ STREAMLIT_HOST_DATA: 'there' }, cwd, root)).toBe(join(cwd, 'there'));
  // A folder "data" of an app is no server's.
  await mkdir(join(cwd, 'data'));
  expect(dataFolder({}, cwd, root)).toBe(join(base, 'root', 'data'));
  await serverOn(join(cwd, 'data'));
  expect(dataFolder({}, cwd, root)).toBe(join(cwd, 'data'));
});

it('the config file is for this user only, and written completely or not at all', async () => {
  const file = await writeConfigFile(around.env, { url: 'https://a.example', token: 't' });
  expect(file).toBe(configFile(around.env));
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(join(base, 'config', 'streamlit-host'))).mode & 0o777).toBe(0o700);
  expect(await readConfigFile(around.env)).toEqual({ url: 'https://a.example', token: 't' });
});

it('a config file that cannot be read is reported, with what to do', async () => {
  await writeConfigFile(around.env, { url: 'https://a.example', token: 't' });
  await writeFile(configFile(around.env), '{"url": 1}');
  await expect(readConfigFile(around.env)).rejects.toMatchObject({ code: 'config-broken' });
});

it('the config file is in HOME if XDG_CONFIG_HOME is unset or relative', () => {
  expect(configFile({ HOME: '/home/ada' })).toBe('/home/ada/.config/streamlit-host/config.json');
  expect(configFile({ HOME: '/home/ada', XDG_CONFIG_HOME: 'config' })).toBe(
    '/home/ada/.config/streamlit-host/config.json',
  );
});
