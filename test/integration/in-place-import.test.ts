import { readFile, readlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { InPlace } from '../helpers/in-place.js';
import { below, fileApp, freePorts, Installation } from '../helpers/installation.js';

let place: InPlace;

// The app lends its environment to those that are imported.
beforeAll(async () => void (place = await InPlace.start({ plain: fileApp('plain') })));

describe('an old installation', () => {
  it('is imported with all its apps, which run where they are, and importing again is safe', async () => {
    const { host, ours } = place;
    const old = await Installation.create();
    const [first, second, third] = await freePorts(3);
    await old.makeVenv(old.path('elsewhere/env'), host, 'plain');
    await old.write({
      ...below('apps/sales', fileApp('sales of the old one')),
      ...below('apps/own', { 'dash.py': 'import streamlit as st\n\nst.text("with its own environment")\n' }),
      ...below('apps/fragile', fileApp('fragile')),
    });
    await old.setConfig({
      website_port: 5000,
      owner: 'Ada',
      apps: {
        sales: {
          name: 'Sales',
          url: '/sales/',
          app: old.path('apps/sales/app.py'),
          venv: '',
          port: first,
          description: 'What was sold',
          restart_on_crash: true,
          contact: 'ada@example.com',
        },
        own: {
          name: 'Own',
          url: '/tools/own/',
          app: 'apps/own/dash.py',
          venv: 'elsewhere/env',
          port: second,
          description: '',
          restart_on_crash: true,
        },
        fragile: {
          name: 'Fragile',
          url: '/fragile/',
          dir: old.path('apps/fragile'),
          venv: null,
          port: third,
          description: '',
          restart_on_crash: false,
        },
      },
    });
    const before = Object.keys((await ours.config()).apps);
    const { status, json } = await place.post('/import', { path: old.folder });
    expect([status, json.apps.map(({ app, outcome }) => [app, outcome])]).toEqual([
      200,
      [
        ['sales', 'added'],
        ['own', 'added'],
        ['fragile', 'added'],
      ],
    ]);
    expect(json.notes.join()).toContain('website_port 5000 applies from the next start');
    const sales = await place.running('sales');
    expect([sales.folder, sales.port, await readlink(`/proc/${sales.pid}/cwd`)]).toEqual([
      old.path('apps/sales'),
      first,
      old.path('apps/sales'),
    ]);
    const own = await place.running('own');
    expect(await readFile(`/proc/${own.pid}/cmdline`, 'utf8')).toContain(old.path('elsewhere/env/bin/python'));
    expect([await place.shown('sales'), await place.shown('own'), await place.shown('fragile')]).toEqual([
      expect.stringContaining('sales of the old one'),
      expect.stringContaining('with its own environment'),
      expect.stringContaining('fragile'),
    ]);

    const written = await ours.config();
    expect(Object.keys(written.apps)).toEqual([...before, 'sales', 'own', 'fragile']);
    expect(written.apps.sales).toMatchObject({
      contact: 'ada@example.com',
      dir: old.path('apps/sales'),
      app: old.path('apps/sales/app.py'),
    });
    const again = (await place.post('/import', { path: old.path('config.json') })).json;
    expect(again.apps.map(({ outcome }) => outcome)).toEqual(['unchanged', 'unchanged', 'unchanged']);
    expect(await ours.config()).toEqual(written);
    expect((await place.app('sales')).pid).toBe(sales.pid);
    expect((await old.config()).owner).toBe('Ada');
  });

  it('reports who holds a requested port, and uses the next free one', async () => {
    const old = await Installation.create();
    const [port] = await freePorts(1);
    const busy = createServer().listen(port, '127.0.0.1');
    onTestFinished(() => void busy.close());
    await old.write(below('apps/late', fileApp('late')));
    await old.setConfig({ apps: { late: { dir: old.path('apps/late'), port } } });
    expect((await place.post('/import', { path: old.folder })).status).toBe(200);
    expect((await place.running('late')).port).not.toBe(port);
    const { log } = (await (await place.host.api('/apps/late/deploys/1')).json()) as { log: { lines: string[] } };
    expect(log.lines.join('\n')).toMatch(
      new RegExp(`Port ${port} is in use by \\S.* \\(pid ${process.pid}\\); using port \\d+ instead`),
    );
  });

  it('is refused with a sentence if it does not exist, and nothing changes', async () => {
    const before = await place.ours.config();
    const { status, json } = await place.post('/import', { path: place.ours.path('nowhere') });
    expect([status, json.code]).toEqual([404, 'import-missing']);
    expect(await place.ours.config()).toEqual(before);
  });
});
