import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { newApp } from '../../../src/domain/app/app.js';
import { createLogger } from '../../../src/logger.js';
import { openConfig } from '../../../src/server/config.js';
import { Paths } from '../../../src/store/paths.js';
import { scratch } from '../../helpers/ends.js';

it('a secret that an earlier version left in plain text is encrypted and stays hidden in logs', async () => {
  const paths = new Paths(await scratch('config-'));
  const folder = join(paths.apps, 'shop');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'cookie-secret'), 'a-secret-of-before\n');
  const app = newApp('shop', 'Shop', new Date(0));
  const { masks } = await openConfig({
    store: { list: () => [app], find: (id) => (id === 'shop' ? app : undefined) },
    paths,
    later: { attempt: async (_what, work) => void (await work()) },
    logger: createLogger('silent'),
  });
  expect(await readdir(folder)).toEqual(['cookie-secret.enc']);
  const mask = await masks.of('shop');
  expect(mask('it signs with a-secret-of-before')).not.toContain('a-secret-of-before');
});
