import { readdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT, startHost, TOKEN, until, type TestHost } from '../helpers/host.js';
import { below, fileApp, freePorts, Installation } from '../helpers/installation.js';
import { Project, run, textApp } from '../helpers/project.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';

interface Refreshed {
  notes: string[];
  apps: { app: string; outcome: string; sentence: string }[];
}

interface AppAnswer {
  state: string;
  pid: number | null;
  port: number | null;
  release: number | null;
  folder: string | null;
  last_deploy: { state: string; reason: string | null; by: string } | null;
}

/** Names each TCP port that the app's process listens on, with what its connections inherit of TCP_NODELAY. */
const SOCKETS = `
import os, socket

for name in os.listdir("/proc/self/fd"):
    try:
        one = socket.socket(fileno=os.dup(int(name)))
    except OSError:
        continue
    with one:
        if one.family == socket.AF_INET and one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            delays = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
            st.text("port %d answers %s" % (one.getsockname()[1], "late" if delays else "at once"))
`;

// One old installation and one server that takes it over live through all of it.
let old: Installation;
let ours: Installation;
let host: TestHost;
let ports: number[];
let busy: Server;

beforeAll(async () => {
  [old, ours, ports] = [await Installation.create(), await Installation.create(), await freePorts(3)];
  // Somebody's script beside the apps is none, and must not be run.
  await ours.write({
    ...below('apps/plain', { ...fileApp('the plain one'), 'app.py': fileApp('')['app.py'] + SOCKETS }),
    'apps/scripts/clean_up.py': 'open("was-run", "w")\n',
  });
  host = await startHost({ env: ours.env });
});

afterAll(async () => {
  busy?.close();
});

async function post(
  path: string,
  body?: object,
): Promise<{ status: number; json: Refreshed & { detail?: string; code?: string } }> {
  const answer = body === undefined ? await host.api(path, { method: 'POST' }) : await host.send('POST', path, body);
  return { status: answer.status, json: (await answer.json()) as Refreshed & { detail?: string } };
}

async function refresh(): Promise<Refreshed> {
  return (await post('/refresh')).json;
}

async function app(id: string): Promise<AppAnswer> {
  return (await host.app(id)) as unknown as AppAnswer;
}

async function running(id: string): Promise<AppAnswer> {
  return until(`${id} runs`, async () => {
    const answer = await app(id);
    return answer.state === 'running' && answer;
  });
}

async function page(id: string, open?: { session: string; path: string }): Promise<StreamlitClient> {
  return StreamlitClient.connect(`${host.url}/apps/${id}/`, open ?? {});
}

/** What a new visitor sees. */
async function shown(id: string): Promise<string> {
  const client = await page(id);
  try {
    return (await client.run()).join('\n');
  } finally {
    await client.close();
  }
}

describe('a folder of apps', () => {
  it('is found at startup: each app is added to config.json, runs in place and has a URL', async () => {
    const { pid, port, folder } = await running('plain');
    const { apps } = await ours.config();
    expect(Object.keys(apps)).toEqual(['plain']);
    expect(apps.plain).toEqual({
      name: 'plain',
      url: '/plain/',
      dir: 'apps/plain',
      port,
      description: '',
      restart_on_crash: true,
    });
    expect(folder).toBe(ours.path('apps/plain'));
    expect(await readlink(`/proc/${pid}/cwd`)).toBe(ours.path('apps/plain'));
    expect(await shown('plain')).toBe(`the plain one\nport ${port} answers at once`);
    const moved = await fetch(`${host.url}/plain/page?a=1`, { redirect: 'manual' });
    expect([moved.status, moved.headers.get('location')]).toEqual([302, '/apps/plain/page?a=1']);
  });
});

describe('an old installation', () => {
  beforeAll(async () => {
    await old.makeVenv(old.path('elsewhere/env'), host, 'plain');
    await old.write({
      ...below('apps/sales', fileApp('sales of the old one')),
      ...below('apps/own', { 'dash.py': 'import streamlit as st\n\nst.text("with its own environment")\n' }),
      ...below('apps/fragile', fileApp('fragile')),
    });
    busy = createServer().listen(ports[1], '127.0.0.1');
    await old.setConfig({
      website_port: 5000,
      owner: 'Ada',
      apps: {
        sales: {
          name: 'Sales',
          url: '/sales/',
          app: old.path('apps/sales/app.py'),
          venv: '',
          port: ports[0],
          description: 'What was sold',
          restart_on_crash: true,
          contact: 'ada@example.com',
        },
        own: {
          name: 'Own',
          url: '/tools/own/',
          app: 'apps/own/dash.py',
          venv: 'elsewhere/env',
          port: ports[1],
          description: '',
          restart_on_crash: true,
        },
        fragile: {
          name: 'Fragile',
          url: '/fragile/',
          dir: old.path('apps/fragile'),
          venv: null,
          port: ports[2],
          description: '',
          restart_on_crash: false,
        },
      },
    });
  });

  it('is imported with all its apps, which run where they are, and importing again is safe', async () => {
    const { status, json } = await post('/import', { path: old.folder });
    expect([status, json.apps.map(({ app: id, outcome }) => [id, outcome])]).toEqual([
      200,
      [
        ['sales', 'added'],
        ['own', 'added'],
        ['fragile', 'added'],
      ],
    ]);
    expect(json.notes.join()).toContain('website_port 5000 applies from the next start');
    const sales = await running('sales');
    expect([sales.folder, sales.port, await readlink(`/proc/${sales.pid}/cwd`)]).toEqual([
      old.path('apps/sales'),
      ports[0],
      old.path('apps/sales'),
    ]);
    const own = await running('own');
    expect(await readFile(`/proc/${own.pid}/cmdline`, 'utf8')).toContain(old.path('elsewhere/env/bin/python'));
    expect([await shown('sales'), await shown('own'), await shown('fragile')]).toEqual([
      expect.stringContaining('sales of the old one'),
      expect.stringContaining('with its own environment'),
      expect.stringContaining('fragile'),
    ]);

    const written = await ours.config();
    expect(Object.keys(written.apps)).toEqual(['plain', 'sales', 'own', 'fragile']);
    expect(written.apps.sales).toMatchObject({
      contact: 'ada@example.com',
      dir: old.path('apps/sales'),
      app: old.path('apps/sales/app.py'),
    });
    const again = (await post('/import', { path: old.path('config.json') })).json;
    expect(again.apps.map(({ outcome }) => outcome)).toEqual(['unchanged', 'unchanged', 'unchanged']);
    expect(await ours.config()).toEqual(written);
    expect((await app('sales')).pid).toBe(sales.pid);
    expect((await old.config()).owner).toBe('Ada');
  });

  it('reports which app holds a requested port, and uses the next free one', async () => {
    expect((await running('own')).port).not.toBe(ports[1]);
    const { log } = (await (await host.api('/apps/own/deploys/1')).json()) as { log: { lines: string[] } };
    expect(log.lines.join('\n')).toMatch(
      new RegExp(`Port ${ports[1]} is in use by \\S.* \\(pid ${process.pid}\\); using port \\d+ instead`),
    );
  });

  it('has its logs in the expected place', async () => {
    const log = await until('the log of sales is linked', () =>
      readFile(ours.path('logs/sales.log'), 'utf8').catch(() => undefined),
    );
    expect(log).toMatch(/started pid=\d+ port=\d+/);
    expect(await readFile(ours.path('logs/controller.log'), 'utf8')).toMatch(
      /^\[[^\]]+\] info .*a release is live app=sales/m,
    );
    await host.api('/apps?q=secret');
    const line = await until('the request is written down', async () => {
      const text = await readFile(ours.path('logs/website.log'), 'utf8');
      return /\] GET \/api\/apps 200 \d+ ms/.test(text) && text;
    });
    expect(line).not.toContain('secret');
  });

  it('is refused with a sentence if it does not exist, and nothing changes', async () => {
    const before = await ours.config();
    const { status, json } = await post('/import', { path: old.path('nowhere') });
    expect([status, json.code]).toEqual([404, 'import-missing']);
    expect(await ours.config()).toEqual(before);
  });
});

describe('refresh', () => {
  it('restarts only apps whose code or settings changed, keeps open pages, and starts nothing that was stopped', async () => {
    const [sales, own, plain] = await Promise.all(['sales', 'own', 'plain'].map(running));
    const open = await page('sales');
    await open.run();
    await post('/apps/plain/stop');
    await old.write({
      'apps/sales/app.py': 'import streamlit as st\n\nst.text("new: " + open("data/text.txt").read())\n',
      'apps/own/data.csv': 'a,b\n',
      'apps/sales/data/text.txt': 'more sales',
    });
    const config = await ours.config();
    config.apps.own = { ...config.apps.own, name: 'Our own', restart_on_crash: false };
    config.apps.plain = { ...config.apps.plain, description: 'Stopped by a person' };
    await ours.setConfig(config);

    const { apps } = await refresh();
    expect(Object.fromEntries(apps.map(({ app: id, outcome }) => [id, outcome]))).toEqual({
      plain: 'changed',
      sales: 'restarted',
      own: 'changed',
      fragile: 'unchanged',
    });
    expect(apps.find(({ app: id }) => id === 'sales')?.sentence).toBe('Its code changed.');
    expect((await app('own')).pid).toBe(own?.pid);
    expect(await app('plain')).toMatchObject({ state: 'stopped', pid: null });
    expect((await app('sales')).pid).not.toBe(sales?.pid);
    expect(await shown('sales')).toContain('new: more sales');
    // The page that was open has the process that it had.
    expect((await open.run()).join('\n')).not.toContain('new: ');
    await open.close();
    await post('/apps/plain/start');
    expect((await running('plain')).pid).not.toBe(plain?.pid);
  });

  it('keeps the old process serving if the saved code is broken, and says what is wrong', async () => {
    const { pid } = await running('sales');
    const good = await readFile(old.path('apps/sales/app.py'), 'utf8');
    await old.write({ 'apps/sales/app.py': 'import streamlit as st\nraise SystemError("no")\n' });
    const failed = (await refresh()).apps.find(({ app: id }) => id === 'sales');
    expect(failed).toMatchObject({
      outcome: 'failed',
      sentence: expect.stringMatching(/the script raised an exception.*stays live\.$/i) as unknown,
    });
    expect(await app('sales')).toMatchObject({ state: 'running', pid });
    await old.write({ 'apps/sales/app.py': good });
    expect((await refresh()).apps.find(({ app: id }) => id === 'sales')?.outcome).toBe('unchanged');
    expect((await app('sales')).pid).toBe(pid);
  });

  it('reports all errors in config.json at once, and keeps the last valid version', async () => {
    const good = await readFile(ours.path('config.json'), 'utf8');
    const before = await Promise.all(['plain', 'sales', 'own'].map(async (id) => (await running(id)).pid));
    await ours.write({ 'config.json': good.replace('"website_port"', 'website_port') });
    const broken = await refresh();
    expect(broken.notes).toEqual([expect.stringMatching(/config\.json, line \d+, column \d+: invalid JSON/)]);
    // Who did not start that look sees it as well.
    expect(((await (await host.api('/apps')).json()) as { config_mistakes: string[] }).config_mistakes).toEqual(
      broken.notes,
    );
    const config = JSON.parse(good) as { apps: Record<string, Record<string, unknown>> };
    await ours.setConfig({
      ...config,
      apps: {
        ...config.apps,
        sales: { ...config.apps.sales, port: 'eighty', url: '/console/x' },
        own: { ...config.apps.own, url: '/plain/' },
      },
    });
    const wrong = await refresh();
    expect(wrong.notes.join('\n')).toContain('apps.sales.port must be a whole number from 1 to 65535 (found "eighty")');
    await rm(ours.path('config.json'));
    const gone = await refresh();
    expect(gone.notes).toEqual([expect.stringMatching(/config\.json no longer exists\.$/)]);
    for (const { apps } of [broken, wrong, gone])
      expect(apps.every(({ outcome }) => outcome === 'unchanged')).toBe(true);
    expect(await Promise.all(['plain', 'sales', 'own'].map(async (id) => (await app(id)).pid))).toEqual(before);
    await ours.write({ 'config.json': good });
    expect((await refresh()).notes).toEqual([]);
    expect(((await (await host.api('/apps')).json()) as { config_mistakes: string[] }).config_mistakes).toEqual([]);
  });

  it('says in a sentence what an app lacks, while others run, and removes a missing app but not its files', async () => {
    const config = await ours.config();
    const lacking = {
      nofolder: { dir: old.path('not/there') },
      nofile: { app: old.path('apps/sales/gone.py') },
      novenv: { dir: old.path('apps/own'), app: 'dash.py', venv: old.path('no/env') },
    };
    await ours.setConfig({ ...config, apps: { ...config.apps, ...lacking } });
    const { apps } = await refresh();
    const said = Object.fromEntries(
      apps.filter(({ outcome }) => outcome === 'failed').map(({ app: id, sentence }) => [id, sentence]),
    );
    expect(said).toEqual({
      nofolder: expect.stringMatching(/^The app folder \S+not\/there does not exist\. /) as unknown,
      nofile: expect.stringMatching(/^The main file \S+gone\.py does not exist\. /) as unknown,
      novenv: expect.stringMatching(/^The virtual environment \S+no\/env does not exist\. /) as unknown,
    });
    expect(await app('novenv')).toMatchObject({
      state: 'failed',
      last_deploy: { reason: expect.stringContaining('no/env does not exist') as unknown },
    });
    await running('sales');
    await ours.setConfig(config);
    const removed = (await refresh()).apps.filter(({ outcome }) => outcome === 'removed').map(({ app: id }) => id);
    expect(removed.sort()).toEqual(['nofile', 'nofolder', 'novenv']);
    expect((await host.api('/apps/novenv')).status).toBe(404);
    await stat(old.path('apps/own/dash.py'));
  });
});

describe('a folder that cannot be read', () => {
  it('is skipped with a message, and hides no other app', async () => {
    await ours.write({
      ...below('apps/ashore', fileApp('found all the same')),
      ...below('apps/adrift', fileApp('never seen')),
    });
    await symlink('streamlit-host.toml', ours.path('apps/adrift/streamlit-host.toml'));
    const { notes, apps } = await refresh();
    expect(notes).toEqual([expect.stringMatching(/Cannot read .*apps\/adrift, so it is skipped: ELOOP/)]);
    expect(apps.filter(({ outcome }) => outcome === 'added').map(({ app: id }) => id)).toEqual(['ashore']);
    expect(await shown('ashore')).toContain('found all the same');
    await rm(ours.path('apps/adrift'), { recursive: true });
  });
});

describe('the command line', () => {
  const cli = (...args: string[]): ReturnType<typeof run> =>
    run(process.execPath, [join(ROOT, 'scripts/streamlit-host.js'), ...args], old.folder, {
      STREAMLIT_HOST_URL: host.url,
      STREAMLIT_HOST_TOKEN: TOKEN,
      HOME: old.folder,
    });

  it('prints the outcome for each app in a table, and exits with 1 if one failed', async () => {
    const done = await cli('import', '.');
    expect([done.code, done.output]).toEqual([
      0,
      expect.stringMatching(/^APP +OUTCOME +WHY\nsales +unchanged +No changes\.\nown /),
    ]);
    const config = await ours.config();
    await ours.setConfig({ ...config, apps: { ...config.apps, gone: { dir: old.path('gone') } } });
    const failed = await cli('refresh');
    expect([failed.code, failed.output]).toEqual([
      1,
      expect.stringMatching(/gone +failed +The app folder \S+ does not exist/),
    ]);
    expect((await cli('status')).output).toMatch(/\n\ngone: The app folder \S+ does not exist/);
    await ours.setConfig(config);
    expect((await cli('refresh')).code).toBe(0);
    expect(await cli('adopt', 'sails')).toEqual({
      code: 5,
      output: expect.stringContaining('Did you mean "sales"?') as unknown,
    });
  });
});

describe('the server', () => {
  it('that stops keeps in-place apps running; the next one adopts them and deploys what changed since', async () => {
    const [sales, plain] = await Promise.all(['sales', 'plain'].map(running));
    await host.signal('SIGTERM');
    await ours.write({ 'apps/plain/app.py': 'import streamlit as st\n\nst.text("changed meanwhile")\n' });
    host = await startHost({ data: host.data, env: ours.env });
    expect(await running('sales')).toMatchObject({ pid: sales?.pid, port: sales?.port, release: sales?.release });
    await until('the other is deployed', async () => (await app('plain')).release === (plain?.release ?? 0) + 1);
    expect(await shown('plain')).toContain('changed meanwhile');
  });
});

describe('an in-place app', () => {
  it('rejects pushes, edits, renames and deletion, and says where its files are', async () => {
    const { pid } = await running('sales');
    const project = await Project.create(textApp('pushed'));
    const pushed = await project.git('push', host.remote('sales'), 'main');
    expect([pushed.code, pushed.output]).toEqual([1, expect.stringContaining('streamlit-host adopt sales')]);
    const edited = await host.api('/apps/sales/files/app.py', { method: 'PUT', body: 'x = 1\n' });
    const renamed = await host.send('PATCH', '/apps/sales', { name: 'X' });
    const destroyed = await host.api('/apps/sales?confirm=sales', { method: 'DELETE' });
    const back = await host.send('POST', '/apps/sales/rollback', { release: 1 });
    expect([edited.status, renamed.status, destroyed.status, back.status]).toEqual([409, 409, 409, 409]);
    expect(await edited.text()).toContain(old.path('apps/sales'));
    // What config.json does not say can be said here.
    const tagged = await host.send('PATCH', '/apps/sales', { name: 'Sales', tags: ['north'] });
    expect([tagged.status, ((await tagged.json()) as { tags: string[] }).tags]).toEqual([200, ['north']]);
    expect((await host.api('/apps/sales/config')).status).toBe(200);
    expect((await host.api('/apps/sales/deploys/1/diff')).status).toBe(200);
    // What it has can be looked at.
    const { files } = (await (await host.api('/apps/sales/files')).json()) as { files: { path: string }[] };
    expect(files.map((file) => file.path)).toEqual(['app.py', 'data/text.txt', 'requirements.txt']);
    expect(await (await host.api('/apps/sales/files/data/text.txt')).text()).toBe('more sales');
    expect((await app('sales')).pid).toBe(pid);
  });

  it('serves the frontend of the Streamlit that its owner installs in its environment', async () => {
    const script = async (): Promise<string> => {
      // fetch says of itself that it opens no page.
      const html = await new Promise<string>((resolve, reject) => {
        get(
          `${host.url}/apps/own/`,
          { headers: { accept: 'text/html' } },
          (answer) => void text(answer).then(resolve, reject),
        ).once('error', reject);
      });
      const path = /src="(\/_streamlit\/[^"]+\/index\.[^"]+\.js)"/.exec(html)?.[1];
      if (path === undefined) throw new Error(`the page names no script:\n${html}`);
      return path;
    };
    const before = await script();
    const lib = old.path('elsewhere/env/lib');
    const folder = join(lib, (await readdir(lib))[0] ?? '', 'site-packages/streamlit/static');
    const name = before.slice(before.lastIndexOf('/') + 1);
    const html = await readFile(join(folder, 'index.html'), 'utf8');
    await rename(join(folder, 'static/js', name), join(folder, 'static/js/index.Upgraded.js'));
    // Its other links are other environments' pages.
    await rm(join(folder, 'index.html'));
    await writeFile(join(folder, 'index.html'), html.replaceAll(name, 'index.Upgraded.js'));
    expect((await post('/apps/own/restart')).status).toBe(200);
    const after = await script();
    expect(after).toMatch(/\/index\.Upgraded\.js$/);
    expect((await fetch(`${host.url}${after}`)).status).toBe(200);
  });

  it('that is watched is deployed when its code changes, not when its data does', async () => {
    const config = await ours.config();
    config.apps.fragile = { ...config.apps.fragile, watch: true };
    await ours.setConfig(config);
    expect((await refresh()).apps.find(({ app: id }) => id === 'fragile')?.outcome).toBe('changed');
    const { release } = await running('fragile');
    await old.write({ 'apps/fragile/data/text.txt': 'other data' });
    await old.write({ 'apps/fragile/app.py': 'import streamlit as st\n\nst.text("seen by the watcher")\n' });
    const after = await until('it is deployed', async () => {
      const answer = await app('fragile');
      return answer.release === (release ?? 0) + 1 && answer;
    });
    expect(after.last_deploy?.by).toBe("the folder's watcher");
    expect(await shown('fragile')).toContain('seen by the watcher');
  });

  it('is still watched when another folder or a link takes the place of its folder', async () => {
    const { release } = await running('fragile');
    const deployed = async (by: number, text: string): Promise<void> => {
      await until(`"${text}" is deployed`, async () => (await app('fragile')).release === (release ?? 0) + by);
      expect(await shown('fragile')).toContain(text);
    };
    const says = (text: string): Record<string, string> => ({
      'app.py': `import streamlit as st\n\nst.text("${text}")\n`,
      'requirements.txt': 'streamlit\n',
    });
    await old.write(below('apps/second', says('the second folder')));
    await rename(old.path('apps/fragile'), old.path('apps/first'));
    await rename(old.path('apps/second'), old.path('apps/fragile'));
    await deployed(1, 'the second folder');
    await old.write(below('apps/fragile', says('edited in the second folder')));
    await deployed(2, 'edited in the second folder');
    await old.write(below('apps/third', says('the third folder')));
    await rename(old.path('apps/fragile'), old.path('apps/second'));
    await symlink(old.path('apps/third'), old.path('apps/fragile'));
    await deployed(3, 'the third folder');
    await old.write(below('apps/third', says('edited in the third folder')));
    await deployed(4, 'edited in the third folder');
  });

  it('is adopted: its files are the first commit, it keeps serving until that is live, and config.json drops it', async () => {
    await old.write({
      'apps/own/.gitignore': 'data.csv\n',
      'apps/own/.streamlit/secrets.toml': 'password = "of the old one"\n',
    });
    // Without a list of packages it cannot become a release; it goes on as it is.
    const refused = await post('/apps/own/adopt');
    expect([refused.status, refused.json.code]).toEqual([422, 'no-requirements']);
    expect(await running('own')).toMatchObject({ folder: old.path('apps/own') });
    await old.write({ 'apps/own/requirements.txt': 'streamlit\n' });
    expect((await post('/apps/own/adopt')).status).toBe(202);
    await until('it is adopted', async () => (await app('own')).folder === null);
    expect(await shown('own')).toContain('with its own environment');
    const { files } = (await (await host.api('/apps/own/files')).json()) as { files: { path: string }[] };
    expect(files.map((file) => file.path)).toEqual(['.gitignore', 'dash.py', 'requirements.txt']);
    const { keys } = (await (await host.api('/apps/own/secrets')).json()) as { keys: string[] };
    expect(keys).toEqual(['password']);
    await until('config.json forgets it', async () => !('own' in (await ours.config()).apps));
    // The address that people know still leads to it.
    expect((await fetch(`${host.url}/tools/own/`, { redirect: 'manual' })).headers.get('location')).toBe('/apps/own/');
    expect((await refresh()).apps.map(({ app: id }) => id)).not.toContain('own');
    await stat(old.path('apps/own/dash.py'));
  });
});
