import { chmod, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ROOT, startHost, TOKEN, until, type TestHost } from '../helpers/host.js';
import { Person } from '../helpers/person.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { askRaw } from '../helpers/raw.js';

/** What makes nobody know of the test's host. */
const APART = { STREAMLIT_HOST_URL: undefined, STREAMLIT_HOST_TOKEN: undefined };

/** A host without apps. */
let host: TestHost;
let person: Person;
const cli: Person['run'] = (...given) => person.run(...given);

beforeAll(async () => void (host = await startHost()));
// With a home of their own, so that nobody is logged in by the test before.
beforeEach(async () => void (person = await Person.of(host)));
afterAll(async () => {
  const answers = await fetch(`${host.url}/healthz`).then(
    (answer) => answer.ok,
    () => false,
  );
  if (!answers) throw new Error(`the server ended by itself:\n${host.output}`);
});

function parse(text: string): Record<string, unknown> {
  return JSON.parse(text) as Record<string, unknown>;
}

describe('without a server', () => {
  it('a command says that no server is running, with exit code 3', async () => {
    const { code, stderr, stdout } = await cli(['status'], { env: APART });
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(/^streamlit-host: No server is running on .*\/data\. Start one with .*\n$/);
    expect((await cli(['stop'], { env: APART })).code).toBe(0);
    expect((await cli(['token'], { env: APART })).code).toBe(3);
  });

  it('a usage error, a wrong token and a wrong URL have different messages', async () => {
    const wrong = [['nonsense'], ['restart'], ['logs', 'hello', '-n', '0'], ['start', 'hello', '--detach']];
    expect(await Promise.all(wrong.map(async (args) => (await cli(args)).code))).toEqual([2, 2, 2, 2]);
    expect((await cli(['status'], { env: { STREAMLIT_HOST_TOKEN: 'a-wrong-token-for-the-tests' } })).code).toBe(4);
    const away = await cli(['status', '--json', '--url', 'http://127.0.0.1:1']);
    expect(away.code).toBe(3);
    expect(parse(away.stderr)).toMatchObject({ error: { code: 'not-reachable', exit: 3 } });
    expect((await cli(['--help'])).code).toBe(0);
  });

  it('output that cannot be written is an error, and a folder that is gone is named', async () => {
    const script = join(ROOT, 'scripts/streamlit-host.js');
    const env = { ...process.env, STREAMLIT_HOST_URL: host.url, STREAMLIT_HOST_TOKEN: TOKEN };
    const shell = async (line: string): Promise<{ code: number; stderr: string }> =>
      promisify(execFile)('sh', ['-c', line, process.execPath, script], { env, cwd: person.home }).then(
        ({ stderr }) => ({ code: 0, stderr }),
        ({ code, stderr }: { code: number; stderr: string }) => ({ code, stderr }),
      );
    expect(await shell('"$0" "$1" status > /dev/full')).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^streamlit-host: Could not write the output: .*ENOSPC.*\n$/) as string,
    });
    const gone = await shell('mkdir gone && cd gone && rmdir ../gone && "$0" "$1" status');
    expect(gone.stderr).toMatch(/^streamlit-host: The current folder no longer exists\. Change to another one\.\n$/);
    expect(gone.code).not.toBe(0);
    // Who reads only the first line wants no more of it.
    expect(await shell('"$0" "$1" --help | head -n 1')).toEqual({ code: 0, stderr: '' });
  });

  it('the first steps are shown', async () => {
    expect((await cli(['status'])).stdout).toContain(`git push ${host.url}/git/`);
    expect(parse((await cli(['status', '--json'])).stdout)).toEqual({
      ...{ url: host.url, apps: [], config_mistakes: [], waits_for: [], runtime: { kind: 'process', version: null } },
    });
  });
});

describe('login', () => {
  it('stores nothing if the token is wrong', async () => {
    const { code } = await cli(['login', host.url, '--token-stdin'], { input: 'a-wrong-token-for-the-tests\n' });
    expect(code).toBe(4);
    await expect(readdir(join(person.home, 'config'))).rejects.toThrow('ENOENT');
  });

  it('prompts for the token without echo, and stores it for this user only', async () => {
    const { child, ended, printed } = person.beginOnTerminal(['login', host.url], { env: APART });
    await until('the question', () => printed().includes('Token: '));
    child.stdin?.write(`${TOKEN}\r`);
    const { code, stdout: shown } = await ended;
    expect(shown).toContain(`Logged in to ${host.url}`);
    expect(shown).not.toContain(TOKEN);
    expect(code).toBe(0);
    const file = join(person.home, 'config', 'streamlit-host', 'config.json');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    // From now on nothing else is needed.
    expect((await cli(['status'], { env: APART })).code).toBe(0);
  });

  it('gives git the token if git has a credential helper', async () => {
    const first = await cli(['login', host.url, '--token-stdin', '--git'], { input: TOKEN });
    expect(first.code).toBe(1);
    expect(first.stderr).toContain('credential helper');
    await writeFile(
      join(person.home, 'gitconfig'),
      `[credential]\n\thelper = store --file=${join(person.home, 'passwords')}\n`,
    );
    expect((await cli(['login', host.url, '--token-stdin', '--git'], { input: TOKEN })).code).toBe(0);
    expect(await readFile(join(person.home, 'passwords'), 'utf8')).toContain(`http://admin:${TOKEN}@`);
  });
});

describe('a login link', () => {
  it('logs in once', async () => {
    const { stdout } = await cli(['login-link']);
    const { origin, pathname, search } = new URL(stdout.trim());
    // As a browser opens it from a terminal. What fetch sends is what a script would, and no script logs anybody in.
    const headers = { 'sec-fetch-site': 'none' };
    const cookiesOf = async (): Promise<string> =>
      (await askRaw(origin, pathname + search, { headers })).headers['set-cookie']?.join() ?? '';
    expect(await cookiesOf()).toContain('streamlit_host_session=');
    expect(await cookiesOf()).not.toContain('streamlit_host_session=');
  });
});

describe('the doctor', () => {
  it('tries what the server depends on, says which cage an app has, and fails where one thing is wrong', async () => {
    const own = await startHost();
    person = await Person.of(own);
    await pushLive(await Project.create(textApp('one')), own, 'caged');
    const well = await cli(['doctor', '--json']);
    const { checks } = parse(well.stdout) as { checks: { name: string; ok: boolean }[] };
    expect([well.code, checks.map(({ name, ok }) => [name, ok])]).toEqual([
      0,
      ['cage', 'runtime', 'user', 'origin', 'data', 'leftovers', 'redis', 'disk', 'supervisor'].map((name) => [
        name,
        true,
      ]),
    ]);
    const { cage } = (await own.app('caged')) as { cage: { description: string } };
    expect((await cli(['status', 'caged'])).stdout).toContain(`\nCage: ${cage.description}\n`);
    await chmod(own.data, 0o755);
    const ill = await cli(['doctor']);
    expect(ill.code).toBe(1);
    expect(ill.stdout).toContain(`problem  data        Other users of the machine can read ${own.data}.`);
    expect(ill.stderr).toContain('Problems found: data.');
    const lock = join(own.data, 'apps/caged/repo.git/HEAD.lock');
    await writeFile(lock, '');
    await utimes(lock, 0, 0);
    expect((await cli(['doctor'])).stderr).toContain('Problems found: data, leftovers.');
    expect((await stat(own.data)).mode & 0o777).toBe(0o755);
    const fixed = await cli(['doctor', '--fix']);
    expect(fixed.stdout.split('\n').slice(0, 2)).toEqual([
      `fixed    Only the server can read ${own.data} now.`,
      `fixed    Deleted ${lock}, left by an interrupted git command.`,
    ]);
    expect(fixed.code).toBe(0);
    expect(parse((await cli(['doctor', '--fix', '--json'])).stdout)).toMatchObject({ repairs: [] });
  });
});

describe('the local server', () => {
  const env = { ...APART, STREAMLIT_HOST_PORT: '0', STREAMLIT_HOST_PREBUILD: 'off' };

  it('starts detached, is found and stops, while the server that was logged in to keeps running', async () => {
    const data = join(person.home, 'data');
    const starting = cli(['start', '--detach', '--json'], { env });
    await until('the first is on its way', () => stat(join(data, 'run', 'server.json')).catch(() => undefined));
    const [first, second] = await Promise.all([starting, cli(['start', '--detach', '--json'], { env })]);
    expect([first.code, second.code], first.stderr + second.stderr).toEqual([0, 0]);
    const told = [parse(first.stdout), parse(second.stdout)];
    try {
      // One server, and both know where it is.
      expect(told.map((one) => one.started)).toEqual([true, false]);
      expect(told[0]?.url).toBe(told[1]?.url);
      expect((await fetch(`${String(told[0]?.url)}/healthz`)).status).toBe(200);
      expect((await stat(join(data, 'server.log'))).mode & 0o777).toBe(0o600);

      const again = await cli(['start'], { env });
      expect(again.code).toBe(1);
      expect(again.stderr).toContain(`A server is already running on ${data}: ${String(told[0]?.url)}/`);
      const token = (await cli(['token'], { env })).stdout.trim();
      expect(token).toBe((await readFile(join(data, 'admin-token'), 'utf8')).trim());
      const local = { ...env, XDG_CONFIG_HOME: join(person.home, 'no-login') };
      expect(parse((await cli(['status', '--json'], { env: local })).stdout)).toEqual({
        url: told[0]?.url,
        apps: [],
        config_mistakes: [],
        waits_for: [],
        runtime: { kind: 'process', version: null },
      });
    } finally {
      const stopped = await cli(['stop', '--json'], { env });
      expect(stopped.code, stopped.stderr).toBe(0);
      expect(parse(stopped.stdout)).toMatchObject({ stopped: true, url: told[0]?.url });
    }
    await expect(fetch(`${String(told[0]?.url)}/healthz`)).rejects.toThrow();
    expect((await fetch(`${host.url}/healthz`)).status).toBe(200);
  });

  it('says why it cannot start', async () => {
    const wrong = await cli(['start', '--detach'], { env: { ...env, STREAMLIT_HOST_PORT: 'eighty' } });
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain('found eighty');
    const file = await cli(['start', '--detach'], {
      env: { ...env, STREAMLIT_HOST_DATA: join(ROOT, 'package.json', 'data') },
    });
    expect(file.code).toBe(1);
    expect(file.stderr).toMatch(/^streamlit-host: .*data.*\n$/);
  });
});
