import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { programFolder } from '../../../src/lib/program-folder.js';
import { writeFiles } from '../../helpers/files.js';
import { ROOT } from '../../helpers/host.js';

it('the program finds its own folder, wherever its modules are within', async () => {
  expect(programFolder()).toBe(ROOT);
  const folder = await mkdtemp(join(tmpdir(), 'program-'));
  await writeFiles(folder, { 'package.json': '{}', 'dist/parts/one.js': '' });
  expect(programFolder(join(folder, 'dist/parts/one.js'))).toBe(folder);
  expect(programFolder(join(folder, 'main.js'))).toBe(folder);
  await rm(folder, { recursive: true });
});

it('a program without its package.json is incomplete', () => {
  expect(() => programFolder('/nowhere/dist/main.js')).toThrow('The program is incomplete');
});
