import { readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, it } from 'vitest';
import { until } from '../helpers/host.js';
import { InPlace } from '../helpers/in-place.js';
import { below, fileApp } from '../helpers/installation.js';
import { Project, textApp } from '../helpers/project.js';

let place: InPlace;

// The app lends its environment to others.
beforeAll(async () => void (place = await InPlace.start({ plain: fileApp('plain') })));

const says = (word: string): Record<string, string> => ({
  'app.py': `import streamlit as st\n\nst.text("${word}")\n`,
  'requirements.txt': 'streamlit\n',
});

/** Adds an app with a virtual environment of its own, and without a list of packages. @returns where its environment is */
async function addWithVenv(id: string, url: string): Promise<string> {
  const { host, ours } = place;
  const venv = ours.path('environments', id);
  await ours.makeVenv(venv, host, 'plain');
  await ours.write(below(`elsewhere/${id}`, { 'dash.py': `import streamlit as st\n\nst.text("${id} by itself")\n` }));
  await place.configure(id, { url, dir: ours.path('elsewhere', id), app: 'dash.py', venv });
  expect(await place.outcomes(id)).toEqual({ [id]: 'added' });
  await place.running(id);
  return venv;
}

/** Adds an app that is deployed when its code changes. */
async function addWatched(id: string, files: Record<string, string>): Promise<number> {
  await place.add({ [id]: files });
  await place.configure(id, { watch: true });
  expect(await place.outcomes(id)).toEqual({ [id]: 'changed' });
  return (await place.running(id)).release ?? 0;
}

describe('an in-place app', () => {
  it('rejects pushes, edits, renames and deletion, and says where its files are', async () => {
    const { host, ours } = place;
    await place.add({ sales: fileApp('more sales') });
    const { pid } = await place.running('sales');
    const project = await Project.create(textApp('pushed'));
    const pushed = await project.git('push', host.remote('sales'), 'main');
    expect([pushed.code, pushed.output]).toEqual([1, expect.stringContaining('streamlit-host adopt sales')]);
    const edited = await host.api('/apps/sales/files/app.py', { method: 'PUT', body: 'x = 1\n' });
    const renamed = await host.send('PATCH', '/apps/sales', { name: 'X' });
    const destroyed = await host.api('/apps/sales?confirm=sales', { method: 'DELETE' });
    const back = await host.send('POST', '/apps/sales/rollback', { release: 1 });
    expect([edited.status, renamed.status, destroyed.status, back.status]).toEqual([409, 409, 409, 409]);
    expect(await edited.text()).toContain(ours.path('apps/sales'));
    // What config.json does not say can be said here.
    const tagged = await host.send('PATCH', '/apps/sales', { name: 'sales', tags: ['north'] });
    expect([tagged.status, ((await tagged.json()) as { tags: string[] }).tags]).toEqual([200, ['north']]);
    expect((await host.api('/apps/sales/config')).status).toBe(200);
    expect((await host.api('/apps/sales/deploys/1/diff')).status).toBe(200);
    // What it has can be looked at.
    const { files } = (await (await host.api('/apps/sales/files')).json()) as { files: { path: string }[] };
    expect(files.map((file) => file.path)).toEqual(['app.py', 'data/text.txt', 'requirements.txt']);
    expect(await (await host.api('/apps/sales/files/data/text.txt')).text()).toBe('more sales');
    expect((await place.app('sales')).pid).toBe(pid);
  });

  it('has replicas, of which the first one keeps its port', async () => {
    const { host } = place;
    await place.add({ several: fileApp('several') });
    const { port } = await place.running('several');
    const replicas = async (): Promise<{ replica: number; port: number; state: string }[]> =>
      ((await host.app('several')).processes ?? []) as { replica: number; port: number; state: string }[];
    expect((await host.send('PATCH', '/apps/several', { replicas: 3 })).status).toBe(200);
    expect((await replicas()).map(({ replica, state }) => [replica, state])).toEqual([
      [1, 'ready'],
      [2, 'ready'],
      [3, 'ready'],
    ]);
    const ports = (await replicas()).map((one) => one.port);
    expect(ports[0]).toBe(port);
    expect(new Set(ports).size).toBe(3);
    for (const each of ports)
      expect((await fetch(`http://127.0.0.1:${each}/apps/several/_stcore/health`)).status).toBe(200);
    expect((await place.post('/apps/several/restart')).status).toBe(200);
    expect((await replicas()).filter(({ state }) => state === 'ready')).toHaveLength(3);
    expect((await host.send('PATCH', '/apps/several', { replicas: 1 })).status).toBe(200);
    await until('one is left', async () => (await replicas()).length === 0);
  });

  it('serves the frontend of the Streamlit that its owner installs in its environment', async () => {
    const { host } = place;
    const venv = await addWithVenv('upgraded', '/upgraded/');
    const script = async (): Promise<string> => {
      // fetch says of itself that it opens no page.
      const html = await new Promise<string>((resolve, reject) => {
        get(
          `${host.url}/apps/upgraded/`,
          { headers: { accept: 'text/html' } },
          (answer) => void text(answer).then(resolve, reject),
        ).once('error', reject);
      });
      const path = /src="(\/_streamlit\/[^"]+\/index\.[^"]+\.js)"/.exec(html)?.[1];
      if (path === undefined) throw new Error(`the page names no script:\n${html}`);
      return path;
    };
    const before = await script();
    const lib = join(venv, 'lib');
    const folder = join(lib, (await readdir(lib))[0] ?? '', 'site-packages/streamlit/static');
    const name = before.slice(before.lastIndexOf('/') + 1);
    const html = await readFile(join(folder, 'index.html'), 'utf8');
    await rename(join(folder, 'static/js', name), join(folder, 'static/js/index.Upgraded.js'));
    // Its other links are other environments' pages.
    await rm(join(folder, 'index.html'));
    await writeFile(join(folder, 'index.html'), html.replaceAll(name, 'index.Upgraded.js'));
    expect((await place.post('/apps/upgraded/restart')).status).toBe(200);
    const after = await script();
    expect(after).toMatch(/\/index\.Upgraded\.js$/);
    expect((await fetch(`${host.url}${after}`)).status).toBe(200);
  });

  it('that is watched is deployed when its code changes, not when its data does', async () => {
    const release = await addWatched('watched', fileApp('watched'));
    await place.ours.write({ 'apps/watched/data/text.txt': 'other data' });
    await place.ours.write({ 'apps/watched/app.py': 'import streamlit as st\n\nst.text("seen by the watcher")\n' });
    const after = await until('it is deployed', async () => {
      const answer = await place.app('watched');
      return answer.release === release + 1 && answer;
    });
    expect(after.last_deploy?.by).toBe("the folder's watcher");
    expect(await place.shown('watched')).toContain('seen by the watcher');
  });

  it('is still watched when another folder or a link takes the place of its folder', async () => {
    const { ours } = place;
    const release = await addWatched('moved', says('the first folder'));
    const deployed = async (by: number, word: string): Promise<void> => {
      await until(`"${word}" is deployed`, async () => (await place.app('moved')).release === release + by);
      expect(await place.shown('moved')).toContain(word);
    };
    await ours.write(below('kept/second', says('the second folder')));
    await rename(ours.path('apps/moved'), ours.path('kept/first'));
    await rename(ours.path('kept/second'), ours.path('apps/moved'));
    await deployed(1, 'the second folder');
    await ours.write(below('apps/moved', says('edited in the second folder')));
    await deployed(2, 'edited in the second folder');
    await ours.write(below('kept/third', says('the third folder')));
    await rename(ours.path('apps/moved'), ours.path('kept/second'));
    await symlink(ours.path('kept/third'), ours.path('apps/moved'));
    await deployed(3, 'the third folder');
    await ours.write(below('kept/third', says('edited in the third folder')));
    await deployed(4, 'edited in the third folder');
  });

  it('is adopted: its files are the first commit, it keeps serving until that is live, and config.json drops it', async () => {
    const { host, ours } = place;
    await addWithVenv('own', '/tools/own/');
    await ours.write({
      'elsewhere/own/data.csv': 'a,b\n',
      'elsewhere/own/.gitignore': 'data.csv\n',
      'elsewhere/own/.streamlit/secrets.toml': 'password = "of the old one"\n',
    });
    // Without a list of packages it cannot become a release; it goes on as it is.
    const refused = await place.post('/apps/own/adopt');
    expect([refused.status, refused.json.code]).toEqual([422, 'no-requirements']);
    expect(await place.running('own')).toMatchObject({ folder: ours.path('elsewhere/own') });
    await ours.write({ 'elsewhere/own/requirements.txt': 'streamlit\n' });
    expect((await place.post('/apps/own/adopt')).status).toBe(202);
    await until('it is adopted', async () => (await place.app('own')).folder === null);
    expect(await place.shown('own')).toContain('own by itself');
    const { files } = (await (await host.api('/apps/own/files')).json()) as { files: { path: string }[] };
    expect(files.map((file) => file.path)).toEqual(['.gitignore', 'dash.py', 'requirements.txt']);
    const { keys } = (await (await host.api('/apps/own/secrets')).json()) as { keys: string[] };
    expect(keys).toEqual(['password']);
    await until('config.json forgets it', async () => !('own' in (await ours.config()).apps));
    // The address that people know still leads to it.
    expect((await fetch(`${host.url}/tools/own/`, { redirect: 'manual' })).headers.get('location')).toBe('/apps/own/');
    expect((await place.refresh()).apps.map(({ app }) => app)).not.toContain('own');
    await stat(ours.path('elsewhere/own/dash.py'));
  });
});
