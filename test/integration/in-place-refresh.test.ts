import { readFile, rm, stat } from 'node:fs/promises';
import { beforeAll, expect, it } from 'vitest';
import { InPlace } from '../helpers/in-place.js';
import { below, fileApp } from '../helpers/installation.js';

let place: InPlace;

beforeAll(async () => void (place = await InPlace.start()));

it('a refresh restarts only apps whose code or settings changed, keeps open pages, and starts nothing that was stopped', async () => {
  const { ours } = place;
  await place.add({ coded: fileApp('sales'), set: fileApp('own'), halted: fileApp('halted'), still: fileApp('still') });
  const [coded, set, halted] = await Promise.all(['coded', 'set', 'halted'].map((id) => place.running(id)));
  const open = await place.page('coded');
  await open.run();
  await place.post('/apps/halted/stop');
  await ours.write({
    'apps/coded/app.py': 'import streamlit as st\n\nst.text("new: " + open("data/text.txt").read())\n',
    'apps/set/data.csv': 'a,b\n',
    'apps/coded/data/text.txt': 'more sales',
  });
  await place.configure('set', { name: 'Our own', restart_on_crash: false });
  await place.configure('halted', { description: 'Stopped by a person' });

  const { apps } = await place.refresh();
  const outcomes = Object.fromEntries(apps.map(({ app: id, outcome }) => [id, outcome]));
  expect(outcomes).toMatchObject({ halted: 'changed', coded: 'restarted', set: 'changed', still: 'unchanged' });
  expect(apps.find(({ app: id }) => id === 'coded')?.sentence).toBe('Its code changed.');
  expect((await place.app('set')).pid).toBe(set?.pid);
  expect(await place.app('halted')).toMatchObject({ state: 'stopped', pid: null });
  expect((await place.app('coded')).pid).not.toBe(coded?.pid);
  expect(await place.shown('coded')).toContain('new: more sales');
  // The page that was open has the process that it had.
  expect((await open.run()).join('\n')).not.toContain('new: ');
  await open.close();
  await place.post('/apps/halted/start');
  expect((await place.running('halted')).pid).not.toBe(halted?.pid);
});

it('a refresh keeps the old process serving if the saved code is broken, and says what is wrong', async () => {
  const { ours } = place;
  await place.add({ broken: fileApp('sales') });
  const { pid } = await place.running('broken');
  const good = await readFile(ours.path('apps/broken/app.py'), 'utf8');
  await ours.write({ 'apps/broken/app.py': 'import streamlit as st\nraise SystemError("no")\n' });
  const failed = (await place.refresh()).apps.find(({ app: id }) => id === 'broken');
  expect(failed).toMatchObject({
    outcome: 'failed',
    sentence: expect.stringMatching(/the script raised an exception.*stays live\.$/i) as unknown,
  });
  expect(await place.app('broken')).toMatchObject({ state: 'running', pid });
  await ours.write({ 'apps/broken/app.py': good });
  expect(await place.outcomes('broken')).toEqual({ broken: 'unchanged' });
  expect((await place.app('broken')).pid).toBe(pid);
});

it('a refresh reports all errors in config.json at once, and keeps the last valid version', async () => {
  const ids = ['plain', 'sales', 'own'];
  const own = await InPlace.start(Object.fromEntries(ids.map((id) => [id, fileApp(id)])));
  const { host, ours } = own;
  await ours.setConfig({ website_port: 5000, ...(await ours.config()) });
  expect((await own.refresh()).notes).toEqual([]);
  const mistakes = async (): Promise<string[]> =>
    ((await (await host.api('/apps')).json()) as { config_mistakes: string[] }).config_mistakes;
  const pids = (): Promise<unknown[]> => Promise.all(ids.map(async (id) => (await own.running(id)).pid));

  const good = await readFile(ours.path('config.json'), 'utf8');
  const before = await pids();
  await ours.write({ 'config.json': good.replace('"website_port"', 'website_port') });
  const broken = await own.refresh();
  expect(broken.notes).toEqual([expect.stringMatching(/config\.json, line \d+, column \d+: invalid JSON/)]);
  // Who did not start that look sees it as well.
  expect(await mistakes()).toEqual(broken.notes);
  await ours.write({ 'config.json': good });
  await own.configure('sales', { port: 'eighty', url: '/console/x' });
  await own.configure('own', { url: '/plain/' });
  const wrong = await own.refresh();
  expect(wrong.notes.join('\n')).toContain('apps.sales.port must be a whole number from 1 to 65535 (found "eighty")');
  await rm(ours.path('config.json'));
  const gone = await own.refresh();
  expect(gone.notes).toEqual([expect.stringMatching(/config\.json no longer exists\.$/)]);
  for (const { apps } of [broken, wrong, gone]) expect(apps.every(({ outcome }) => outcome === 'unchanged')).toBe(true);
  expect(await pids()).toEqual(before);
  await ours.write({ 'config.json': good });
  expect((await own.refresh()).notes).toEqual([]);
  expect(await mistakes()).toEqual([]);
});

it('a refresh says in a sentence what an app lacks, while others run, and removes a missing app but not its files', async () => {
  const { ours } = place;
  await place.add({ whole: fileApp('whole') });
  await ours.write(below('apps/bare', { 'dash.py': 'import streamlit as st\n' }));
  const config = await ours.config();
  await place.configure('nofolder', { dir: ours.path('not/there') });
  await place.configure('nofile', { app: ours.path('apps/whole/gone.py') });
  await place.configure('novenv', { dir: ours.path('apps/bare'), app: 'dash.py', venv: ours.path('no/env') });
  const { apps } = await place.refresh();
  const said = Object.fromEntries(
    apps.filter(({ outcome }) => outcome === 'failed').map(({ app: id, sentence }) => [id, sentence]),
  );
  expect(said).toEqual({
    nofolder: expect.stringMatching(/^The app folder \S+not\/there does not exist\. /) as unknown,
    nofile: expect.stringMatching(/^The main file \S+gone\.py does not exist\. /) as unknown,
    novenv: expect.stringMatching(/^The virtual environment \S+no\/env does not exist\. /) as unknown,
  });
  expect(await place.app('novenv')).toMatchObject({
    state: 'failed',
    last_deploy: { reason: expect.stringContaining('no/env does not exist') as unknown },
  });
  await place.running('whole');
  await ours.setConfig(config);
  const removed = (await place.refresh()).apps.filter(({ outcome }) => outcome === 'removed').map(({ app: id }) => id);
  expect(removed.sort()).toEqual(['nofile', 'nofolder', 'novenv']);
  expect((await place.host.api('/apps/novenv')).status).toBe(404);
  await stat(ours.path('apps/bare/dash.py'));
});
