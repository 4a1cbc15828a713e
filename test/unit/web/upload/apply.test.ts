import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { FileChange } from '../../../../src/apps/files.js';
import { system } from '../../../../src/domain/access/principal.js';
import { newApp, type App } from '../../../../src/domain/app/app.js';
import { Refusal } from '../../../../src/errors.js';
import type { Host } from '../../../../src/host/host.js';
import { changeOf, createFrom, updateFrom } from '../../../../src/web/upload/apply.js';
import type { Upload } from '../../../../src/web/upload/receive.js';
import { writeFiles } from '../../../helpers/files.js';
import { tarGzip } from './archives.js';

const ADA = system('ada');
let folder: string;
let apps: Map<string, App>;
let committed: { id: string; change: FileChange; message: string }[];
/** What the next commit is refused with. */
let refuse: Error | undefined;
let host: Host;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'apply-'));
  apps = new Map();
  committed = [];
  refuse = undefined;
  const get = (id: string): unknown => ({ app: apps.get(id) });
  host = {
    apps: {
      get,
      create: async (input: { id?: string; name: string }) => {
        const app = newApp(input.id ?? input.name.toLowerCase(), input.name, new Date(0));
        apps.set(app.id, app);
        return get(app.id);
      },
      describe: async (id: string, facts: Partial<App>) => void apps.set(id, { ...(apps.get(id) as App), ...facts }),
      remove: async (id: string) => void apps.delete(id),
    },
    files: {
      commit: async (id: string, change: FileChange, _by: unknown, message: string) => {
        if (refuse !== undefined) throw refuse;
        committed.push({ id, change, message });
        return { deploy: { app: id, release: 1 }, lacks: undefined };
      },
    },
  } as unknown as Host;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A form with these files, by field. */
const upload = (...files: [field: string, name: string][]): Upload => ({
  folder,
  fields: {},
  files: files.map(([field, name], place) => ({ field, name, file: join(folder, String(place)), size: 1 })),
});
const pathsOf = (change: FileChange | undefined): string[] | undefined => change?.set.map(({ path }) => path);

it('the two files of a form get the names that an app needs, whatever they were called', async () => {
  const change = await changeOf(upload(['app', 'My dashboard (2).py'], ['requirements', 'reqs.txt']), true);
  expect(change).toEqual({
    set: [
      { path: 'app.py', file: join(folder, '0') },
      { path: 'requirements.txt', file: join(folder, '1') },
    ],
    remove: [],
    replace: false,
  });
});

it('an uploaded folder loses its own name for a new app, and keeps it in a change', async () => {
  const dropped = upload(['files[]', 'shop/app.py'], ['files', 'shop/pages/one.py'], ['files', 'shop/.DS_Store']);
  expect(pathsOf(await changeOf(dropped, true))).toEqual(['app.py', 'pages/one.py']);
  expect(pathsOf(await changeOf(dropped, false))).toEqual(['shop/app.py', 'shop/pages/one.py']);
});

it('an archive replaces the whole project, and the two files next to it are added to it', async () => {
  await writeFiles(folder, {
    0: await tarGzip([
      { name: 'app.py', content: 'one' },
      { name: 'data.csv', content: '1' },
    ]),
  });
  const change = await changeOf(upload(['archive', 'shop.tar.gz'], ['app', 'newer.py']), true);
  expect(change?.replace).toBe(true);
  expect(new Set(pathsOf(change))).toEqual(new Set(['app.py', 'data.csv']));
  expect(change?.set.find(({ path }) => path === 'app.py')?.file).toBe(join(folder, '1'));
});

it.each<[string, [string, string][], string]>([
  ['files in a field of another name', [['picture', 'x.png']], 'field-invalid'],
  [
    'two files for one name',
    [
      ['app', 'a.py'],
      ['app', 'b.py'],
    ],
    'field-invalid',
  ],
  [
    'an archive together with files',
    [
      ['archive', 'a.zip'],
      ['files', 'b.py'],
    ],
    'field-invalid',
  ],
  ['nothing but what no app needs', [['files', '.DS_Store']], 'files-missing'],
])('%s are refused', async (_, files, code) => {
  await expect(changeOf(upload(...files), true)).rejects.toMatchObject({ code });
});

it('a form without files changes no files, and creates no app', async () => {
  expect(await changeOf(upload(), true)).toBeUndefined();
  await expect(createFrom(host, { name: 'Shop' }, upload(), ADA)).rejects.toMatchObject({ code: 'files-missing' });
  expect([...apps.keys()]).toEqual([]);
});

it('a new app is created with its files committed, and not at all if they are refused', async () => {
  const { status, deploy } = await createFrom(host, { name: 'Shop', id: 'shop-one' }, upload(['app', 'a.py']), ADA);
  expect([status.app.id, deploy.release]).toEqual(['shop-one', 1]);
  expect(committed).toMatchObject([{ id: 'shop-one', change: { replace: true }, message: 'Upload app.py' }]);
  refuse = new Refusal('invalid', 'main-missing', 'No main file.');
  await expect(createFrom(host, { name: 'Other' }, upload(['app', 'a.py']), ADA)).rejects.toBe(refuse);
  expect([...apps.keys()]).toEqual(['shop-one']);
});

it('text fields and files change together, and a refusal of the files restores the fields', async () => {
  await createFrom(host, { name: 'Shop' }, upload(['app', 'a.py']), ADA);
  const many = upload(...Array.from({ length: 4 }, (_, at): [string, string] => ['files', `${at}.py`]));
  await updateFrom(host, 'shop', { name: 'Shop two', description: undefined }, many, ADA);
  expect(apps.get('shop')).toMatchObject({ name: 'Shop two', description: '' });
  expect(committed.at(-1)).toMatchObject({ message: 'Upload 4 files', change: { replace: false } });
  refuse = new Refusal('invalid', 'main-missing', 'No main file.');
  await expect(updateFrom(host, 'shop', { name: 'Three', hidden: true }, many, ADA)).rejects.toBe(refuse);
  expect(apps.get('shop')).toMatchObject({ name: 'Shop two' });
  expect(apps.get('shop')?.hidden ?? false).toBe(false);
});

it('a change of text fields only deploys nothing', async () => {
  await createFrom(host, { name: 'Shop' }, upload(['app', 'a.py']), ADA);
  const { deploy } = await updateFrom(host, 'shop', { description: 'Sales' }, undefined, ADA);
  expect(deploy).toBeUndefined();
  expect(committed).toHaveLength(1);
  expect(apps.get('shop')?.description).toBe('Sales');
});
