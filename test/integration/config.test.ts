import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ConfiguredApp, configProject, filesWith, JSON_BODY } from '../helpers/configured.js';
import { scratch } from '../helpers/ends.js';
import { readMeta, startHost, until, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { pushLive, refOf, serves, startPush, visit } from '../helpers/pushing.js';

let host: TestHost;
/** What most apps here are made of. It never changes. */
let project: Project;

/** A host that ends older releases soon after their last page was left. */
const start = (data?: string): Promise<TestHost> =>
  startHost({ env: { STREAMLIT_HOST_SESSION_TTL_SECONDS: '1' }, ...(data === undefined ? {} : { data }) });

beforeAll(async () => {
  [host, project] = await Promise.all([start(), configProject()]);
});

const live = (id: string): Promise<ConfiguredApp> => ConfiguredApp.live(host, id, project);

async function commandLines(): Promise<string> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return (await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))).join('\n');
}

describe('config set before the first push', () => {
  it('is only stored, and listed by name', async () => {
    const app = await ConfiguredApp.create(host, 'stored');
    const [vars, secrets] = await app.configure();
    expect(vars).toMatchObject({
      status: 200,
      body: {
        version: 1,
        live_version: null,
        deploy: null,
        vars: [{ name: 'API_KEY', changed_by: 'admin' }, { name: 'EMPTY' }],
      },
    });
    expect(secrets).toMatchObject({ status: 200, body: { version: 2, deploy: null, keys: [], sections: ['db'] } });
    expect(`${vars.text}${secrets.text}`).not.toMatch(app.values);
    expect((await host.app(app.id)).state).toBe('created');
  });

  it('is available when the app starts, and the pusher sees what else the code reads', async () => {
    const app = await ConfiguredApp.create(host, 'available');
    await app.configure();
    const push = await project.git('push', host.remote(app.id), 'main');
    expect(push.code, push.output).toBe(0);
    expect(push.output).toContain('Config: version 2');
    expect(push.output).toContain(
      `hint: app.py reads st.secrets["mail"], which is not set. Add it to the app's secrets.`,
    );
    expect(push.output).toContain(
      `hint: app.py reads os.environ["REGION"], which is not set. Add it to the app's config vars.`,
    );
    expect(push.output.match(/hint:/g)).toHaveLength(2);
    expect(await visit(host, app.id)).toContain(app.text(app.one));
  });

  it('is in no file but the private one of the running process, and on no command line', async () => {
    const app = await live('private');
    expect(await filesWith(host, app.one)).toEqual([]);
    const [file = '', ...more] = await filesWith(host, app.two);
    expect(more).toEqual([]);
    expect(file).toMatch(/^run\/secrets\/private\/1\/\w{8}\/secrets\.toml$/);
    expect((await stat(join(host.data, file))).mode & 0o777).toBe(0o600);
    for (let folder = join(host.data, file, '..'); folder !== join(host.data, 'run'); folder = join(folder, '..'))
      expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect(await commandLines()).not.toMatch(app.values);
    // Only the server and the app itself may know.
    const { pid } = await host.app(app.id);
    expect(await readFile(`/proc/${Number(pid)}/environ`, 'utf8')).toContain(`API_KEY=${app.one}`);
    expect(await readFile(`/proc/${host.pid}/environ`, 'utf8')).not.toContain(app.one);
    expect((await readMeta(host, app.id)).config).toBe(2);
  });

  it('is revealed only on request, which is logged', async () => {
    const app = await live('revealed');
    for (const path of ['', '/config', '/secrets', '/deploys', '/deploys/1', '/logs'])
      expect(await (await app.api(path)).text()).not.toMatch(app.values);
    expect(await (await host.api('/apps')).text()).not.toMatch(app.values);
    expect(host.output).not.toMatch(/"app":"revealed".*were revealed/);
    const vars = (await (await app.api('/config?reveal=1')).json()) as { vars: { name: string; value: string }[] };
    expect(vars.vars).toMatchObject([
      { name: 'API_KEY', value: app.one },
      { name: 'EMPTY', value: '' },
    ]);
    expect(await (await app.api('/secrets?reveal=1')).json()).toMatchObject({
      toml: `[db]\npassword = "${app.two}"\n`,
    });
    await until('it is in the log', () =>
      /"app":"revealed","by":"admin".*the secrets of an app were revealed/.test(host.output),
    );
    expect(host.output).toMatch(/"app":"revealed","by":"admin".*the config vars of an app were revealed/);
    expect(host.output).not.toMatch(app.values);
    expect((await fetch(`${host.url}/api/apps/revealed/config?reveal=1`)).status).toBe(401);
    expect((await app.api('/config?reveal=yes')).status).toBe(422);
  });
});

describe('a config change of a live app', () => {
  it('creates a release of the same commit, without a build, and does not move the branch', async () => {
    const app = await live('changed');
    const before = await serves(host, app.id);
    const changed = await app.setLive('PATCH', 'config', { vars: { API_KEY: app.three, EMPTY: null } });
    expect(changed).toMatchObject({ version: 3, deploy: { source: 'config', commit: before.ref, release: 2 } });
    const after = await serves(host, app.id);
    expect(after).toMatchObject({ release: 2, ref: before.ref, text: app.text(app.three) });
    expect(after.pid).not.toBe(before.pid);
    const { log } = (await (await app.api('/deploys/2')).json()) as { log: { lines: string[] } };
    expect(log.lines.join('\n')).toContain('Reusing the code and environment of release 1');
    expect(log.lines.join('\n')).toContain('The script ran without an exception');
    expect(log.lines.join('\n')).not.toMatch(/dependencies/i);
    const meta = (await readMeta(host, app.id)) as { releases: { environment: string; config: number }[] };
    expect(meta.releases.map(({ config }) => config)).toEqual([2, 3]);
    expect(meta.releases[0]?.environment).toBe(meta.releases[1]?.environment);
    expect(await refOf(host, app.id)).toBe(before.ref);
    await until('the old process has taken its secrets with it', async () => (await app.secretFiles()).length === 1);
    expect((await app.secretFiles())[0]).toContain('/changed/2/');
  });

  it('creates no release if nothing changes', async () => {
    const app = await live('unchanged');
    const { status, body } = await app.set('PATCH', 'config', { vars: { API_KEY: app.one } });
    expect([status, body.deploy, body.version]).toEqual([200, null, 2]);
    expect((await host.app(app.id)).release).toBe(1);
  });

  it('is refused with a sentence if it is invalid, and changes nothing', async () => {
    const app = await live('refused');
    const before = await serves(host, app.id);
    const text = { 'content-type': 'text/plain' };
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const tries: [string, string, unknown, Record<string, string>, number, RegExp][] = [
      ['PATCH', 'config', { vars: { PATH: '/bin' } }, JSON_BODY, 422, /PATH is reserved/],
      [
        'PATCH',
        'config',
        { vars: { STREAMLIT_SERVER_PORT: '1' } },
        JSON_BODY,
        422,
        /STREAMLIT_SERVER_PORT is reserved/,
      ],
      ['PUT', 'config', { vars: { 'A-B': app.two } }, JSON_BODY, 422, /is not a valid name/],
      ['PUT', 'config', { vars: { A: 5 } }, JSON_BODY, 422, /vars\.A/],
      ['PUT', 'config', { A: 'b' }, JSON_BODY, 422, /field-invalid/],
      ['PUT', 'config', `{"vars":{"A":"${app.two}`, JSON_BODY, 400, /not valid JSON/],
      ['PUT', 'config', 'a=b', text, 415, /application\/json/],
      ['PUT', 'config', { vars: { A: 'x'.repeat(2_000_000) } }, JSON_BODY, 413, /larger than/],
      ['PUT', 'secrets', `a = 1\nb = ${app.two} 5\n`, text, 422, /line 2, column \d/],
      ['PUT', 'secrets', { toml: `a = 1\nb = ${app.two} 5\n` }, JSON_BODY, 422, /line 2, column \d/],
      ['PUT', 'secrets', 'a=1', form, 415, /text\/plain/],
    ];
    for (const [method, path, body, headers, status, says] of tries) {
      const answer = await app.set(method, path, body, headers);
      expect([answer.status, answer.text]).toEqual([status, expect.stringMatching(says)]);
      expect(answer.text).not.toContain(app.two);
    }
    expect((await host.send('PUT', '/apps/none/config', { vars: {} })).status).toBe(404);
    expect(await serves(host, app.id)).toEqual(before);
    expect(await (await app.api('/config')).json()).toMatchObject({ version: 2 });
  });

  it('that breaks the script keeps the old release serving, and can be reverted', async () => {
    const app = await ConfiguredApp.create(host, 'fragile');
    const fragile = await Project.create({
      'app.py': 'import os\nimport streamlit as st\n\nst.write("text:" + str(int(os.environ.get("NUMBER", "1"))))\n',
      'requirements.txt': 'streamlit\n',
    });
    await pushLive(fragile, host, app.id);
    const before = await serves(host, app.id);
    const { body } = await app.set('PUT', 'config', { vars: { NUMBER: 'seven-is-no-number' } });
    const failed = await until('the deploy has failed', async () => {
      const deploy = (await (await app.api(`/deploys/${body.deploy?.release}`)).json()) as {
        state: string;
        reason: string;
        log: { lines: string[] };
      };
      return deploy.state === 'failed' && deploy;
    });
    expect(failed.reason).toContain('the script raised an exception');
    expect(failed.log.lines.join('\n')).toContain('ValueError');
    expect(failed.log.lines.join('\n')).not.toContain('seven-is-no-number');
    expect(await serves(host, app.id)).toEqual(before);
    await app.setLive('DELETE', 'config', '');
    expect(await serves(host, app.id)).toMatchObject({ release: 3, text: 'text:1' });
  });

  it('during a deploy is picked up by it, and supersedes nothing', async () => {
    const own = await configProject();
    const app = await ConfiguredApp.live(host, 'during', own);
    const push = startPush(own, host, app.id, '-o', 'nowait', 'main:main');
    expect((await push.done).code).toBe(0);
    await own.commit({ 'notes.txt': 'one' }, 'Notes');
    const second = startPush(own, host, app.id);
    await until('a deploy is under way', async () => {
      const { releases } = (await readMeta(host, app.id)) as { releases: { state: string }[] };
      return ['queued', 'building', 'starting'].includes(releases.at(-1)?.state ?? '');
    });
    const changed = await app.setLive('PATCH', 'config', { vars: { REGION: 'north' } });
    const { code, output } = await second.done;
    expect(code, output).toBe(0);
    const meta = (await readMeta(host, app.id)) as {
      live: number;
      releases: { number: number; config: number; state: string }[];
    };
    expect(meta.releases.find(({ number }) => number === meta.live)?.config).toBe(changed.version);
    expect(meta.releases.some(({ state }) => state === 'superseded')).toBe(false);
    expect(await refOf(host, app.id)).toBe((await own.git('rev-parse', 'HEAD')).output.trim());
  });
});

describe("Streamlit's options", () => {
  it("are the app's own, from its files and as config vars, except for those that the server needs", async () => {
    const names = [
      ...['server.maxUploadSize', 'server.maxMessageSize', 'client.toolbarMode'],
      ...['theme.base', 'server.corsAllowedOrigins'],
    ];
    const own = await Project.create({
      'requirements.txt': 'streamlit\n',
      'app.py': `import streamlit as st\nst.write("text:" + ",".join(str(st.get_option(name)) for name in ${JSON.stringify(names)}))\n`,
      '.streamlit/config.toml':
        '[server]\nmaxUploadSize = 20\nport = 9\ncorsAllowedOrigins = ["https://partner.example"]\n' +
        '[client]\ntoolbarMode = "minimal"\n[theme]\nbase = "dark"\n',
    });
    const app = await ConfiguredApp.create(host, 'options');
    await pushLive(own, host, 'options');
    expect(await visit(host, 'options')).toContain("text:20,200,minimal,dark,['https://partner.example']");
    await app.setLive('PATCH', 'config', {
      vars: {
        STREAMLIT_SERVER_MAX_UPLOAD_SIZE: '30',
        STREAMLIT_SERVER_MAX_MESSAGE_SIZE: '300',
        STREAMLIT_CLIENT_TOOLBAR_MODE: 'developer',
        STREAMLIT_THEME_BASE: 'light',
      },
    });
    expect(await visit(host, 'options')).toContain("text:30,300,developer,light,['https://partner.example']");
    const refused = await app.set('PATCH', 'config', { vars: { STREAMLIT_SERVER_CORS_ALLOWED_ORIGINS: '[]' } });
    expect([refused.status, refused.text]).toEqual([
      422,
      expect.stringContaining('the server sets server.corsAllowedOrigins to run Streamlit behind its own address'),
    ]);
  });
});

describe('[auth] in the secrets', () => {
  it('gets a redirect_uri from the public URL, and a permanent cookie_secret', async () => {
    const app = await live('auth');
    await app.setLive('PUT', 'secrets', {
      toml: `[db]\npassword = "${app.two}"\n\n[auth]\nclient_id = "an-id"\nclient_secret = "its-secret-0b1c"\n`,
    });
    expect(await visit(host, app.id)).toContain(`auth:${host.url}/apps/auth/oauth2callback:64`);
    const [file = ''] = await until('only the live process is left', async () => {
      const files = await app.secretFiles();
      return files.length === 1 && files;
    });
    const [, cookie] = /cookie_secret = "([0-9a-f]{64})"/.exec(await readFile(join(host.data, file), 'utf8')) ?? [];
    expect(cookie).toBeDefined();
    expect(await filesWith(host, cookie ?? '')).toEqual([file]);
    await app.set('POST', 'restart', '', {});
    expect(await visit(host, app.id)).toContain(app.text(app.one));
    const [again = ''] = await until('the old process has gone', async () => {
      const files = await app.secretFiles();
      return files.length === 1 && files[0] !== file && files;
    });
    expect(await readFile(join(host.data, again), 'utf8')).toContain(`cookie_secret = "${cookie}"`);
  });
});

describe('the config of a release', () => {
  it('is restored by a rollback, and kept across a crash, a server restart and a stop', async () => {
    let own = await start();
    const app = await ConfiguredApp.live(own, 'kept', project);
    await app.setLive('PATCH', 'config', { vars: { API_KEY: app.three, EMPTY: null } });
    const state = async (): Promise<Record<string, unknown>> => own.app(app.id);
    const served = (): Promise<string> => visit(own, app.id);
    const running = (): Promise<unknown> => until('it runs', async () => (await state()).state === 'running');

    const { release: newest } = await state();
    const deploy = (await (await own.send('POST', '/apps/kept/rollback', { release: 1 })).json()) as {
      release: number;
    };
    await until('it is back', async () => (await state()).release === deploy.release);
    const old = app.text(app.one);
    expect(await served()).toContain(old);
    expect(await (await app.api('/config')).json()).toMatchObject({ live_version: 2 });

    const { pid } = await state();
    process.kill(Number(pid), 'SIGKILL');
    await until('another process serves', async () => {
      const now = await state();
      return now.state === 'running' && now.pid !== pid;
    });
    expect(await served()).toContain(old);

    const { pid: kept } = await state();
    await until('the release before has ended', async () => (await app.secretFiles()).length === 1);
    const files = await app.secretFiles();
    expect(files).toEqual([
      expect.stringMatching(new RegExp(`^run/secrets/kept/${deploy.release}/\\w{8}/secrets\\.toml$`)),
    ]);
    await own.stop({ keepData: true, keepApps: true });
    await mkdir(join(own.data, 'run', 'secrets', 'kept', '99', '1'), { recursive: true });
    await writeFile(join(own.data, 'run', 'secrets', 'kept', '99', '1', 'secrets.toml'), 'left = "behind"\n');
    await writeFile(join(own.data, 'apps', 'kept', 'cookie-secret'), 'a-plain-secret-of-before\n');
    app.host = own = await start(own.data);
    expect((await state()).pid).toBe(kept);
    expect(await served()).toContain(old);
    expect(await app.secretFiles()).toEqual(files);
    expect(await filesWith(own, 'a-plain-secret-of-before')).toEqual([]);

    await own.stop({ keepData: true });
    expect(await app.secretFiles()).toEqual([]);
    app.host = own = await start(own.data);
    await running();
    expect(await served()).toContain(old);
    expect(await readFile(`/proc/${Number((await state()).pid)}/environ`, 'utf8')).toContain(
      'STREAMLIT_SERVER_COOKIE_SECRET=a-plain-secret-of-before',
    );

    await app.set('POST', 'stop', '', {});
    await until('the secrets are gone', async () => (await app.secretFiles()).length === 0);
    await app.set('POST', 'start', '', {});
    await running();
    expect(await served()).toContain(old);
    const again = (await (await app.api('/redeploy', { method: 'POST' })).json()) as { deploy: { release: number } };
    await until('the newest config is back', async () => (await state()).release === again.deploy.release);
    expect(again.deploy.release).toBeGreaterThan(Number(newest));
    expect(await served()).toContain(app.text(app.three));
  });

  it('is gone with all its values when the app is deleted', async () => {
    const app = await live('deleted');
    await app.setLive('PATCH', 'config', { vars: { API_KEY: app.three } });
    await app.api('?confirm=deleted', { method: 'DELETE' });
    await expect(stat(join(host.data, 'apps', 'deleted'))).rejects.toThrow('ENOENT');
    await until('the secrets are gone', async () => (await app.secretFiles()).length === 0);
    for (const value of [app.one, app.two, app.three]) expect(await filesWith(host, value)).toEqual([]);
  });
});

describe('a data folder with a space in its name', () => {
  it("does not break an app's secrets", async () => {
    const spaced = await start(join(await scratch('spaced-'), 'my data'));
    const app = await ConfiguredApp.create(spaced, 'spaced');
    await app.set('PUT', 'secrets', { toml: `[db]\npassword = "${app.two}"\n` });
    await pushLive(project, spaced, app.id);
    expect(await visit(spaced, app.id)).toContain(app.text(undefined));
  });
});
