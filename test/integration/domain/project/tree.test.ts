import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseBlobs, parseTree } from '../../../../src/domain/project/tree.js';
import { scratch } from '../../../helpers/ends.js';

it('the output of git about a tree and its files is parsed, whatever the file names', async () => {
  const folder = await scratch('tree-');
  const env = {
    PATH: process.env.PATH,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_DIR: join(folder, 'r.git'),
  };
  const git = (argv: string[], input = ''): Buffer => execFileSync('git', argv, { env, input, cwd: folder });
  git(['init', '-q', '--bare', join(folder, 'r.git')]);
  const blob = git(['hash-object', '-w', '--stdin'], 'one\ntwo').toString().trim();
  const empty = git(['hash-object', '-w', '--stdin'], '').toString().trim();
  const names = ['app.py', 'dir/tab\there.txt', 'é "quoted"\nname'];
  git(
    ['update-index', '--add', '-z', '--index-info'],
    names.map((name) => `100644 ${blob}\t${name}\0`).join('') +
      `160000 ${'1'.repeat(40)}\tsub\0` +
      `120000 ${empty}\tlink\0`,
  );
  const tree = git(['write-tree']).toString().trim();
  const entries = parseTree(git(['ls-tree', '-r', '-l', '-z', '--full-tree', tree]));
  expect(new Set(entries.map(({ path }) => path))).toEqual(new Set([...names, 'sub', 'link']));
  expect(entries.find(({ path }) => path === 'app.py')).toEqual({
    mode: '100644',
    object: blob,
    size: 7,
    path: 'app.py',
  });
  expect(entries.find(({ path }) => path === 'sub')).toMatchObject({ mode: '160000', size: 0 });
  const blobs = parseBlobs(git(['cat-file', '--batch'], `${blob}\n${empty}\n`));
  expect([...blobs].map(([id, bytes]) => [id, bytes.toString()])).toEqual([
    [blob, 'one\ntwo'],
    [empty, ''],
  ]);
  expect(() => parseBlobs(git(['cat-file', '--batch'], `${'2'.repeat(40)}\n`))).toThrow('no blob');
  expect(() => parseTree('nonsense')).toThrow('not a line');
});
