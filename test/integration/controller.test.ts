import { readFile, readlink, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { ROOT, TOKEN, startHost, until } from '../helpers/host.js';
import { InPlace } from '../helpers/in-place.js';
import { below, fileApp, Installation } from '../helpers/installation.js';
import { run } from '../helpers/project.js';

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

let place: InPlace;

beforeAll(async () => void (place = await InPlace.start()));

it('a folder of apps is found at startup: each app is added to config.json, runs in place and has a URL', async () => {
  const own = await InPlace.start(
    { plain: { ...fileApp('the plain one'), 'app.py': fileApp('')['app.py'] + SOCKETS } },
    // Somebody's script beside the apps is none, and must not be run.
    { 'apps/scripts/clean_up.py': 'open("was-run", "w")\n' },
  );
  const { pid, port, folder } = await own.running('plain');
  const { apps } = await own.ours.config();
  expect(Object.keys(apps)).toEqual(['plain']);
  expect(apps.plain).toEqual({
    name: 'plain',
    url: '/plain/',
    dir: 'apps/plain',
    port,
    description: '',
    restart_on_crash: true,
  });
  expect(folder).toBe(own.ours.path('apps/plain'));
  expect(await readlink(`/proc/${pid}/cwd`)).toBe(own.ours.path('apps/plain'));
  expect(await own.shown('plain')).toBe(`the plain one\nport ${port} answers at once`);
  const moved = await fetch(`${own.host.url}/plain/page?a=1`, { redirect: 'manual' });
  expect([moved.status, moved.headers.get('location')]).toEqual([302, '/apps/plain/page?a=1']);
});

it('a folder that cannot be read is skipped with a message, and hides no other app', async () => {
  const { ours } = place;
  onTestFinished(() => rm(ours.path('apps/adrift'), { recursive: true }));
  await ours.write({
    ...below('apps/ashore', fileApp('found all the same')),
    ...below('apps/adrift', fileApp('never seen')),
  });
  await symlink('streamlit-host.toml', ours.path('apps/adrift/streamlit-host.toml'));
  const { notes, apps } = await place.refresh();
  expect(notes).toEqual([expect.stringMatching(/Cannot read .*apps\/adrift, so it is skipped: ELOOP/)]);
  expect(apps.filter(({ outcome }) => outcome === 'added').map(({ app: id }) => id)).toEqual(['ashore']);
  expect(await place.shown('ashore')).toContain('found all the same');
});

it('the logs of the server and of each app are in the folder, in the expected place', async () => {
  await place.add({ logged: fileApp('logged') });
  const { host, ours } = place;
  const log = await until('the log of the app is linked', () =>
    readFile(ours.path('logs/logged.log'), 'utf8').catch(() => undefined),
  );
  expect(log).toMatch(/started pid=\d+ port=\d+/);
  expect(await readFile(ours.path('logs/controller.log'), 'utf8')).toMatch(
    /^\[[^\]]+\] info .*a release is live app=logged/m,
  );
  await host.api('/apps?q=secret');
  const line = await until('the request is written down', async () => {
    const text = await readFile(ours.path('logs/website.log'), 'utf8');
    return /\] GET \/api\/apps 200 \d+ ms/.test(text) && text;
  });
  expect(line).not.toContain('secret');
});

it('the command line prints the outcome for each app in a table, and exits with 1 if one failed', async () => {
  const { host, ours } = place;
  const old = await Installation.create();
  await old.write({ ...below('apps/ledger', fileApp('ledger')), ...below('apps/stock', fileApp('stock')) });
  await old.setConfig({ apps: { ledger: { dir: old.path('apps/ledger') }, stock: { dir: old.path('apps/stock') } } });
  await place.post('/import', { path: old.folder });
  const cli = (...args: string[]): ReturnType<typeof run> =>
    run(process.execPath, [join(ROOT, 'scripts/streamlit-host.js'), ...args], old.folder, {
      STREAMLIT_HOST_URL: host.url,
      STREAMLIT_HOST_TOKEN: TOKEN,
      HOME: old.folder,
    });

  const done = await cli('import', '.');
  expect([done.code, done.output]).toEqual([
    0,
    expect.stringMatching(/^APP +OUTCOME +WHY\nledger +unchanged +No changes\.\nstock /),
  ]);
  const config = await ours.config();
  await place.configure('gone', { dir: old.path('gone') });
  const failed = await cli('refresh');
  expect([failed.code, failed.output]).toEqual([
    1,
    expect.stringMatching(/gone +failed +The app folder \S+ does not exist/),
  ]);
  expect((await cli('status')).output).toMatch(/\n\ngone: The app folder \S+ does not exist/);
  await ours.setConfig(config);
  expect((await cli('refresh')).code).toBe(0);
  expect(await cli('adopt', 'lodger')).toEqual({
    code: 5,
    output: expect.stringContaining('Did you mean "ledger"?') as unknown,
  });
});

it('a server that stops keeps in-place apps running; the next one adopts them and deploys what changed since', async () => {
  const own = await InPlace.start({ sales: fileApp('sales'), plain: fileApp('plain') });
  const [sales, plain] = await Promise.all([own.running('sales'), own.running('plain')]);
  await own.host.signal('SIGTERM');
  await own.ours.write({ 'apps/plain/app.py': 'import streamlit as st\n\nst.text("changed meanwhile")\n' });
  own.host = await startHost({ data: own.host.data, env: own.ours.env });
  expect(await own.running('sales')).toMatchObject({ pid: sales.pid, port: sales.port, release: sales.release });
  await until('the other is deployed', async () => (await own.app('plain')).release === (plain.release ?? 0) + 1);
  expect(await own.shown('plain')).toContain('changed meanwhile');
});
