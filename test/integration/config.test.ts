import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { join, relative } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildModules } from '../../scripts/lib/setup.js';
import { asClause } from '../../src/lib/words.js';
import { newApp } from '../../src/domain/app/app.js';
import { scratch } from '../helpers/ends.js';
import { readMeta, ROOT, startHost, TOKEN, until, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive, refOf, serves, startPush, visit } from '../helpers/pushing.js';
import { ask } from '../unit/web/support.js';
import { OPENED } from '../helpers/forms.js';

/** Values that stand nowhere but here. */
const ONE = 'value-of-a-var-7f3a';
const TWO = 'password-in-secrets-91cc';
const THREE = 'second-value-of-a-var-55e0';

const hash = (value: string): string => createHash('sha256').update(value).digest('hex').slice(0, 10);

/** Shows what it has by its hash, so that no value is in what it sends. */
const APP = `import hashlib, os
import streamlit as st

def shown(value):
    return hashlib.sha256(value.encode()).hexdigest()[:10] if value else "none"

def secret(section, key):
    try:
        return st.secrets[section][key]
    except Exception:
        return ""

st.write("text:" + shown(os.environ.get("API_KEY", "")) + "-" + shown(secret("db", "password")))
st.write("auth:" + secret("auth", "redirect_uri") + ":" + str(len(secret("auth", "cookie_secret"))))
`;

interface Changed {
  version: number;
  live_version: number | null;
  deploy: { release: number; source: string; commit: string; url: string } | null;
}

let host: TestHost;
/** Where the vault is, for processes that load nothing else. */
let built: string;
let project: Project;

/** A host that ends older releases soon after their last page was left. */
const start = (data?: string): Promise<TestHost> =>
  startHost({ env: { STREAMLIT_HOST_SESSION_TTL_SECONDS: '1' }, ...(data === undefined ? {} : { data }) });

beforeAll(async () => {
  built = await scratch('built-');
  await buildModules(ROOT, built, ['store/vault', 'store/paths']);
  host = await start();
  project = await Project.create({
    'app.py': `${APP}if False:\n    st.secrets["mail"], os.environ["REGION"]\n`,
    'requirements.txt': 'streamlit\n',
  });
});

const json = { 'content-type': 'application/json' };

async function set(
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = json,
): Promise<{ status: number; text: string; body: Changed }> {
  const answer = await host.api(path, {
    method,
    headers,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, text, body: JSON.parse(text) as Changed };
}

/** Sets something of a live app, and waits until the release that it makes is live. */
async function setLive(
  method: string,
  path: string,
  body: unknown,
  headers?: Record<string, string>,
): Promise<Changed> {
  const { status, text, body: changed } = await set(method, path, body, headers);
  expect(status, text).toBe(200);
  const number = changed.deploy?.release;
  await until(`release ${number} is live`, async () => (await host.app(path.split('/')[2] ?? '')).release === number);
  return changed;
}

/** The files below the data folder that hold a text, in any of the forms in which it could stand there. */
async function filesWith(text: string): Promise<string[]> {
  const entries = await readdir(host.data, { recursive: true, withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || path.startsWith(join(host.data, 'environments'))) continue;
    const bytes = await readFile(path).catch(() => Buffer.alloc(0)); // It may be gone by now.
    if (bytes.includes(text) || bytes.includes(Buffer.from(text).toString('base64').slice(0, -4)))
      found.push(relative(host.data, path));
  }
  return found;
}

async function secretFiles(): Promise<string[]> {
  const entries = await readdir(join(host.data, 'run', 'secrets'), { recursive: true }).catch(() => [] as string[]);
  return entries.filter((name) => name.endsWith('secrets.toml')).map((name) => join('run', 'secrets', name));
}

async function commandLines(): Promise<string> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return (await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))).join('\n');
}

describe('config set before the first push', () => {
  it('is only stored, and listed by name', async () => {
    await set('POST', '/apps', { name: 'conf' });
    const vars = await set('PATCH', '/apps/conf/config', { vars: { API_KEY: ONE, EMPTY: '' } });
    expect(vars).toMatchObject({
      status: 200,
      body: {
        version: 1,
        live_version: null,
        deploy: null,
        vars: [{ name: 'API_KEY', changed_by: 'admin' }, { name: 'EMPTY' }],
      },
    });
    const secrets = await set('PUT', '/apps/conf/secrets', `[db]\npassword = "${TWO}"\n`, {
      'content-type': 'text/plain',
    });
    expect(secrets).toMatchObject({ status: 200, body: { version: 2, deploy: null, keys: [], sections: ['db'] } });
    expect(`${vars.text}${secrets.text}`).not.toMatch(new RegExp(`${ONE}|${TWO}`));
    expect((await host.app('conf')).state).toBe('created');
  });

  it('is available when the app starts, and the pusher sees what else the code reads', async () => {
    const push = await project.git('push', host.remote('conf'), 'main');
    expect(push.code, push.output).toBe(0);
    expect(push.output).toContain('Config: version 2');
    expect(push.output).toContain(
      `hint: app.py reads st.secrets["mail"], which is not set. Add it to the app's secrets.`,
    );
    expect(push.output).toContain(
      `hint: app.py reads os.environ["REGION"], which is not set. Add it to the app's config vars.`,
    );
    expect(push.output.match(/hint:/g)).toHaveLength(2);
    expect(await visit(host, 'conf')).toContain(`text:${hash(ONE)}-${hash(TWO)}`);
  });

  it('is in no file but the private one of the running process, and on no command line', async () => {
    expect(await filesWith(ONE)).toEqual([]);
    const [file = '', ...more] = await filesWith(TWO);
    expect(more).toEqual([]);
    expect(file).toMatch(/^run\/secrets\/conf\/1\/\w{8}\/secrets\.toml$/);
    expect((await stat(join(host.data, file))).mode & 0o777).toBe(0o600);
    for (let folder = join(host.data, file, '..'); folder !== join(host.data, 'run'); folder = join(folder, '..'))
      expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect(await commandLines()).not.toMatch(new RegExp(`${ONE}|${TWO}`));
    // Only the server and the app itself may know.
    const { pid } = await host.app('conf');
    expect(await readFile(`/proc/${Number(pid)}/environ`, 'utf8')).toContain(`API_KEY=${ONE}`);
    expect(await readFile(`/proc/${host.pid}/environ`, 'utf8')).not.toContain(ONE);
    expect((await readMeta(host, 'conf')).config).toBe(2);
  });

  it('is revealed only on request, which is logged', async () => {
    for (const path of [
      '/apps/conf',
      '/apps/conf/config',
      '/apps/conf/secrets',
      '/apps/conf/deploys',
      '/apps/conf/deploys/1',
      '/apps/conf/logs',
      '/apps',
    ]) {
      expect(await (await host.api(path)).text()).not.toMatch(new RegExp(`${ONE}|${TWO}`));
    }
    expect(host.output).not.toContain('revealed');
    const vars = (await (await host.api('/apps/conf/config?reveal=1')).json()) as {
      vars: { name: string; value: string }[];
    };
    expect(vars.vars).toMatchObject([
      { name: 'API_KEY', value: ONE },
      { name: 'EMPTY', value: '' },
    ]);
    expect(await (await host.api('/apps/conf/secrets?reveal=1')).json()).toMatchObject({
      toml: `[db]\npassword = "${TWO}"\n`,
    });
    await until('it is in the log', () =>
      /"app":"conf","by":"admin".*the secrets of an app were revealed/.test(host.output),
    );
    expect(host.output).toMatch(/"app":"conf","by":"admin".*the config vars of an app were revealed/);
    expect(host.output).not.toMatch(new RegExp(`${ONE}|${TWO}`));
    expect((await fetch(`${host.url}/api/apps/conf/config?reveal=1`)).status).toBe(401);
    expect((await host.api('/apps/conf/config?reveal=yes')).status).toBe(422);
  });
});

describe('a config change of a live app', () => {
  it('creates a release of the same commit, without a build, and does not move the branch', async () => {
    const before = await serves(host, 'conf');
    const changed = await setLive('PATCH', '/apps/conf/config', { vars: { API_KEY: THREE, EMPTY: null } });
    expect(changed).toMatchObject({ version: 3, deploy: { source: 'config', commit: before.ref, release: 2 } });
    const after = await serves(host, 'conf');
    expect(after).toMatchObject({ release: 2, ref: before.ref, text: `text:${hash(THREE)}-${hash(TWO)}` });
    expect(after.pid).not.toBe(before.pid);
    const { log } = (await (await host.api('/apps/conf/deploys/2')).json()) as { log: { lines: string[] } };
    expect(log.lines.join('\n')).toContain('Reusing the code and environment of release 1');
    expect(log.lines.join('\n')).toContain('The script ran without an exception');
    expect(log.lines.join('\n')).not.toMatch(/dependencies/i);
    const meta = (await readMeta(host, 'conf')) as { releases: { environment: string; config: number }[] };
    expect(meta.releases.map(({ config }) => config)).toEqual([2, 3]);
    expect(meta.releases[0]?.environment).toBe(meta.releases[1]?.environment);
    expect(await refOf(host, 'conf')).toBe(before.ref);
    await until('the old process has taken its secrets with it', async () => (await secretFiles()).length === 1);
    expect((await secretFiles())[0]).toContain('/conf/2/');
  });

  it('creates no release if nothing changes', async () => {
    const { status, body } = await set('PATCH', '/apps/conf/config', { vars: { API_KEY: THREE } });
    expect([status, body.deploy, body.version]).toEqual([200, null, 3]);
    expect((await host.app('conf')).release).toBe(2);
  });

  it('is refused with a sentence if it is invalid, and changes nothing', async () => {
    const before = await serves(host, 'conf');
    const tries: [string, string, unknown, Record<string, string>, number, RegExp][] = [
      ['PATCH', 'config', { vars: { PATH: '/bin' } }, json, 422, /PATH is reserved/],
      ['PATCH', 'config', { vars: { STREAMLIT_SERVER_PORT: '1' } }, json, 422, /STREAMLIT_SERVER_PORT is reserved/],
      ['PUT', 'config', { vars: { 'A-B': TWO } }, json, 422, /is not a valid name/],
      ['PUT', 'config', { vars: { A: 5 } }, json, 422, /vars\.A/],
      ['PUT', 'config', { A: 'b' }, json, 422, /field-invalid/],
      ['PUT', 'config', `{"vars":{"A":"${TWO}`, json, 400, /not valid JSON/],
      ['PUT', 'config', 'a=b', { 'content-type': 'text/plain' }, 415, /application\/json/],
      ['PUT', 'config', { vars: { A: 'x'.repeat(2_000_000) } }, json, 413, /larger than/],
      ['PUT', 'secrets', `a = 1\nb = ${TWO} 5\n`, { 'content-type': 'text/plain' }, 422, /line 2, column \d/],
      ['PUT', 'secrets', { toml: `a = 1\nb = ${TWO} 5\n` }, json, 422, /line 2, column \d/],
      ['PUT', 'secrets', 'a=1', { 'content-type': 'application/x-www-form-urlencoded' }, 415, /text\/plain/],
    ];
    for (const [method, path, body, headers, status, says] of tries) {
      const answer = await set(method, `/apps/conf/${path}`, body, headers);
      expect([answer.status, answer.text]).toEqual([status, expect.stringMatching(says)]);
      expect(answer.text).not.toContain(TWO);
    }
    expect((await host.api('/apps/none/config', { method: 'PUT', headers: json, body: '{"vars":{}}' })).status).toBe(
      404,
    );
    expect(await serves(host, 'conf')).toEqual(before);
    expect(await (await host.api('/apps/conf/config')).json()).toMatchObject({ version: 3 });
  });

  it('that breaks the script keeps the old release serving, and can be reverted', async () => {
    const fragile = await Project.create({
      'app.py': 'import os\nimport streamlit as st\n\nst.write("text:" + str(int(os.environ.get("NUMBER", "1"))))\n',
      'requirements.txt': 'streamlit\n',
    });
    await pushLive(fragile, host, 'fragile');
    const before = await serves(host, 'fragile');
    const { body } = await set('PUT', '/apps/fragile/config', { vars: { NUMBER: 'seven-is-no-number' } });
    const failed = await until('the deploy has failed', async () => {
      const deploy = (await (await host.api(`/apps/fragile/deploys/${body.deploy?.release}`)).json()) as {
        state: string;
        reason: string;
        log: { lines: string[] };
      };
      return deploy.state === 'failed' && deploy;
    });
    expect(failed.reason).toContain('the script raised an exception');
    expect(failed.log.lines.join('\n')).toContain('ValueError');
    expect(failed.log.lines.join('\n')).not.toContain('seven-is-no-number');
    expect(await serves(host, 'fragile')).toEqual(before);
    await setLive('DELETE', '/apps/fragile/config', '');
    expect(await serves(host, 'fragile')).toMatchObject({ release: 3, text: 'text:1' });
  });

  it('during a deploy is picked up by it, and supersedes nothing', async () => {
    const push = startPush(project, host, 'conf', '-o', 'nowait', 'main:main');
    expect((await push.done).code).toBe(0);
    await project.commit({ 'notes.txt': 'one' }, 'Notes');
    const second = startPush(project, host, 'conf');
    await until('a deploy is under way', async () => {
      const { releases } = (await readMeta(host, 'conf')) as { releases: { state: string }[] };
      return ['queued', 'building', 'starting'].includes(releases.at(-1)?.state ?? '');
    });
    const changed = await setLive('PATCH', '/apps/conf/config', { vars: { REGION: 'north' } });
    const { code, output } = await second.done;
    expect(code, output).toBe(0);
    const meta = (await readMeta(host, 'conf')) as {
      live: number;
      releases: { number: number; config: number; state: string }[];
    };
    expect(meta.releases.find(({ number }) => number === meta.live)?.config).toBe(changed.version);
    expect(meta.releases.some(({ state }) => state === 'superseded')).toBe(false);
    expect(await refOf(host, 'conf')).toBe((await project.git('rev-parse', 'HEAD')).output.trim());
  });
});

describe('[auth] in the secrets', () => {
  it('gets a redirect_uri from the public URL, and a permanent cookie_secret', async () => {
    await setLive('PUT', '/apps/conf/secrets', {
      toml: `[db]\npassword = "${TWO}"\n\n[auth]\nclient_id = "an-id"\nclient_secret = "its-secret-0b1c"\n`,
    });
    expect(await visit(host, 'conf')).toContain(`auth:${host.url}/apps/conf/oauth2callback:64`);
    const [file = ''] = await until('only the live process is left', async () => {
      const files = await secretFiles();
      return files.length === 1 && files;
    });
    const [, cookie] = /cookie_secret = "([0-9a-f]{64})"/.exec(await readFile(join(host.data, file), 'utf8')) ?? [];
    expect(cookie).toBeDefined();
    expect(await filesWith(cookie ?? '')).toEqual([file]);
    await set('POST', '/apps/conf/restart', '', {});
    expect(await visit(host, 'conf')).toContain(`text:${hash(THREE)}-${hash(TWO)}`);
    const [again = ''] = await until('the old process has gone', async () => {
      const files = await secretFiles();
      return files.length === 1 && files[0] !== file && files;
    });
    expect(await readFile(join(host.data, again), 'utf8')).toContain(`cookie_secret = "${cookie}"`);
  });
});

describe('a value that the app prints', () => {
  it('is masked for the pusher and in every log of the API and console, and cannot be searched for', async () => {
    await set('POST', '/apps', { name: 'loud' });
    await set('PUT', '/apps/loud/config', { vars: { API_KEY: ONE, SHORT: 'abc' } });
    await set('PUT', '/apps/loud/secrets', { toml: `password = "${TWO}"\n` });
    const code = `import base64, os\nimport streamlit as st\n\nprint("key is", os.environ["API_KEY"], os.environ["SHORT"], flush=True)\nprint("coded", base64.b64encode(("user:" + st.secrets["password"]).encode()).decode(), flush=True)\nst.write("text:loud")\n`;
    const loud = await Project.create({
      'app.py': `${code}raise RuntimeError("cannot log in with " + os.environ["password"])\n`,
      'requirements.txt': 'streamlit\n',
    });
    const failed = await loud.git('push', host.remote('loud'), 'main');
    expect(failed.code).toBe(1);
    expect(failed.output).toContain('RuntimeError: cannot log in with ••••');
    expect(failed.output).toContain('key is •••• abc');
    await loud.commit({ 'app.py': code }, 'Calmer');
    const push = await loud.git('push', host.remote('loud'), 'main');
    expect(push.code, push.output).toBe(0);
    await visit(host, 'loud');
    const bad = new RegExp(
      `${ONE}|${TWO}|${Buffer.from(TWO).toString('base64').slice(0, 20)}|${Buffer.from(`user:${TWO}`).toString('base64').slice(8, 28)}`,
    );
    const logs = [
      '?tail=500',
      '?download=1',
      '?source=build&release=1',
      '?source=build&release=1&download=1',
      '?source=build',
      '?q=key',
    ];
    const said = await Promise.all(logs.map(async (query) => (await host.api(`/apps/loud/logs${query}`)).text()));
    said.push(await (await host.api('/apps/loud/logs', { headers: { accept: 'text/plain' } })).text());
    said.push(
      await (await host.api('/apps/loud/deploys/1')).text(),
      await followed('/apps/loud/logs?follow=1&tail=500', 'key is'),
    );
    const cookie = (await ask(host.loginUrl, { headers: OPENED })).headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    for (const page of ['', '/logs', '/deploys/1', '/logs?q=key'])
      said.push(await page200(`${host.url}/console/apps/loud${page}`, cookie));
    for (const text of [...said, push.output, failed.output]) expect(text).not.toMatch(bad);
    expect(said.filter((text) => text.includes('key is •••• abc')).length).toBe(12);
    const guess = async (text: string): Promise<unknown> => (await host.api(`/apps/loud/logs?q=${text}&tail=1`)).json();
    expect(await guess(ONE.slice(0, 12))).toMatchObject({ lines: [], truncated: false });
    expect(await guess('nobody-says-this')).toMatchObject({ lines: [], truncated: false });
    expect(host.output).not.toMatch(bad);
    // The app's own log is the one file that holds what the app itself prints.
    const files = await filesWith(ONE);
    expect(files.length).toBeGreaterThan(0);
    expect(files.every((file) => file.endsWith('run.log'))).toBe(true);
    await host.api('/apps/loud?confirm=loud', { method: 'DELETE' });
  });
});

describe('the config of a release', () => {
  it('is restored by a rollback, and kept across a crash, a server restart and a stop', async () => {
    const live = (await host.app('conf')).release;
    const deploy = (await (
      await host.api('/apps/conf/rollback', { method: 'POST', headers: json, body: '{"release":1}' })
    ).json()) as { release: number };
    await until('it is back', async () => (await host.app('conf')).release === deploy.release);
    const old = `text:${hash(ONE)}-${hash(TWO)}`;
    expect(await visit(host, 'conf')).toContain(old);
    expect(await (await host.api('/apps/conf/config')).json()).toMatchObject({ live_version: 2 });

    const { pid } = await host.app('conf');
    process.kill(Number(pid), 'SIGKILL');
    await until('another process serves', async () => {
      const app = await host.app('conf');
      return app.state === 'running' && app.pid !== pid;
    });
    expect(await visit(host, 'conf')).toContain(old);

    const { pid: kept } = await host.app('conf');
    await until('the release before has ended', async () => (await secretFiles()).length === 1);
    const files = await secretFiles();
    expect(files).toEqual([
      expect.stringMatching(new RegExp(`^run/secrets/conf/${deploy.release}/\\w{8}/secrets\\.toml$`)),
    ]);
    await host.stop({ keepData: true, keepApps: true });
    await mkdir(join(host.data, 'run', 'secrets', 'conf', '99', '1'), { recursive: true });
    await writeFile(join(host.data, 'run', 'secrets', 'conf', '99', '1', 'secrets.toml'), 'left = "behind"\n');
    await writeFile(join(host.data, 'apps', 'conf', 'cookie-secret'), 'a-plain-secret-of-before\n');
    host = await start(host.data);
    expect((await host.app('conf')).pid).toBe(kept);
    expect(await visit(host, 'conf')).toContain(old);
    expect(await secretFiles()).toEqual(files);
    expect(await filesWith('a-plain-secret-of-before')).toEqual([]);

    await host.stop({ keepData: true });
    expect(await secretFiles()).toEqual([]);
    host = await start(host.data);
    await until('it runs', async () => (await host.app('conf')).state === 'running');
    expect(await visit(host, 'conf')).toContain(old);
    expect(await readFile(`/proc/${Number((await host.app('conf')).pid)}/environ`, 'utf8')).toContain(
      'STREAMLIT_SERVER_COOKIE_SECRET=a-plain-secret-of-before',
    );

    await set('POST', '/apps/conf/stop', '', {});
    await until('the secrets are gone', async () => (await secretFiles()).length === 0);
    await set('POST', '/apps/conf/start', '', {});
    await until('it runs', async () => (await host.app('conf')).state === 'running');
    expect(await visit(host, 'conf')).toContain(old);
    const redeployed = (await (await host.api('/apps/conf/redeploy', { method: 'POST' })).json()) as {
      deploy: { release: number };
    };
    await until(
      'the newest config is back',
      async () => (await host.app('conf')).release === redeployed.deploy.release,
    );
    expect(redeployed.deploy.release).toBeGreaterThan(Number(live));
    expect(await visit(host, 'conf')).toContain(`text:${hash(THREE)}-${hash(TWO)}`);
  });
});

describe('the key', () => {
  it('can be rotated while everything runs', async () => {
    const before = await readFile(join(host.data, 'vault.key'), 'utf8');
    const serving = await serves(host, 'conf');
    const { status, text } = await set('POST', '/config/rotate-key', '', {});
    expect(status).toBe(200);
    expect(JSON.parse(text)).toMatchObject({ problems: [], files: expect.any(Number) as number });
    expect((JSON.parse(text) as { files: number }).files).toBeGreaterThanOrEqual(3);
    expect(await readFile(join(host.data, 'vault.key'), 'utf8')).not.toBe(before);
    expect(await serves(host, 'conf')).toEqual(serving);
    expect(await (await host.api('/apps/conf/config?reveal=1')).text()).toContain(THREE);
  });

  it('that does not match stops one app with a sentence while others run, and restoring the right one recovers it', async () => {
    const plain = await Project.create(textApp('text:plain'));
    await pushLive(plain, host, 'plain');
    await host.stop({ keepData: true });
    const file = join(host.data, 'vault.key');
    const right = await readFile(file);
    await writeFile(
      file,
      JSON.stringify({ version: 1, current: 'other', keys: { other: Buffer.alloc(32, 7).toString('base64') } }),
    );
    host = await start(host.data);
    await until('the other app runs', async () => (await host.app('plain')).state === 'running');
    expect(await visit(host, 'plain')).toContain('text:plain');
    const sentence =
      'The file config.enc of conf was encrypted with a key that is not in vault.key. Restore the key file that belongs to this data folder.';
    await until('the app says why', async () => (await host.app('conf')).state === 'crashed');
    for (const path of ['/apps/conf/config', '/apps/conf/secrets', '/apps/conf/logs']) {
      const answer = await host.api(path);
      expect([answer.status, await answer.json()]).toMatchObject([503, { code: 'vault-key-wrong', detail: sentence }]);
    }
    const refused = await set('PATCH', '/apps/conf/config', { vars: { API_KEY: 'x' } });
    expect([refused.status, refused.text]).toEqual([503, expect.stringContaining(sentence)]);
    const push = await project.git('push', '--force', host.remote('conf'), 'main~1:refs/heads/main');
    expect([push.code, push.output]).toEqual([1, expect.stringContaining(asClause(sentence))]);
    await plain.commit(textApp('text:again'), 'Again');
    await pushLive(plain, host, 'plain');

    await writeFile(file, right);
    await until('the app is back by itself', async () => (await host.app('conf')).state === 'running');
    expect(await visit(host, 'conf')).toContain(`text:${hash(THREE)}-${hash(TWO)}`);
  });

  it('whose rotation was interrupted by a crash is the new one after the next start', async () => {
    const apps = Array.from({ length: 150 }, (_, at) => `filler-${at}`);
    for (const app of apps) {
      await mkdir(join(host.data, 'apps', app), { recursive: true });
      await writeFile(join(host.data, 'apps', app, 'meta.json'), metaOf(app));
    }
    await host.stop({ keepData: true });
    await vaultDoes(
      host.data,
      `await Promise.all(${JSON.stringify(apps)}.map((app) => vault.write(app, 'config', app)));`,
    );
    const before = await ringOf(host.data);
    const child = spawnVault(host.data, 'await vault.rotate();');
    const ended = once(child, 'exit');
    await until('some files are done, and some are not', async () => {
      if (child.exitCode !== null) throw new Error('the change of keys was over too soon');
      const keys = await keysOf(host.data, apps);
      return keys.filter((key) => key !== before.current).length >= 5;
    });
    child.kill('SIGKILL');
    await ended;
    const half = await ringOf(host.data);
    expect(Object.keys(half.keys)).toHaveLength(2);
    expect(new Set(await keysOf(host.data, apps)).size).toBe(2);
    expect(half.keys[before.current]).toBe(before.keys[before.current]);

    host = await start(host.data);
    const after = await ringOf(host.data);
    expect(Object.keys(after.keys)).toEqual([half.current]);
    expect(new Set(await keysOf(host.data, apps))).toEqual(new Set([half.current]));
    expect(await (await host.api('/apps/conf/config?reveal=1')).text()).toContain(THREE);
    await until('it runs', async () => (await host.app('conf')).state === 'running');
    expect(await visit(host, 'conf')).toContain(`text:${hash(THREE)}-${hash(TWO)}`);
    expect((await stat(join(host.data, 'vault.key'))).mode & 0o777).toBe(0o600);
  });

  it('is the last thing gone, with all values, when the app is deleted', async () => {
    await host.api('/apps/conf?confirm=conf', { method: 'DELETE' });
    await expect(stat(join(host.data, 'apps', 'conf'))).rejects.toThrow('ENOENT');
    await until('the secrets are gone', async () => (await secretFiles()).length === 0);
    expect([await filesWith(ONE), await filesWith(TWO), await filesWith(THREE)]).toEqual([[], [], []]);
  });
});

describe('a data folder with a space in its name', () => {
  it("does not break an app's secrets", async () => {
    const spaced = await start(join(await scratch('spaced-'), 'my data'));
    await spaced.send('POST', '/apps', { name: 'conf' });
    await spaced.send('PUT', '/apps/conf/secrets', { toml: `[db]\npassword = "${TWO}"\n` });
    await pushLive(project, spaced, 'conf');
    expect(await visit(spaced, 'conf')).toContain(`text:none-${hash(TWO)}`);
  });
});

/** A page as a browser without Sec-Fetch headers gets it; fetch would say that it is a script. */
async function page200(url: string, cookie: string): Promise<string> {
  const [answer] = (await once(get(url, { headers: { cookie } }), 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  expect([url, answer.statusCode]).toEqual([url, 200]);
  return text;
}

/** Reads an event stream until it holds a text. */
async function followed(path: string, text: string): Promise<string> {
  const stop = new AbortController();
  const answer = await fetch(`${host.url}/api${path}`, {
    headers: { authorization: `Bearer ${TOKEN}` },
    signal: stop.signal,
  });
  let said = '';
  for await (const chunk of answer.body ?? []) {
    said += Buffer.from(chunk as Uint8Array).toString('utf8');
    if (said.includes(text) && said.endsWith('\n\n')) break;
  }
  stop.abort();
  return said;
}

interface Ring {
  current: string;
  keys: Record<string, string>;
}

async function ringOf(data: string): Promise<Ring> {
  return JSON.parse(await readFile(join(data, 'vault.key'), 'utf8')) as Ring;
}

/** The ids of the keys that the files of these apps are under. */
async function keysOf(data: string, apps: string[]): Promise<string[]> {
  return Promise.all(
    apps.map(
      async (app) => (JSON.parse(await readFile(join(data, 'apps', app, 'config.enc'), 'utf8')) as { key: string }).key,
    ),
  );
}

function metaOf(id: string): string {
  return JSON.stringify(newApp(id, id, new Date()));
}

/** A process of its own that works with the vault of a data folder. */
function spawnVault(data: string, work: string): ReturnType<typeof spawn> {
  const code = `const { Vault } = await import(${JSON.stringify(join(built, 'store/vault.js'))});
    const { Paths } = await import(${JSON.stringify(join(built, 'store/paths.js'))});
    const vault = new Vault(new Paths(${JSON.stringify(data)}));
    ${work}`;
  return spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'inherit' });
}

async function vaultDoes(data: string, work: string): Promise<void> {
  const [code] = (await once(spawnVault(data, work), 'exit')) as [number | null];
  expect(code).toBe(0);
}
