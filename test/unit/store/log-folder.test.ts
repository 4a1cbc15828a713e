import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { newApp, type App } from '../../../src/domain/app/app.js';
import { AppStore } from '../../../src/store/apps.js';
import { LogFolder } from '../../../src/store/log-folder.js';
import { Paths } from '../../../src/store/paths.js';

let folder: string;
let logs: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'logs-'));
  logs = join(folder, 'logs');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('links lead to the live release, else to the newest deploy, and go with their app; an existing log is kept', async () => {
  const paths = new Paths(join(folder, 'data'));
  const store = new AppStore(paths);
  const opened = await LogFolder.open(logs);
  if (typeof opened === 'string') throw new Error(opened);
  await writeFile(join(logs, 'Sales.log'), 'of the old system\n');
  const warnings: string[] = [];
  const end = opened.follow(store, paths, (text) => warnings.push(text));
  const release = {
    number: 1,
    commit: 'a'.repeat(40),
    branch: 'folder',
    source: 'folder',
    by: 'x',
    message: '',
    state: 'building',
    createdAt: '',
  } as const;
  const app: App = {
    ...newApp('sales', 'Sales', new Date()),
    place: { key: 'Sales', dir: '/x', restartOnCrash: true, watch: false },
  };
  await store.create(app);
  await store.create({ ...newApp('website', 'Website', new Date()), releases: [release] });
  await store.update('sales', (current) => ({ ...current, releases: [release] }));
  await opened.close();
  expect(await readlink(join(logs, 'Sales.log'))).toBe(paths.buildLog('sales', 1));
  expect(await readFile(join(logs, 'Sales.log.old'), 'utf8')).toBe('of the old system\n');
  await store.update('sales', (current) => ({ ...current, live: 1, releases: [{ ...release, state: 'live' }] }));
  await opened.close();
  expect(await readlink(join(logs, 'Sales.log'))).toBe(paths.runLog('sales', 1));
  // An app must not take the name of a log of ours.
  expect(await readlink(join(logs, 'app-website.log'))).toBe(paths.buildLog('website', 1));
  await store.remove('sales');
  await opened.close();
  end();
  expect((await readdir(logs)).sort()).toEqual(['Sales.log.old', 'app-website.log']);
  expect(warnings).toEqual([]);
});

it('a folder that is not writable is reported in one sentence', async () => {
  await writeFile(logs, '');
  expect(await LogFolder.open(logs)).toMatch(/^cannot write the folder \S+logs, so it has no logs: /);
});
