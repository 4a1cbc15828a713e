import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findChromium } from '../../../src/pictures/chromium.js';

test('Chromium is found under any of its names on the PATH, if it is executable', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'path-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [one, two] = [join(folder, 'one'), join(folder, 'two')];
  for (const each of [one, two]) await mkdir(each);
  expect(await findChromium(`${one}:${two}`)).toBeUndefined();
  await writeFile(join(one, 'chromium'), '');
  await chmod(join(one, 'chromium'), 0o644);
  await writeFile(join(two, 'google-chrome-stable'), '');
  await chmod(join(two, 'google-chrome-stable'), 0o755);
  expect(await findChromium(`relative:${one}:${two}`)).toBe(join(two, 'google-chrome-stable'));
});
