import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Deploy } from '../../../src/deploys/ongoing.js';
import { system } from '../../../src/domain/access/principal.js';
import type { App } from '../../../src/domain/app/app.js';
import type { ProcessState } from '../../../src/domain/app/process.js';
import { Refusal } from '../../../src/errors.js';
import { Folders, type FoldersOptions } from '../../../src/in-place/folders.js';
import type { ChangeListener } from '../../../src/in-place/watcher.js';
import { ConfigFile } from '../../../src/store/config-file.js';
import { TestData } from '../../helpers/data.js';
import { writeFiles } from '../../helpers/files.js';
import { direct } from '../../helpers/reader.js';
import { releaseOf } from '../../helpers/release.js';

const ADA = system('ada');
let data: TestData;
/** The folder of config.json, and that of the apps below it. */
let base: string;
let apps: string;
/** What was begun with apps, in its order. */
let done: string[];
let logged: string[];
/** The state of what runs of each app. */
let running: Map<string, ProcessState>;
/** The apps whose code is another than that of any release. */
let changed: Set<string>;
/** What comes of the next deploys. */
let add: (app: App) => Promise<void>;
let failed: string | undefined;
let tell: ChangeListener;
let followed: string[];
let folders: Folders;

beforeEach(async () => {
  data = await TestData.open();
  base = join(data.paths.data, 'mine');
  apps = join(base, 'apps');
  await mkdir(apps, { recursive: true });
  [done, logged, followed] = [[], [], []];
  running = new Map();
  changed = new Set();
  failed = undefined;
  add = async (app) => void (await data.store.create(app));
  folders = opened();
});
afterEach(() => data.close());

function opened(): Folders {
  const deploy = async (id: string, what: string): Promise<Deploy> => {
    done.push(`${what} ${id}`);
    const end = failed === undefined ? releaseOf(1, 'live') : releaseOf(1, 'failed', { reason: failed });
    return { app: id, release: 1, follow: () => () => undefined, done: Promise.resolve(end) };
  };
  return new Folders({
    file: new ConfigFile(join(base, 'config.json'), join(data.paths.data, 'last.json'), apps),
    apps,
    store: data.store,
    reader: direct,
    newApps: { add: (app) => add(app) },
    removal: {
      drop: async (id) => {
        done.push(`drop ${id}`);
        await data.store.remove(id);
      },
    },
    source: {
      deploy: (id, by) => deploy(id, `deploy as ${by.name}:`),
      bringUp: (id, by) => deploy(id, `bring up as ${by.name}:`),
      hasChanged: async ({ id }) => changed.has(id),
    },
    watcher: {
      follow: (list) => void (followed = list.map(({ id }) => id)),
      subscribe: (listener) => {
        tell = listener;
        return () => true;
      },
    },
    serving: {
      process: (id) => (running.has(id) ? { state: running.get(id) } : undefined),
    } as FoldersOptions['serving'],
    ports: { spare: () => undefined, propose: () => Promise.resolve(undefined) },
    logger: {
      info: (_facts, text) => void logged.push(text),
      warn: (text) => void logged.push(text),
      error: (_facts, text) => void logged.push(text),
    },
  });
}

const config = (entries: Record<string, object>): Promise<void> =>
  writeFile(join(base, 'config.json'), JSON.stringify({ apps: entries }));
const refresh = async (): Promise<string[]> =>
  (await folders.refresh(ADA)).apps.map(({ app, outcome }) => `${app} ${outcome}`);
const ids = (): string[] => data.store.list().map(({ id }) => id);

/** An app that config.json names, and that has run from the first look on. */
async function settled(facts: Partial<App> = {}, entry: object = {}): Promise<void> {
  await config({ sales: entry });
  await refresh();
  const live: Partial<App> = { live: 1, lastRelease: 1, releases: [releaseOf(1, 'live')] };
  await data.store.update('sales', (app) => ({ ...app, ...live, ...facts }));
  running.set('sales', 'ready');
  done = [];
}

it('apps in the apps folder are added to config.json and run, and other folders are left alone', async () => {
  await writeFiles(apps, { 'sales/app.py': '', 'scripts/tool.py': '', '.hidden/app.py': '', 'notes.txt': '' });
  expect(await refresh()).toEqual(['sales added']);
  expect(done).toEqual(['bring up as ada: sales']);
  expect(data.store.get('sales').place?.dir).toBe(join(apps, 'sales'));
  expect(followed).toEqual(['sales']);
});

it('a folder is not added as an app if a pushed app has its id', async () => {
  await data.app('sales');
  await writeFiles(apps, { 'sales/app.py': '' });
  expect(await refresh()).toEqual([]);
  expect(data.store.get('sales').place).toBeUndefined();
});

it('an entry with the id of a pushed app is skipped, and that app is unchanged', async () => {
  const pushed = await data.app('sales');
  await config({ sales: {} });
  expect(await refresh()).toEqual(['sales skipped']);
  expect(data.store.get('sales')).toBe(pushed);
  expect(done).toEqual([]);
});

it('an app that runs as config.json says is left alone', async () => {
  await settled();
  expect(await refresh()).toEqual(['sales unchanged']);
  expect(done).toEqual([]);
});

it('a new name is applied without a restart', async () => {
  await settled();
  await config({ sales: { name: 'Sales Figures', description: 'All' } });
  expect(await refresh()).toEqual(['sales changed']);
  expect(data.store.get('sales')).toMatchObject({ name: 'Sales Figures', description: 'All', live: 1 });
  expect(done).toEqual([]);
});

it.each([
  ['its settings changed', 'deploy', (): void => undefined, { port: 8601 }],
  ['its code changed', 'deploy', (): void => void changed.add('sales'), {}],
  ['it had crashed', 'bring up', (): void => void running.set('sales', 'crashed'), {}],
  ['it did not run', 'bring up', (): void => void running.delete('sales'), {}],
])('an app is restarted because %s', async (_why, how, happen, entry) => {
  await settled();
  happen();
  await config({ sales: entry });
  expect(await refresh()).toEqual(['sales restarted']);
  expect(done).toEqual([`${how} as ada: sales`]);
});

it('a stopped app stays stopped, whatever has changed', async () => {
  await settled({ wanted: 'stopped' });
  changed.add('sales');
  await config({ sales: { port: 8601 } });
  expect(await refresh()).toEqual(['sales changed']);
  expect(data.store.get('sales').wanted).toBe('stopped');
  expect(done).toEqual([]);
});

it('a sleeping app is not woken', async () => {
  await settled({ asleep: true });
  running.clear();
  expect(await refresh()).toEqual(['sales unchanged']);
  expect(done).toEqual([]);
});

it('an app that is no longer in config.json is dropped, and a pushed one is not', async () => {
  await settled();
  await data.app('pushed');
  await config({});
  expect(await refresh()).toEqual(['sales removed']);
  expect(ids()).toEqual(['pushed']);
});

it('a config.json with errors drops nothing, and the errors are logged once', async () => {
  await settled();
  await writeFile(join(base, 'config.json'), '{"apps": ');
  const { notes, apps: outcomes } = await folders.refresh(ADA);
  await folders.refresh(ADA);
  expect(notes).toHaveLength(1);
  expect(folders.mistakes).toEqual(notes);
  expect(outcomes).toMatchObject([{ app: 'sales', outcome: 'unchanged' }]);
  expect(logged).toHaveLength(1);
  await config({ sales: {} });
  await folders.refresh(ADA);
  expect(folders.mistakes).toEqual([]);
});

it('an unreadable config.json without a known valid version drops nothing', async () => {
  await settled();
  await rm(join(data.paths.data, 'last.json'));
  await writeFile(join(base, 'config.json'), '{"apps": ');
  expect(await refresh()).toEqual([]);
  expect(ids()).toEqual(['sales']);
});

it('an app that cannot be set up does not block the others, and an unexpected error is only logged', async () => {
  await config({ first: {}, second: {}, third: {} });
  add = async (app) => {
    if (app.id === 'first') throw new Refusal('conflict', 'app-exists', 'There is one.');
    if (app.id === 'second') throw new Error('secret detail');
    await data.store.create(app);
  };
  const { apps: outcomes } = await folders.refresh(ADA);
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'added']);
  expect(JSON.stringify(outcomes)).not.toContain('secret detail');
  expect(done).toEqual(['bring up as ada: third']);
});

it('a failed deploy is the outcome, with its reason', async () => {
  failed = 'it has no main file';
  await config({ sales: {} });
  const { apps: outcomes } = await folders.refresh(ADA);
  expect(outcomes).toMatchObject([{ outcome: 'failed', sentence: expect.stringContaining('no main file') as string }]);
});

it('a change in a watched folder deploys it, on behalf of the watcher', async () => {
  await settled({}, { watch: true });
  changed.add('sales');
  await tell('sales');
  expect(done).toEqual([expect.stringMatching(/^deploy as .*watcher: sales$/)]);
});

it.each([
  ['whose code is that of its newest release', {}, { watch: true }, false],
  ['that is stopped', { wanted: 'stopped' }, { watch: true }, true],
  ['that is asleep', { asleep: true }, { watch: true }, true],
  ['that is watched no more', {}, {}, true],
] as const)('a change is not deployed for an app %s', async (_what, facts, entry, isNew) => {
  await settled(facts, entry);
  if (isNew) changed.add('sales');
  await tell('sales');
  await tell('gone');
  expect(done).toEqual([]);
});

it('a first check that fails is logged, and nobody waits for it', async () => {
  await mkdir(join(base, 'config.json'));
  await folders.begin();
  expect(logged).toHaveLength(1);
  expect(ids()).toEqual([]);
});
