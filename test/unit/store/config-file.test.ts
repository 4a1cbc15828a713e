import { chmod, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ConfigFile } from '../../../src/store/config-file.js';

let folder: string;
let path: string;
let file: ConfigFile;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'config-'));
  path = join(folder, 'config.json');
  file = new ConfigFile(path, join(folder, 'data/last-good.json'), join(folder, 'apps'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const keys = async (): Promise<string[]> => (await file.read()).config.entries.map((entry) => entry.place.key);

it('config.json on disk is optional, and reading it does not create it', async () => {
  expect(await file.read()).toMatchObject({ there: false, problems: [], config: { entries: [] } });
  expect(await readdir(folder)).toEqual([]);
});

it('config.json on disk stays in effect in its last valid version if it is invalid or missing, and says so', async () => {
  await writeFile(path, '{"website_port": 5000, "apps": {"a": {}}}');
  expect(await keys()).toEqual(['a']);
  await writeFile(path, '{"apps": {"a": {}, "b": }}');
  expect(await file.read()).toMatchObject({
    there: true,
    problems: [`${path}, line 1, column 25: invalid JSON (expected a value).`],
    config: { websitePort: 5000 },
  });
  expect(await keys()).toEqual(['a']);
  await rm(path);
  expect((await file.read()).problems).toEqual([`${path} no longer exists.`]);
  // Also for a server that has never seen it good.
  const other = new ConfigFile(path, join(folder, 'data/last-good.json'), folder);
  expect((await other.read()).config.entries).toHaveLength(1);
});

it('config.json on disk has no valid version if it was invalid from the start', async () => {
  await writeFile(path, 'apps:\n');
  expect(await file.read()).toMatchObject({
    there: false,
    config: { entries: [] },
    problems: [expect.stringContaining('invalid JSON')],
  });
});

it('a change of config.json keeps its permissions, follows a link, and leaves nothing behind', async () => {
  const real = join(folder, 'real.json');
  await writeFile(real, '{\n    "apps": {}\n}\n');
  await chmod(real, 0o640);
  await symlink('real.json', path);
  await file.change(() => ({ apps: { a: { name: 'A' } } }));
  expect(await readlink(path)).toBe('real.json');
  expect((await stat(real)).mode & 0o777).toBe(0o640);
  expect(await readFile(path, 'utf8')).toBe(
    '{\n    "apps": {\n        "a": {\n            "name": "A"\n        }\n    }\n}\n',
  );
  expect((await readdir(folder)).sort()).toEqual(['config.json', 'data', 'real.json']);
});

it('a change of config.json is refused if the file has errors or would have: its owner fixes it', async () => {
  await writeFile(path, '{"apps": [}');
  await expect(file.change(() => ({ apps: { a: {} } }))).rejects.toMatchObject({ code: 'config-invalid' });
  expect(await readFile(path, 'utf8')).toBe('{"apps": [}');
  await writeFile(path, '{"apps": {"a": {"port": 8501}}}');
  await expect(file.change(() => ({ apps: { b: { port: 8501 } } }))).rejects.toThrow('are both 8501');
  expect(await keys()).toEqual(['a']);
});

it('changes of config.json are made one after the other, each on top of the last', async () => {
  await Promise.all(
    ['a', 'b', 'c'].map((key) =>
      file.change((now) => ({ apps: { [key]: { port: 9_000 + now.config.entries.length } } })),
    ),
  );
  expect((await file.read()).config.entries.map(({ place }) => [place.key, place.port])).toEqual([
    ['a', 9000],
    ['b', 9001],
    ['c', 9002],
  ]);
});
