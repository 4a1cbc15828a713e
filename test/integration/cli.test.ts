import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeFiles } from '../helpers/files.js';
import { ROOT, startHost, TOKEN, until, type TestHost } from '../helpers/host.js';
import { Person } from '../helpers/person.js';
import { Project, run as runCommand, textApp } from '../helpers/project.js';
import { visit } from '../helpers/pushing.js';
import { askRaw } from '../helpers/raw.js';

/** What makes nobody know of the test's host. */
const APART = { STREAMLIT_HOST_URL: undefined, STREAMLIT_HOST_TOKEN: undefined };

let host: TestHost;
let person: Person;
const cli: Person['run'] = (...given) => person.run(...given);

beforeAll(async () => {
  host = await startHost();
  person = await Person.of(host);
});
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

describe('an app', () => {
  let folder: string;

  beforeAll(async () => {
    folder = join(person.home, 'My Hello');
    await writeFiles(folder, textApp('one'));
  });

  it('is created; a cancelled deploy does not go live', async () => {
    const sent = await cli(['deploy', '--no-wait', '--json'], { cwd: folder });
    expect(sent.code).toBe(0);
    expect(parse(sent.stdout)).toMatchObject({ release: 1 });
    const cancelled = await cli(['cancel', 'my-hello', '1']);
    expect(cancelled).toMatchObject({ code: 0, stdout: 'Release 1 of my-hello is cancelled.\n' });
    expect(await host.app('my-hello')).toMatchObject({ name: 'My Hello', release: null });
  });

  it('is deployed from a folder, and the exit code says that it is live', async () => {
    const { code, stdout } = await cli(['deploy', folder]);
    expect(stdout).toContain(`Live: ${host.url}/apps/my-hello/`);
    expect(code).toBe(0);
    expect(await host.app('my-hello')).toMatchObject({ state: 'running', release: 2 });
  });

  it('is listed in the table, plain in a pipe and in colour on request', async () => {
    const plain = await cli(['status']);
    const [head = '', row = ''] = plain.stdout.split('\n');
    expect(head.split(/\s+/).slice(0, 5)).toEqual(['APP', 'STATE', 'RELEASE', 'PID', 'UPTIME']);
    const app = await host.app('my-hello');
    expect(row.split(/\s+/).slice(0, 4)).toEqual(['my-hello', 'running', '2', String(app.pid)]);
    expect(plain.stdout).not.toContain('\x1b');
    expect((await cli(['status'], { env: { FORCE_COLOR: '1' } })).stdout).toContain('\x1b[32mrunning');
    const json = parse((await cli(['status', '--json'])).stdout) as { apps: object[] };
    expect(json.apps).toMatchObject([{ id: 'my-hello', state: 'running', release: 2 }]);
  });

  it('shows its logs, also as they are written, until the reader has seen enough', async () => {
    expect((await cli(['logs', 'my-hello', '-n', '50'])).stdout).toContain('started pid=');
    expect((await cli(['logs', 'my-hello', '--release', '2'])).stdout).toContain('Live: ');
    const followed = await cli(['logs', 'my-hello', '--build', '-f', '--json']);
    expect(followed.code).toBe(0);
    expect(parse(followed.stdout.trimEnd().split('\n').at(-1) ?? '')).toEqual({
      end: expect.objectContaining({ release: 2, state: 'live' }) as object,
    });

    const { child, ended, printed } = person.begin(['logs', 'my-hello', '-f']);
    await until('the first lines', () => printed().includes('started pid='));
    child.kill('SIGINT');
    await ended;
  });

  it('is watched: every change appears', async () => {
    const { child, ended, printed } = person.begin(['status', '--watch', '--json']);
    const told = (): Record<string, unknown>[] => printed().split('\n').slice(0, -1).map(parse);
    await until('the snapshot', () => told().some((line) => line.event === 'snapshot'));
    const stopped = await cli(['stop', 'my-hello']);
    expect(stopped).toMatchObject({ code: 0, stdout: 'my-hello is stopped.\n' });
    await until('the change', () => told().some((line) => line.event === 'app' && line.state === 'stopped'));
    child.kill('SIGINT');
    await ended;
  });

  it('starts, restarts and prints its URL', async () => {
    expect((await cli(['start', 'my-hello'])).code).toBe(0);
    await until('it runs', async () => (await host.app('my-hello')).state === 'running');
    const before = (await host.app('my-hello')).pid;
    expect((await cli(['restart', 'my-hello'])).code).toBe(0);
    await until('another process', async () => {
      const app = await host.app('my-hello');
      return app.state === 'running' && app.pid !== before;
    });
    expect((await cli(['open', 'my-hello'])).stdout).toBe(`${host.url}/apps/my-hello/\n`);
  });

  it('is put to sleep and has no process until a visitor comes', async () => {
    const asleep = await cli(['sleep', 'my-hello']);
    expect(asleep).toMatchObject({
      code: 0,
      stdout: `my-hello is asleep. The next visit to ${host.url}/apps/my-hello/ wakes it.\n`,
    });
    expect(await host.app('my-hello')).toMatchObject({ state: 'sleeping', pid: null });
    await visit(host, 'my-hello');
    await until('it runs', async () => (await host.app('my-hello')).state === 'running');
  });

  it('keeps its release if the next one fails, and the exit code says so', async () => {
    const broken = join(person.home, 'broken');
    await writeFiles(broken, { ...textApp('two'), 'requirements.txt': 'streamlit\n./there-is-no-such-folder\n' });
    const { code, stderr } = await cli(['deploy', broken, '--app', 'my-hello', '--json']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/"code":"deploy-failed"|requirements/);
    expect(await host.app('my-hello')).toMatchObject({ state: 'running', release: 2 });
  });

  it('lists its deploys', async () => {
    const { deploys } = parse((await cli(['deploys', 'my-hello', '--json'])).stdout) as {
      deploys: { release: number; state: string }[];
    };
    const states = Object.fromEntries(deploys.map(({ release, state }) => [release, state]));
    expect(states).toMatchObject({ 1: 'cancelled', 2: 'live' });
    const { stdout } = await cli(['deploys', 'my-hello', '-n', '1']);
    expect(stdout.trimEnd().split('\n')).toHaveLength(2);
  });

  it('is pushed to through the remote that the command has set, with the token stored in git', async () => {
    const project = await Project.create(textApp('pushed'));
    expect((await cli(['remote', 'my-hello'])).stderr).toContain('git init');
    expect((await cli(['remote', 'my-helo'], { cwd: project.folder })).code).toBe(5);
    expect((await project.git('remote')).output).toBe('');
    expect((await cli(['remote', 'brand-new', '--new'], { cwd: project.folder })).code).toBe(0);
    expect((await cli(['remote', 'my-hello'], { cwd: project.folder })).code).toBe(0);
    expect((await project.git('remote', 'get-url', 'host')).output.trim()).toBe(`${host.url}/git/my-hello.git`);
    const pushed = await runCommand('git', ['push', '--force', 'host', 'main'], project.folder, {
      GIT_CONFIG_GLOBAL: join(person.home, 'gitconfig'),
    });
    expect(pushed.code, pushed.output).toBe(0);
    // From a checkout without changes the commit itself is sent.
    const sent = await cli(['deploy', '--app', 'my-hello'], { cwd: project.folder });
    expect(sent.stderr).toMatch(/Uploading commit [0-9a-f]{7} to my-hello/);
    expect(sent.code).toBe(0);
  });

  it('is redeployed', async () => {
    const { code, stdout } = await cli(['redeploy', 'my-hello', '--json']);
    expect(code).toBe(0);
    expect(parse(stdout)).toMatchObject({ state: 'live', app_url: `${host.url}/apps/my-hello/` });
  });

  it('that is unknown is reported with the closest match, and nothing else is touched', async () => {
    const before = await host.app('my-hello');
    const verbs = [
      ['stop'],
      ['sleep'],
      ['restart'],
      ['logs'],
      ['open'],
      ['deploys'],
      ['redeploy'],
      ['delete', '--confirm', 'my-helo'],
    ];
    const told = await Promise.all(verbs.map(([verb = '', ...rest]) => cli([verb, 'my-helo', ...rest])));
    for (const one of told) {
      expect(one).toEqual({
        code: 5,
        stdout: '',
        stderr: 'streamlit-host: There is no app "my-helo". Did you mean "my-hello"?\n',
      });
    }
    expect(await host.app('my-hello')).toMatchObject({ state: 'running', pid: before.pid, release: before.release });
  });

  it('with an empty name never means the server or all apps', async () => {
    const verbs = ['start', 'stop', 'sleep', 'restart', 'logs', 'redeploy', 'delete', 'destroy'];
    expect(await Promise.all(verbs.map(async (verb) => (await cli([verb, ''])).code))).toEqual(verbs.map(() => 2));
    expect((await host.api('/apps')).status).toBe(200);
    expect((await host.app('my-hello')).state).toBe('running');
  });

  it('is created for a later push, and deleted only if its id is confirmed', async () => {
    expect((await cli(['create', 'Sales Report', '--description', 'Numbers'])).stdout).toContain(
      `git remote add host ${host.url}/git/sales-report.git`,
    );
    expect((await cli(['delete', 'sales-report'])).code).toBe(2);
    expect((await cli(['delete', 'sales-report', '--confirm', 'my-hello'])).code).toBe(2);
    expect(await host.app('sales-report')).toMatchObject({ name: 'Sales Report', state: 'created' });
    expect(await cli(['destroy', 'sales-report', '--confirm', 'sales-report'])).toMatchObject({
      code: 0,
      stdout: 'Deleted sales-report.\n',
    });
    expect((await host.api('/apps/sales-report')).status).toBe(404);
    expect((await cli(['__apps'])).stdout).toBe('my-hello\n');
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
    const well = await cli(['doctor', '--json']);
    const { checks } = parse(well.stdout) as { checks: { name: string; ok: boolean }[] };
    expect([well.code, checks.map(({ name, ok }) => [name, ok])]).toEqual([
      0,
      ['cage', 'runtime', 'user', 'origin', 'data', 'redis', 'disk', 'supervisor'].map((name) => [name, true]),
    ]);
    const { cage } = (await host.app('my-hello')) as { cage: { description: string } };
    expect((await cli(['status', 'my-hello'])).stdout).toContain(`\nCage: ${cage.description}\n`);
    await chmod(host.data, 0o755);
    const ill = await cli(['doctor']);
    await chmod(host.data, 0o700);
    expect(ill.code).toBe(1);
    expect(ill.stdout).toContain(`problem  data        Other users of the machine can read ${host.data}.`);
    expect(ill.stderr).toContain('Problems found: data.');
  });
});

describe('the local server', () => {
  const env = { ...APART, STREAMLIT_HOST_PORT: '0' };

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
