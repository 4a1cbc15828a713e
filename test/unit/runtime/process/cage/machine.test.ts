import { chmod, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { publicIn } from '../../../../../src/runtime/process/cage/machine.js';
import { writeFiles } from '../../../../helpers/files.js';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'machine-'))));
afterEach(() => rm(folder, { recursive: true, force: true }));

it('a folder is public as a whole only if all that is in it is', async () => {
  await writeFiles(folder, {
    'fonts/conf': '',
    'ssl/certs/ca.pem': '',
    'ssl/private/key.pem': '',
    hosts: '',
    shadow: '',
  });
  for (const open of ['fonts/conf', 'ssl/certs/ca.pem', 'hosts', 'shadow']) await chmod(join(folder, open), 0o644);
  for (const open of ['', 'fonts', 'ssl', 'ssl/certs', 'ssl/private']) await chmod(join(folder, open), 0o755);
  await mkdir(join(folder, 'empty'), { mode: 0o755 });
  await chmod(join(folder, 'ssl/private/key.pem'), 0o644);
  await symlink('/root', join(folder, 'link'));
  expect(await publicIn(folder)).toEqual([folder]);
  await chmod(join(folder, 'ssl/private'), 0o710);
  await chmod(join(folder, 'shadow'), 0o640);
  expect((await publicIn(folder)).sort()).toEqual(
    ['empty', 'fonts', 'hosts', 'ssl/certs'].map((name) => join(folder, name)),
  );
});
