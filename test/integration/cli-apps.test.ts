import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeFiles } from '../helpers/files.js';
import { startHost, TOKEN, until, type TestHost } from '../helpers/host.js';
import { Person } from '../helpers/person.js';
import { Project, run as runCommand, textApp } from '../helpers/project.js';
import { pushLive, visit } from '../helpers/pushing.js';

let host: TestHost;
let person: Person;
const cli: Person['run'] = (...given) => person.run(...given);

beforeAll(async () => {
  host = await startHost();
  person = await Person.of(host);
});

function parse(text: string): Record<string, unknown> {
  return JSON.parse(text) as Record<string, unknown>;
}

/** Makes an app live, with its first release. */
async function live(id: string): Promise<void> {
  await pushLive(await Project.create(textApp('one')), host, id);
}

describe('an app', () => {
  it('is created from a folder: a cancelled deploy does not go live, the next one does, and both are listed', async () => {
    const folder = join(person.home, 'My Hello');
    await writeFiles(folder, textApp('one'));
    const sent = await cli(['deploy', '--no-wait', '--json'], { cwd: folder });
    expect(sent.code).toBe(0);
    expect(parse(sent.stdout)).toMatchObject({ release: 1 });
    const cancelled = await cli(['cancel', 'my-hello', '1']);
    expect(cancelled).toMatchObject({ code: 0, stdout: 'Release 1 of my-hello is cancelled.\n' });
    expect(await host.app('my-hello')).toMatchObject({ name: 'My Hello', release: null });

    const { code, stdout } = await cli(['deploy', folder]);
    expect(stdout).toContain(`Live: ${host.url}/apps/my-hello/`);
    expect(code).toBe(0);
    expect(await host.app('my-hello')).toMatchObject({ state: 'running', release: 2 });

    const { deploys } = parse((await cli(['deploys', 'my-hello', '--json'])).stdout) as {
      deploys: { release: number; state: string }[];
    };
    const states = Object.fromEntries(deploys.map(({ release, state }) => [release, state]));
    expect(states).toMatchObject({ 1: 'cancelled', 2: 'live' });
    const newest = await cli(['deploys', 'my-hello', '-n', '1']);
    expect(newest.stdout.trimEnd().split('\n')).toHaveLength(2);
  });

  it('is scaled, and its replicas are listed', async () => {
    await live('scaled');
    const scaled = await cli(['scale', 'scaled', '2']);
    expect(scaled).toMatchObject({ code: 0, stdout: 'scaled has 2 replicas.\n' });
    const { stdout } = await cli(['status', 'scaled']);
    expect(stdout).toMatch(/^REPLICA +STATE +PAGES +PID +UPTIME +MEMORY +CPU +RESTARTS$/m);
    expect(stdout).toMatch(/^ +2 +running +0 +\d+ /m);
    expect(parse((await cli(['status', 'scaled', '--json'])).stdout)).toMatchObject({
      replicas: 2,
      processes: [
        { replica: 1, state: 'ready' },
        { replica: 2, state: 'ready' },
      ],
    });
    const back = await cli(['scale', 'scaled', '1']);
    expect(back.stdout).toContain('scaled has 1 replica.\n');
    const many = await cli(['scale', 'scaled', '17']);
    expect(many).toMatchObject({ code: 1, stderr: expect.stringContaining('from 1 to 16') as string });
    await cli(['stop', 'scaled']);
    expect((await cli(['scale', 'scaled', '3'])).stdout).toBe('scaled will have 3 replicas.\n');
  });

  it('is listed in the table, plain in a pipe and in colour on request', async () => {
    await live('listed');
    const plain = await cli(['status']);
    const [head = '', ...rows] = plain.stdout.split('\n');
    const row = rows.find((one) => one.startsWith('listed ')) ?? '';
    expect(head.split(/\s+/).slice(0, 5)).toEqual(['APP', 'STATE', 'RELEASE', 'PID', 'UPTIME']);
    const app = await host.app('listed');
    expect(row.split(/\s+/).slice(0, 4)).toEqual(['listed', 'running', '1', String(app.pid)]);
    expect(plain.stdout).not.toContain('\x1b');
    expect((await cli(['status'], { env: { FORCE_COLOR: '1' } })).stdout).toContain('\x1b[32mrunning');
    const json = parse((await cli(['status', '--json'])).stdout) as { apps: { id: string }[] };
    expect(json.apps.filter(({ id }) => id === 'listed')).toMatchObject([
      { id: 'listed', state: 'running', release: 1 },
    ]);
  });

  it('shows its logs, also as they are written, until the reader has seen enough', async () => {
    await live('logged');
    expect((await cli(['logs', 'logged', '-n', '50'])).stdout).toContain('started pid=');
    expect((await cli(['logs', 'logged', '--release', '1'])).stdout).toContain('Live: ');
    const followed = await cli(['logs', 'logged', '--build', '-f', '--json']);
    expect(followed.code).toBe(0);
    expect(parse(followed.stdout.trimEnd().split('\n').at(-1) ?? '')).toEqual({
      end: expect.objectContaining({ release: 1, state: 'live' }) as object,
    });

    const { child, ended, printed } = person.begin(['logs', 'logged', '-f']);
    await until('the first lines', () => printed().includes('started pid='));
    child.kill('SIGINT');
    await ended;
  });

  it('is watched: every change appears', async () => {
    await live('watched');
    const { child, ended, printed } = person.begin(['status', '--watch', '--json']);
    const told = (): Record<string, unknown>[] => printed().split('\n').slice(0, -1).map(parse);
    await until('the snapshot', () => told().some((line) => line.event === 'snapshot'));
    const stopped = await cli(['stop', 'watched']);
    expect(stopped).toMatchObject({ code: 0, stdout: 'watched is stopped.\n' });
    await until('the change', () => told().some((line) => line.event === 'app' && line.state === 'stopped'));
    child.kill('SIGINT');
    await ended;
  });

  it('starts, restarts and prints its URL', async () => {
    await live('restarted');
    await host.api('/apps/restarted/stop', { method: 'POST' });
    expect((await cli(['start', 'restarted'])).code).toBe(0);
    await until('it runs', async () => (await host.app('restarted')).state === 'running');
    const before = (await host.app('restarted')).pid;
    expect((await cli(['restart', 'restarted'])).code).toBe(0);
    await until('another process', async () => {
      const app = await host.app('restarted');
      return app.state === 'running' && app.pid !== before;
    });
    expect((await cli(['open', 'restarted'])).stdout).toBe(`${host.url}/apps/restarted/\n`);
  });

  it('is put to sleep and has no process until a visitor comes', async () => {
    await live('drowsy');
    const asleep = await cli(['sleep', 'drowsy']);
    expect(asleep).toMatchObject({
      code: 0,
      stdout: `drowsy is asleep. The next visit to ${host.url}/apps/drowsy/ wakes it.\n`,
    });
    expect(await host.app('drowsy')).toMatchObject({ state: 'sleeping', pid: null });
    await visit(host, 'drowsy');
    await until('it runs', async () => (await host.app('drowsy')).state === 'running');
  });

  it('keeps its release if the next one fails, and the exit code says so', async () => {
    await live('keeping');
    const broken = join(person.home, 'broken');
    await writeFiles(broken, { ...textApp('two'), 'requirements.txt': 'streamlit\n./there-is-no-such-folder\n' });
    const { code, stderr } = await cli(['deploy', broken, '--app', 'keeping', '--json']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/"code":"deploy-failed"|requirements/);
    expect(await host.app('keeping')).toMatchObject({ state: 'running', release: 1 });
  });

  it('is pushed to through the remote that the command has set, with the token stored in git', async () => {
    await live('remoted');
    await writeFile(
      join(person.home, 'gitconfig'),
      `[credential]\n\thelper = store --file=${join(person.home, 'passwords')}\n`,
    );
    expect((await cli(['login', host.url, '--token-stdin', '--git'], { input: TOKEN })).code).toBe(0);
    const project = await Project.create(textApp('pushed'));
    expect((await cli(['remote', 'remoted'])).stderr).toContain('git init');
    expect((await cli(['remote', 'remote'], { cwd: project.folder })).code).toBe(5);
    expect((await project.git('remote')).output).toBe('');
    expect((await cli(['remote', 'brand-new', '--new'], { cwd: project.folder })).code).toBe(0);
    expect((await cli(['remote', 'remoted'], { cwd: project.folder })).code).toBe(0);
    expect((await project.git('remote', 'get-url', 'host')).output.trim()).toBe(`${host.url}/git/remoted.git`);
    const pushed = await runCommand('git', ['push', '--force', 'host', 'main'], project.folder, {
      GIT_CONFIG_GLOBAL: join(person.home, 'gitconfig'),
    });
    expect(pushed.code, pushed.output).toBe(0);
    // From a checkout without changes the commit itself is sent.
    const sent = await cli(['deploy', '--app', 'remoted'], { cwd: project.folder });
    expect(sent.stderr).toMatch(/Uploading commit [0-9a-f]{7} to remoted/);
    expect(sent.code).toBe(0);
  });

  it('is redeployed', async () => {
    await live('redeployed');
    const { code, stdout } = await cli(['redeploy', 'redeployed', '--json']);
    expect(code).toBe(0);
    expect(parse(stdout)).toMatchObject({ state: 'live', app_url: `${host.url}/apps/redeployed/` });
  });

  it('that is unknown is reported with the closest match, and nothing else is touched', async () => {
    await live('archive');
    const before = await host.app('archive');
    const verbs = [
      ['stop'],
      ['sleep'],
      ['restart'],
      ['logs'],
      ['open'],
      ['deploys'],
      ['redeploy'],
      ['delete', '--confirm', 'archiv'],
    ];
    const told = await Promise.all(verbs.map(([verb = '', ...rest]) => cli([verb, 'archiv', ...rest])));
    for (const one of told) {
      expect(one).toEqual({
        code: 5,
        stdout: '',
        stderr: 'streamlit-host: There is no app "archiv". Did you mean "archive"?\n',
      });
    }
    expect(await host.app('archive')).toMatchObject({ state: 'running', pid: before.pid, release: before.release });
  });

  it('with an empty name never means the server or all apps', async () => {
    await live('untouched');
    const verbs = ['start', 'stop', 'sleep', 'restart', 'logs', 'redeploy', 'delete', 'destroy'];
    expect(await Promise.all(verbs.map(async (verb) => (await cli([verb, ''])).code))).toEqual(verbs.map(() => 2));
    expect((await host.api('/apps')).status).toBe(200);
    expect((await host.app('untouched')).state).toBe('running');
  });

  it('is created for a later push, and deleted only if its id is confirmed', async () => {
    expect((await cli(['create', 'Sales Report', '--description', 'Numbers'])).stdout).toContain(
      `git remote add host ${host.url}/git/sales-report.git`,
    );
    expect((await cli(['delete', 'sales-report'])).code).toBe(2);
    expect((await cli(['delete', 'sales-report', '--confirm', 'sales'])).code).toBe(2);
    expect(await host.app('sales-report')).toMatchObject({ name: 'Sales Report', state: 'created' });
    expect(await cli(['destroy', 'sales-report', '--confirm', 'sales-report'])).toMatchObject({
      code: 0,
      stdout: 'Deleted sales-report.\n',
    });
    expect((await host.api('/apps/sales-report')).status).toBe(404);
    await host.send('POST', '/apps', { name: 'beside' });
    const known = (await cli(['__apps'])).stdout.split('\n');
    expect(known).toContain('beside');
    expect(known).not.toContain('sales-report');
  });
});
