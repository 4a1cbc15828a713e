import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findProgram } from '../../../src/lib/find-program.js';
import { scratch } from '../../helpers/ends.js';

it('the first folder of the path that has the program wins, and then the first of its names', async () => {
  const root = await scratch('programs-');
  const [one, two] = [join(root, 'one'), join(root, 'two')];
  for (const folder of [one, two]) await mkdir(folder);
  for (const file of [join(two, 'second'), join(two, 'first')]) {
    await writeFile(file, '');
    await chmod(file, 0o755);
  }
  // One that nobody may run is none.
  await writeFile(join(one, 'first'), '');
  const names = ['first', 'second'];
  expect(await findProgram(names, `relative::${one}:${two}`)).toBe(join(two, 'first'));
  expect(await findProgram(names, one)).toBeUndefined();
  expect(await findProgram(names, '')).toBeUndefined();
});
