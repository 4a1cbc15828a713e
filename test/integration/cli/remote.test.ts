import { beforeEach, expect, it } from 'vitest';
import type { Api } from '../../../src/cli/api.js';
import type { Context } from '../../../src/cli/context.js';
import { remote } from '../../../src/cli/remote.js';
import { Refusal } from '../../../src/errors.js';
import { scratch } from '../../helpers/ends.js';
import { Project } from '../../helpers/project.js';

const URL_OF_SHOP = 'https://apps.example.com/tools/git/shop.git';
let project: Project;
let printed: string[];
let noted: string[];

beforeEach(async () => {
  project = await Project.create({ 'app.py': 'print(1)\n' });
  [printed, noted] = [[], []];
});

/** The verb in a folder, against a server that has one app, `shop`. */
function run(id: string, options: { new?: boolean } = {}, { cwd = project.folder, json = false } = {}): Promise<void> {
  const api = {
    target: { url: 'https://apps.example.com/tools' },
    get: async (path: string) => {
      if (path !== '/apps/shop') throw new Refusal('not-found', 'app-not-found', `There is no app "${id}".`);
      return { git_url: URL_OF_SHOP };
    },
  };
  const out = {
    json,
    print: (line: string) => printed.push(line),
    note: (line: string) => noted.push(line),
    data: (data: unknown) => printed.push(JSON.stringify(data)),
  };
  return remote({ cwd, out, api: async () => api as unknown as Api } as unknown as Context, id, options);
}
const address = async (): Promise<string> =>
  (await project.git('config', '--get-all', 'remote.host.url')).output.trim();

it('a checkout gets the remote "host", and keeps its other remotes', async () => {
  await project.git('remote', 'add', 'origin', 'https://example.com/x.git');
  await run('shop');
  expect(await address()).toBe(URL_OF_SHOP);
  expect((await project.git('config', '--get', 'remote.origin.url')).output.trim()).toBe('https://example.com/x.git');
  expect(printed).toEqual([`Remote "host" set to ${URL_OF_SHOP}`]);
  expect(noted).toHaveLength(1);
});

it('a remote "host" with another URL is changed, and its old URL is shown without the password', async () => {
  await project.git('remote', 'add', 'host', 'https://ada:secret@old.example/git/x.git');
  await run('shop');
  expect(await address()).toBe(URL_OF_SHOP);
  expect(noted[0]).toBe('It was https://old.example/git/x.git.');
  noted = [];
  await run('shop', {}, { json: true });
  expect(printed.at(-1)).toBe(JSON.stringify({ remote: 'host', url: URL_OF_SHOP }));
  expect(noted).toEqual([]);
});

it('an unknown app is refused, unless the first push is to create it', async () => {
  await expect(run('blog')).rejects.toMatchObject({
    code: 'app-not-found',
    message: expect.stringContaining('--new') as string,
  });
  expect(await address()).toBe('');
  await run('blog', { new: true });
  expect(await address()).toBe('https://apps.example.com/tools/git/blog.git');
});

it('a folder outside of a checkout gets no remote', async () => {
  const cwd = await scratch('no-checkout-');
  await expect(run('shop', {}, { cwd })).rejects.toMatchObject({ code: 'no-checkout' });
  expect(printed).toEqual([]);
});
