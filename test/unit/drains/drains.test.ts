import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { system } from '../../../src/domain/access/principal.js';
import { Drains } from '../../../src/drains/drains.js';
import { Paths } from '../../../src/store/paths.js';
import { Vault } from '../../../src/store/vault.js';

let paths: Paths;
let drains: Drains;

beforeEach(async () => {
  paths = new Paths(await mkdtemp(join(tmpdir(), 'drains-')));
  await mkdir(paths.app('shop'), { recursive: true });
  const vault = new Vault(paths);
  await vault.open();
  drains = new Drains({
    ...{ paths, vault, offsets: paths.drainOffsets },
    apps: { list: () => [], find: () => undefined, subscribe: () => () => undefined },
    mask: () => Promise.resolve((text) => text),
    warn: () => undefined,
  });
});
afterEach(async () => {
  await drains.close();
  await rm(paths.data, { recursive: true, force: true });
});

it('a token that no header can hold is refused, and any other is kept', async () => {
  const address = 'https://logs.example/';
  for (const token of ['ü', 'a b', 'a\r\nx-y: z'])
    await expect(drains.add('shop', { address, token }, system('ada'), false)).rejects.toMatchObject({
      code: 'drain-token-invalid',
      field: 'token',
    });
  expect(await drains.of('shop')).toEqual([]);
  await drains.add('shop', { address, token: 'a~!b' }, system('ada'), false);
  expect(await drains.of('shop')).toMatchObject([{ token: 'a~!b' }]);
});
