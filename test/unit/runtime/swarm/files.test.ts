import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { copyOf, framesOf } from '../../../../src/runtime/swarm/files.js';
import { FrameReader } from '../../../../src/runtime/swarm/frames.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'files-'));
  await mkdir(join(folder, 'source/inner'), { recursive: true });
  await writeFile(join(folder, 'source/app.py'), 'x'.repeat(600_000), { mode: 0o644 });
  await writeFile(join(folder, 'source/inner/run'), '', { mode: 0o755 });
  await symlink('app.py', join(folder, 'source/link.py'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What frames say: the entries without what is in them, and how much that is. */
async function said(frames: AsyncIterable<Buffer>): Promise<{ entries: string[]; bytes: number }> {
  const reader = new FrameReader();
  const entries: string[] = [];
  let bytes = 0;
  for await (const frame of frames)
    for (const { kind, payload } of reader.read(frame))
      if (kind === 'N') entries.push(payload.toString().replaceAll('\0', ' ').replaceAll(folder, ''));
      else bytes += payload.length;
  return { entries, bytes };
}

it('sends files at their own paths, for reading alone, and leaves out what is missing', async () => {
  expect(await said(framesOf([join(folder, 'source'), join(folder, 'missing')]))).toEqual({
    entries: [
      'd 555 /source ',
      'f 444 /source/app.py ',
      'd 555 /source/inner ',
      'f 555 /source/inner/run ',
      'l 555 /source/link.py app.py',
    ],
    bytes: 600_000,
  });
});

it('copies what is in a folder to another place, to be changed there', async () => {
  const { entries } = await said(copyOf(join(folder, 'source'), '/there'));
  expect(entries.sort()).toEqual([
    'd 755 /there/inner ',
    'f 644 /there/app.py ',
    'f 755 /there/inner/run ',
    'l 777 /there/link.py app.py',
  ]);
});

it('sends nothing of another folder to which an app has put a link in the meantime', async () => {
  const inner = join(folder, 'source/inner');
  await mkdir(join(folder, 'secret'));
  await writeFile(join(folder, 'secret/run'), 'of somebody else');
  let sent = '';
  let swapped = false;
  for await (const frame of copyOf(join(folder, 'source'), '/there')) {
    sent += frame.toString('latin1');
    if (swapped || !sent.includes('/there/inner')) continue;
    swapped = true;
    await rename(inner, join(folder, 'away'));
    await symlink(join(folder, 'secret'), inner);
  }
  expect(swapped).toBe(true);
  expect(sent).not.toContain('somebody else');
});
