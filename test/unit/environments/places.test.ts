import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { discard, FACTS, isComplete, placeOf, refuseLinks, replace } from '../../../src/environments/places.js';
import { writeFiles } from '../../helpers/files.js';

let folder: string;
let path: string;
let aside: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'places-'));
  [path, aside] = [join(folder, 'environment'), join(folder, 'aside')];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const whole = { [FACTS]: '{}', 'bin/python': '' };
const LISTED = {
  copies: new Map([
    ['requirements.txt', 'a\n'],
    ['more/b.txt', 'b\n'],
  ]),
  local: false,
} as never;
const LOCAL = { copies: new Map([['requirements.txt', './lib\n']]), local: true } as never;

it('an environment is complete only with its facts and its Python', async () => {
  expect(await isComplete(path)).toBe(false);
  for (const missing of Object.keys(whole)) {
    await writeFiles(path, whole);
    expect(await isComplete(path)).toBe(true);
    await rm(join(path, missing));
    expect(await isComplete(path)).toBe(false);
  }
});

it('shared requirements are copied, and do not need the project', async () => {
  const copies = join(folder, 'copies');
  const place = await placeOf(LISTED, { file: 'requirements.txt' }, '/project', copies);
  expect(place).toEqual({ folder: copies, requirements: 'requirements.txt' });
  expect(await readFile(join(copies, 'more/b.txt'), 'utf8')).toBe('b\n');
});

it('requirements that refer to project files are installed there, from a copy', async () => {
  const copies = join(folder, 'copies');
  const place = await placeOf(LOCAL, { file: 'requirements.txt', format: 'requirements' }, '/project', copies);
  expect(place).toEqual({ folder: '/project', requirements: join(copies, 'requirements.txt') });
  expect(await readFile(place.requirements, 'utf8')).toBe('./lib\n');
});

it('generated requirements are never in the project, even if named by it', async () => {
  const copies = join(folder, 'copies');
  const place = await placeOf(LOCAL, { file: 'requirements.txt', format: 'lines' }, '/project', copies);
  expect(place.folder).toBe('/project');
  expect(await readFile(place.requirements, 'utf8')).toBe('./lib\n');
  expect(place.requirements.startsWith(copies)).toBe(true);
});

describe('the links of an environment', () => {
  const python = process.execPath;
  const link = async (links: Record<string, string>): Promise<void> => {
    await writeFiles(path, { 'lib/python3.12/site-packages/a.py': '', 'bin/pip': '' });
    await symlink(python, join(path, 'bin/python'));
    await symlink('python', join(path, 'bin/python3'));
    await symlink('lib', join(path, 'lib64'));
    for (const [name, target] of Object.entries(links)) await symlink(target, join(path, name));
    await refuseLinks(path, python);
  };

  it('may lead to its Python and to what is in it', async () => {
    await expect(link({ 'lib/b.py': 'python3.12/site-packages/a.py' })).resolves.toBeUndefined();
  });

  it.each<[string, Record<string, string>, string]>([
    ['elsewhere', { leak: '/etc' }, 'leak'],
    // The one name would pass for that of its Python, and the other for a link within.
    ['elsewhere by the name of a Python', { leak: 'bin/python9/passwd', 'bin/python9': '/etc' }, '(leak|bin/python9)'],
    ['elsewhere by way of a folder that seems deeper', { 'lib/up': '..', leak: 'lib/up/../../aside' }, 'leak'],
    ['to what an app may put there later', { leak: '../later' }, 'leak'],
    ['to what an app may put there later, seemingly within', { leak: 'bin/later' }, 'leak'],
  ])('may not lead %s', async (_name, links, place) => {
    await mkdir(aside);
    await expect(link(links)).rejects.toMatchObject({
      code: 'build-failed',
      message: expect.stringMatching(`^A package installed the link ${place}, which leads to `) as string,
    });
  });
});

it('a folder that is replaced is set aside', async () => {
  await writeFiles(folder, { 'made/new': '', 'environment/old': '' });
  await replace(path, join(folder, 'made'), aside);
  expect([await readdir(path), await readdir(aside)]).toEqual([['new'], ['old']]);
});

it('a folder is moved to an unused place', async () => {
  await writeFiles(folder, { 'made/new': '' });
  await replace(path, join(folder, 'made'), aside);
  expect(await readdir(path)).toEqual(['new']);
  expect(existsSync(aside)).toBe(false);
});

it('an environment that was used recently, or is gone, is not discarded', async () => {
  expect(await discard(path, aside, 60_000)).toBe(false);
  await writeFiles(path, whole);
  expect(await discard(path, aside, 60_000)).toBe(false);
  expect(await isComplete(path)).toBe(true);
  const longAgo = new Date(Date.now() - 61_000);
  await utimes(path, longAgo, longAgo);
  expect(await discard(path, aside, 60_000)).toBe(true);
  expect(existsSync(path)).toBe(false);
  expect(await readdir(aside)).toEqual([]);
});
