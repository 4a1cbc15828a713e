import { createHash } from 'node:crypto';
import { mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { expect, it } from 'vitest';
import { bytecodeIn, LayerError, packArchive, packFolder, type Packing } from '../../../../src/runtime/swarm/layer.js';
import { scratch } from '../../../helpers/ends.js';
import { writeFiles } from '../../../helpers/files.js';

async function folderOf(): Promise<string> {
  const folder = await scratch('layer-');
  await writeFiles(folder, {
    'bin/tool': '#!/bin/sh\n',
    'lib/one.py': 'ONE = 1\n',
    'lib/__pycache__/one.cpython-311.pyc': 'code',
    'lib/a, & b/two.py': '',
    '__pycache__/top.pyc': 'more',
  });
  await symlink('./one.py', join(folder, 'lib/link.py'));
  await utimes(join(folder, 'lib/one.py'), 1_700_000_000.25, 1_700_000_000.25);
  return folder;
}

/** What is in a packed layer, by name. */
async function unpacked({ packed, digest }: Packing) {
  const tar = gunzipSync(await buffer(Readable.from(packed)));
  expect(digest()).toBe(`sha256:${createHash('sha256').update(tar).digest('hex')}`);
  const entries: Record<string, { type: string; link: string; seconds: number; owner: number; text: string }> = {};
  const reader = Readable.from([tar]).pipe(extract());
  for await (const entry of reader) {
    const { name, type = '', linkname = '', mtime, uid = -1 } = entry.header;
    const text = (await buffer(entry)).toString();
    entries[name] = {
      type: type ?? '',
      link: linkname ?? '',
      seconds: (mtime?.getTime() ?? 0) / 1_000,
      owner: uid,
      text,
    };
  }
  return entries;
}

it('packs a folder under another path, without its bytecode, for root', async () => {
  const folder = await folderOf();
  const entries = await unpacked(packFolder({ from: folder, at: '/data, & more/e' }));
  expect(Object.keys(entries).sort()).toEqual([
    'data, & more/e/',
    'data, & more/e/bin/',
    'data, & more/e/bin/tool',
    'data, & more/e/lib/',
    'data, & more/e/lib/a, & b/',
    'data, & more/e/lib/a, & b/two.py',
    'data, & more/e/lib/link.py',
    'data, & more/e/lib/one.py',
  ]);
  // Python compares the second with the one that its bytecode was made of.
  expect(entries['data, & more/e/lib/one.py']).toEqual({
    ...{ type: 'file', link: '', seconds: 1_700_000_000, owner: 0, text: 'ONE = 1\n' },
  });
  expect(entries['data, & more/e/lib/link.py']).toMatchObject({ type: 'symlink', link: './one.py' });
});

it('packs the bytecode alone, or all', async () => {
  const folder = await folderOf();
  const bytecode = await bytecodeIn(folder);
  expect(bytecode).toEqual(['__pycache__', 'lib/__pycache__']);
  const only = await unpacked(packFolder({ from: folder, at: '/e', bytecode }));
  expect(Object.keys(only).filter((name) => !name.endsWith('/'))).toEqual([
    'e/__pycache__/top.pyc',
    'e/lib/__pycache__/one.cpython-311.pyc',
  ]);
  const all = await unpacked(packFolder({ from: folder, at: '/e', bytecode: 'too' }));
  expect(Object.keys(all)).toContain('e/lib/one.py');
  expect(Object.keys(all)).toContain('e/lib/__pycache__/one.cpython-311.pyc');
});

it('packs the same files the same, and an archive as it is', async () => {
  const folder = await folderOf();
  const digests: string[] = [];
  for (let round = 0; round < 2; round += 1) {
    const packing = packFolder({ from: folder, at: '/e' });
    digests.push(
      createHash('sha256')
        .update(await buffer(Readable.from(packing.packed)))
        .digest('hex'),
    );
  }
  expect(digests[0]).toBe(digests[1]);
  const packing = packArchive(Buffer.from('archive'));
  expect(gunzipSync(await buffer(Readable.from(packing.packed))).toString()).toBe('archive');
});

it('says what could not be packed, and ends what it has started when nobody reads on', async () => {
  const missing = packFolder({ from: '/nowhere', at: '/e' });
  await expect(buffer(Readable.from(missing.packed))).rejects.toThrow(LayerError);
  const folder = await scratch('layer-');
  await mkdir(join(folder, 'large'));
  await writeFile(join(folder, 'large/file'), Buffer.alloc(32 * 1024 * 1024, 'x'));
  for await (const part of packFolder({ from: folder, at: '/e' }).packed) {
    expect(part.length).toBeGreaterThan(0);
    break;
  }
});
