import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ConfigChange } from '../../../src/apps/config.js';
import type { StagedFile } from '../../../src/apps/files.js';
import { system } from '../../../src/domain/access/principal.js';
import type { Release } from '../../../src/domain/app/release.js';
import { Adoption } from '../../../src/in-place/adoption.js';
import { NO_CONFIG } from '../../../src/store/app-config.js';
import { ConfigFile } from '../../../src/store/config-file.js';
import { TestData } from '../../helpers/data.js';
import { writeFiles } from '../../helpers/files.js';
import { scratch } from '../../helpers/ends.js';
import { direct } from '../../helpers/reader.js';
import { releaseOf } from '../../helpers/release.js';

const ADA = system('ada');
let data: TestData;
/** The folder of the app in place. */
let dir: string;
let adopted: { id: string; files: Record<string, string>; message: string }[];
let changed: ConfigChange[];
let stored: string;
/** How the deploy of the adopted app ends. */
let end: Release['state'];
let file: ConfigFile;
let adoption: Adoption;

beforeEach(async () => {
  data = await TestData.open();
  dir = await scratch('place-');
  [adopted, changed, stored, end] = [[], [], '', 'live'];
  const config = join(data.paths.data, 'config.json');
  await writeFiles(data.paths.data, {
    'config.json': JSON.stringify({ apps: { shop: { dir, mine: 1 }, blog: { dir } } }),
  });
  file = new ConfigFile(config, join(data.paths.data, 'last.json'), data.paths.apps);
  const place = { key: 'shop', dir, restartOnCrash: true, watch: false };
  await data.app('shop', { place });
  await data.repository('shop');
  adoption = new Adoption({
    ...data,
    file,
    reader: direct,
    appFiles: {
      adopt: async (id: string, set: StagedFile[], _by: unknown, message: string) => {
        const files: Record<string, string> = {};
        for (const one of set) files[one.path] = await readFile(one.file, 'utf8');
        adopted.push({ id, files, message });
        const release = releaseOf(1, end);
        await data.store.update(id, ({ place: _place, ...app }) => ({ ...app, releases: [release] }));
        return { app: id, release: 1, follow: () => () => undefined, done: Promise.resolve(release) };
      },
    },
    configs: {
      of: async () => ({ ...NO_CONFIG, secretsToml: stored }),
      change: async (_id: string, change: ConfigChange) => {
        changed.push(change);
        return { config: NO_CONFIG } as never;
      },
    },
    logger: { error: (facts) => expect.fail(JSON.stringify(facts)) },
  });
});
afterEach(async () => {
  await adoption.close();
  await data.close();
});

const inFile = async (): Promise<string[]> => Object.keys((await file.read()).raw);

it('the code of a folder becomes the first commit, without ignored files and without its secrets', async () => {
  await writeFiles(dir, {
    'app.py': 'print(1)\n',
    'pages/one.py': '',
    'requirements.txt': 'streamlit\n',
    '.gitignore': '*.db\n',
    'local.db': 'large',
    'venv/pyvenv.cfg': '',
    '.streamlit/secrets.toml': 'key = "one"\n',
    '.streamlit/config.toml': '[server]\n',
  });
  await adoption.adopt('shop', ADA);
  await adoption.close();
  expect(adopted).toMatchObject([{ id: 'shop', message: `Adopt ${dir}` }]);
  expect(Object.keys(adopted[0]?.files ?? {}).sort()).toEqual(
    ['.gitignore', '.streamlit/config.toml', 'app.py', 'pages/one.py', 'requirements.txt'].sort(),
  );
  expect(changed).toEqual([{ secretsToml: 'key = "one"\n' }]);
  // The folder is the operator's and stays, and config.json has nothing more to say of this app.
  expect((await readdir(dir)).sort()).toContain('local.db');
  expect(await inFile()).toEqual(['blog']);
  expect(await readdir(data.paths.tmp)).toEqual([]);
});

it('a main file that its folder does not imply is written to streamlit-host.toml', async () => {
  const place = { key: 'shop', dir, main: join(dir, 'start.py'), restartOnCrash: true, watch: false };
  await data.store.update('shop', (app) => ({ ...app, place }));
  await writeFiles(dir, { 'start.py': 'print(1)\n', 'app.py': '', 'requirements.txt': 'streamlit\n' });
  await adoption.adopt('shop', ADA);
  expect(adopted[0]?.files['streamlit-host.toml']).toBe('main = "start.py"\n');
});

it('secrets that the server already has are kept', async () => {
  stored = 'key = "older"\n';
  await writeFiles(dir, {
    'app.py': '',
    'requirements.txt': 'streamlit\n',
    '.streamlit/secrets.toml': 'key = "one"\n',
  });
  await adoption.adopt('shop', ADA);
  expect(changed).toEqual([]);
});

it('config.json keeps an app whose first deploy failed', async () => {
  end = 'failed';
  await writeFiles(dir, { 'app.py': '', 'requirements.txt': 'streamlit\n' });
  await adoption.adopt('shop', ADA);
  await adoption.close();
  expect(await inFile()).toEqual(['shop', 'blog']);
});

it('an app that cannot be adopted is left unchanged: outside of its folder, too many files, or its own repository', async () => {
  await writeFiles(dir, { 'app.py': '', 'requirements.txt': 'streamlit\n' });
  const other = await scratch('elsewhere-');
  await writeFiles(other, { 'main.py': 'print(1)\n' });
  const place = { key: 'shop', dir, restartOnCrash: true, watch: false };
  await data.store.update('shop', (app) => ({ ...app, place: { ...place, main: join(other, 'main.py') } }));
  await expect(adoption.adopt('shop', ADA)).rejects.toMatchObject({ code: 'main-outside' });
  await data.store.update('shop', (app) => ({ ...app, place }));
  await writeFiles(dir, Object.fromEntries(Array.from({ length: 2_001 }, (_, at) => [`part_${at}.py`, ''])));
  await expect(adoption.adopt('shop', ADA)).rejects.toMatchObject({ code: 'too-many-files' });
  await data.app('own');
  await expect(adoption.adopt('own', ADA)).rejects.toMatchObject({ code: 'not-in-place' });
  expect(adopted).toEqual([]);
  expect(await inFile()).toEqual(['shop', 'blog']);
  expect(data.store.get('shop').place).toEqual(place);
});
