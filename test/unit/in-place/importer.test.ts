import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { system } from '../../../src/domain/access/principal.js';
import { Importer } from '../../../src/in-place/importer.js';
import { ConfigFile } from '../../../src/store/config-file.js';
import { writeFiles } from '../../helpers/files.js';

const ADA = system('ada');
let folder: string;
/** The folder of the other installation. */
let old: string;
/** What is found in its folder of apps. */
let found: Record<string, { dir: string }>;
/** The outcome of the look at all apps that follows. */
let refreshed: string[];
let path: string;
let importer: Importer;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'importer-'));
  old = join(folder, 'old');
  found = {};
  refreshed = [];
  path = join(folder, 'here', 'config.json');
  await mkdir(join(folder, 'here'));
  importer = new Importer(new ConfigFile(path, join(folder, 'last.json'), join(folder, 'here', 'apps')), {
    discover: () => Promise.resolve(found),
    refresh: () =>
      Promise.resolve({
        notes: ['a note'],
        apps: refreshed.map((app) => ({ app, outcome: 'added' as const, sentence: 'It runs.' })),
      }),
  });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Text {
  website_port?: number;
  apps: Record<string, Record<string, unknown>>;
}
const theirs = (text: Text): Promise<void> => writeFiles(old, { 'config.json': JSON.stringify(text) });
const ours = async (): Promise<Text> => JSON.parse(await readFile(path, 'utf8')) as Text;

it('the apps of another installation run where they are, with absolute paths, and its unknown keys are kept', async () => {
  await theirs({
    website_port: 5000,
    apps: { sales: { app: 'apps/sales/main.py', venv: 'venvs/one', port: 8601, mine: 'kept' } },
  });
  refreshed = ['sales', 'another'];
  const { notes, apps } = await importer.import(old, ADA);
  const dir = join(old, 'apps', 'sales');
  const entry = (await ours()).apps.sales;
  const venv = join(old, 'venvs', 'one');
  expect(entry).toMatchObject({ dir, app: join(dir, 'main.py'), venv, port: 8601, mine: 'kept' });
  expect((await ours()).website_port).toBe(5000);
  // Those that were imported, and no others.
  expect(apps.map(({ app }) => app)).toEqual(['sales']);
  expect(notes).toEqual([expect.stringContaining('5000'), 'a note']);
  expect(JSON.parse(await readFile(join(old, 'config.json'), 'utf8'))).toMatchObject({
    apps: { sales: { app: 'apps/sales/main.py' } },
  });
});

it('importing again changes nothing', async () => {
  await theirs({ website_port: 5000, apps: { sales: {} } });
  await importer.import(old, ADA);
  const before = await readFile(path, 'utf8');
  refreshed = ['sales'];
  const { notes, apps } = await importer.import(join(old, 'config.json'), ADA);
  expect(await readFile(path, 'utf8')).toBe(before);
  expect(notes).toEqual(['a note']);
  expect(apps.map(({ app }) => app)).toEqual(['sales']);
});

it('an app whose key is already used by another is skipped, and ours is unchanged', async () => {
  const text = JSON.stringify({ website_port: 4000, apps: { sales: { dir: join(folder, 'ours') } } });
  await writeFile(path, text);
  await theirs({ website_port: 5000, apps: { sales: {}, stock: {} } });
  refreshed = ['sales', 'stock'];
  const { apps } = await importer.import(old, ADA);
  expect(apps.map(({ app, outcome }) => `${app} ${outcome}`)).toEqual(['sales skipped', 'stock added']);
  expect(await ours()).toMatchObject({ website_port: 4000, apps: { sales: { dir: join(folder, 'ours') }, stock: {} } });
});

it('a url or port that another app already has is left out, with a note', async () => {
  await writeFile(path, JSON.stringify({ apps: { mine: { url: '/figures/', port: 8601 } } }));
  await theirs({ apps: { sales: { url: '/figures/', port: 8601 } } });
  const { notes } = await importer.import(old, ADA);
  const { apps } = await ours();
  expect(apps.sales).not.toHaveProperty('url');
  expect(apps.sales).not.toHaveProperty('port');
  expect(apps.mine).toEqual({ url: '/figures/', port: 8601 });
  expect(notes).toHaveLength(3);
});

it('apps found in the folder are imported along with those listed', async () => {
  await writeFiles(join(old, 'apps', 'found'), { 'app.py': '' });
  found = { found: { dir: join(old, 'apps', 'found') } };
  await importer.import(old, ADA);
  expect((await ours()).apps).toEqual({ found: { dir: join(old, 'apps', 'found') } });
});

it.each([
  ['where nothing is', () => Promise.resolve(), 'import-missing'],
  ['of a folder without apps', () => writeFiles(old, { 'notes.txt': '' }), 'import-missing'],
  ['of a config.json with mistakes', () => writeFiles(old, { 'config.json': '{"apps": []}' }), 'config-invalid'],
] as const)('an import %s is refused, and writes nothing', async (_what, prepare, code) => {
  await prepare();
  await expect(importer.import(old, ADA)).rejects.toMatchObject({ code });
  await expect(readFile(path)).rejects.toMatchObject({ code: 'ENOENT' });
});

it('nothing is imported into a config.json with errors', async () => {
  await writeFile(path, '{"apps": ');
  await theirs({ apps: { sales: {} } });
  await expect(importer.import(old, ADA)).rejects.toMatchObject({ code: 'config-invalid' });
  expect(await readFile(path, 'utf8')).toBe('{"apps": ');
});
