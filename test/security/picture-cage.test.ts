import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Chromium, findChromium } from '../../src/pictures/chromium.js';
import { between } from '../../src/pictures/photograph.js';
import { Cage, type CageWish } from '../../src/runtime/process/cage/cage.js';
import { pictureCage } from '../../src/server/cage.js';
import { scratch } from '../helpers/ends.js';
import { ROOT, until } from '../helpers/host.js';
import { processesWith } from '../helpers/pushing.js';

const SECRET = 'the-token-of-the-server';

/** Lets a browser open a file of the data folder. @returns the page's address and all that it shows */
async function look(wish: CageWish): Promise<string> {
  const data = await scratch('picture-cage-');
  const tmp = join(data, 'tmp');
  await mkdir(tmp);
  await writeFile(join(data, 'admin-token'), SECRET);
  // Only the cage is in the way.
  for (const path of [data, join(data, 'admin-token')]) await chmod(path, 0o755);
  const path = process.env.PATH ?? '';
  const inner = join(ROOT, 'python/cage.py');
  const cage = await Cage.open({ wish, path, inner, data: [data], tmp, python: '/usr/bin/python3' });
  const browser = await Chromium.start({
    file: (await findChromium(path)) ?? '',
    path,
    tmp,
    mark: `test/${data}`,
    only: '127.0.0.1:9',
    cage: pictureCage(cage),
  });
  try {
    const { devtools } = browser;
    const { targetId } = await devtools.send('Target.createTarget', { url: `file://${data}/admin-token` });
    const { sessionId } = await devtools.send('Target.attachToTarget', { targetId, flatten: true });
    const expression =
      'document.readyState === "complete" && location.href !== "about:blank" && `${location.href} ${document.documentElement.innerText}`';
    return await until('the page is there', async () => {
      const answer = await devtools.send('Runtime.evaluate', { expression }, sessionId as string).catch(between);
      const { value } = (answer.result ?? {}) as { value?: string | false };
      return value;
    });
  } finally {
    await browser.end();
    expect(await processesWith(`--user-data-dir=${tmp}`)).toEqual([]);
    expect(await readdir(tmp)).toEqual([]);
  }
}

it.each(['bubblewrap', 'landlock'] as const)(
  'the Chromium for pictures sees nothing of the data folder in a cage of %s, and leaves nothing',
  async (wish) => {
    const page = await look(wish);
    expect(page).toMatch(/^chrome-error:/);
    expect(page).not.toContain(SECRET);
  },
);

it('the Chromium for pictures sees the data folder without a cage', async () => {
  expect(await look('none')).toContain(SECRET);
});
