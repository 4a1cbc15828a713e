import { beforeEach, expect, it } from 'vitest';
import { Inspector } from '../../../src/deploys/inspect.js';
import type { Repository } from '../../../src/store/repository.js';
import { direct } from '../../helpers/reader.js';

const FILES = new Map([
  ['app.py', 'import streamlit'],
  ['requirements.txt', 'streamlit\n'],
]);

let inspector: Inspector;
/** The commits whose tree was read. */
let read: string[];

/** A repository in which every commit holds the same files. */
function repositoryOf(files: ReadonlyMap<string, string>): Repository {
  const named = [...files].map(([path, text], at) => ({ path, text, id: String(at + 1).repeat(40) }));
  const fake: Pick<Repository, 'tree' | 'blobs'> = {
    tree: (commit) => {
      read.push(commit);
      const lines = named.map(({ path, text, id }) => `100644 blob ${id} ${text.length}\t${path}\0`);
      return Promise.resolve(Buffer.from(lines.join('')));
    },
    blobs: (ids) => {
      const wanted = named.filter(({ id }) => ids.includes(id));
      return Promise.resolve(
        Buffer.from(wanted.map(({ id, text }) => `${id} blob ${text.length}\n${text}\n`).join('')),
      );
    },
  };
  return fake as Repository;
}

it('refuses what the operator does not allow apps to ask of their cage', async () => {
  const files = new Map([...FILES, ['streamlit-host.toml', '[cage]\ndevices = ["gpu"]\n']]);
  const policy = { kind: 'bubblewrap' as const, readOnly: [], devices: ['gpu'] };
  const inspect = (devices: string[]): Promise<unknown> =>
    new Inspector(direct, () => ({ ...policy, devices })).inspect(repositoryOf(files), commit(1));
  await expect(inspect([])).rejects.toMatchObject({ code: 'cage-not-allowed' });
  await expect(inspect(['gpu'])).resolves.toMatchObject({ settings: { cage: { devices: ['gpu'] } } });
});

const commit = (number: number): string => number.toString(16).padStart(40, '0');

beforeEach(() => {
  inspector = new Inspector(direct);
  read = [];
});

it("a push's tree is read once: the findings are kept for its deploy, also for a preview's", async () => {
  const found = await inspector.inspect(repositoryOf(FILES), commit(1), { env: { GIT_QUARANTINE_PATH: '/q' } });
  expect(found).toMatchObject({ entrypoint: 'app.py', files: 2 });
  expect(await inspector.take(repositoryOf(new Map()), commit(1))).toBe(found);
  expect(read).toEqual([commit(1)]);
});

it('a commit without kept findings is inspected, as after a restart or for a second deploy', async () => {
  const repository = repositoryOf(FILES);
  expect(await inspector.take(repository, commit(1))).toMatchObject({ entrypoint: 'app.py' });
  expect(await inspector.take(repository, commit(1))).toMatchObject({ entrypoint: 'app.py' });
  expect(read).toEqual([commit(1), commit(1)]);
});

it('nothing is kept of a commit that cannot become a release', async () => {
  const broken = repositoryOf(new Map([['notes.txt', 'none']]));
  await expect(inspector.inspect(broken, commit(1))).rejects.toMatchObject({ code: 'no-entrypoint' });
  await expect(inspector.take(broken, commit(1))).rejects.toMatchObject({ code: 'no-entrypoint' });
  expect(read).toHaveLength(2);
});

it('only the newest findings are kept, so pushes without a deploy do not fill the memory', async () => {
  const repository = repositoryOf(FILES);
  for (let number = 0; number < 17; number += 1) await inspector.inspect(repository, commit(number));
  read = [];
  for (const number of [16, 1, 0]) await inspector.take(repository, commit(number));
  expect(read).toEqual([commit(0)]);
});
