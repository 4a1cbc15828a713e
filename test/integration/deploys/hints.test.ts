import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { hintsFor, missingIn } from '../../../src/deploys/hints.js';
import { NO_CONFIG, type AppConfig } from '../../../src/store/app-config.js';
import { TestData } from '../../helpers/data.js';
import { writeFiles } from '../../helpers/files.js';
import { direct } from '../../helpers/reader.js';

let data: TestData;
beforeEach(async () => {
  data = await TestData.open();
});
afterEach(() => data.close());

const asks = (name: string): string => `import os\nos.environ["${name}"]\n`;
const secret = (name: string): string => `import streamlit as st\nst.secrets["${name}"]\n`;
const withSecrets = (secretsToml: string): AppConfig => ({ ...NO_CONFIG, secretsToml });

/** What is missing of files, once as they are checked out and once as they are committed. */
async function missing(files: Record<string, string>, config = NO_CONFIG): Promise<{ hints: number; names: string[] }> {
  const source = join(data.paths.data, 'source');
  await writeFiles(source, files);
  const commit = await data.commit('shop', files);
  const hints = await hintsFor(direct, source, config);
  const names = (await missingIn(direct, await data.repository('shop'), commit, config)).map(({ name }) => name);
  for (const [at, name] of names.entries()) expect(hints[at]).toContain(name);
  return { hints: hints.length, names };
}

it('a key that the code reads and the config lacks is missing, in a folder as in a commit', async () => {
  const at = '2026-01-01T00:00:00.000Z';
  const config = { ...NO_CONFIG, vars: { SET: { value: '', changedAt: at, changedBy: 'ada' } } };
  const files = { 'app.py': asks('SET'), 'lib/db.py': asks('DB') };
  expect(await missing(files, config)).toEqual({ hints: 1, names: ['DB'] });
});

it('tests, tools, caches and third-party packages are not searched', async () => {
  const others = ['tests/a.py', 'test_a.py', 'lib/a_test.py', 'conftest.py', 'setup.py', 'venv/a.py', '.tox/a.py'];
  const files = Object.fromEntries([...others, 'notes.txt'].map((path, at) => [path, asks(`KEY_${at}`)]));
  expect(await missing({ ...files, 'app.py': '' })).toEqual({ hints: 0, names: [] });
});

it('committed secrets count until the app has its own', async () => {
  const files = { 'app.py': secret('db'), '.streamlit/secrets.toml': 'db = "x"\n' };
  expect(await missing(files)).toEqual({ hints: 0, names: [] });
  expect(await missing(files, withSecrets('other = 1\n'))).toEqual({ hints: 1, names: ['db'] });
});

it('committed secrets that cannot be read do not count', async () => {
  const files = { 'app.py': secret('db'), '.streamlit/secrets.toml': 'db = ' };
  expect(await missing(files)).toEqual({ hints: 1, names: ['db'] });
});

it('a file too large to search delays no deploy, and the others are searched', async () => {
  const files = { 'app.py': asks('A'), 'big.py': asks('BIG') + '#'.repeat(256 * 1024) };
  expect(await missing(files)).toEqual({ hints: 1, names: ['A'] });
});

it('a link to a file is not followed', async () => {
  const source = join(data.paths.data, 'source');
  await writeFiles(data.paths.data, { 'outside.py': asks('OUTSIDE'), 'source/app.py': '' });
  await symlink(join(data.paths.data, 'outside.py'), join(source, 'link.py'));
  expect(await hintsFor(direct, source, NO_CONFIG)).toEqual([]);
});
