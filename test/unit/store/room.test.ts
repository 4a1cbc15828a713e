import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { Room, shortage } from '../../../src/store/room.js';

const MB = 1_000_000;

it('too little space and too few files are each told, and a floor of 0 is none', () => {
  const floor = { bytes: 500 * MB, files: 5_000 };
  expect(shortage({ bytes: 500 * MB, files: 5_000 }, floor)).toBeUndefined();
  expect(shortage({ bytes: 312 * MB, files: 5_000 }, floor)).toBe(
    "The server's disk has only 312 MB left, and deploys need 500 MB.",
  );
  expect(shortage({ bytes: 500 * MB, files: 12 }, floor)).toBe(
    "The server's disk has room for only 12 more files, and deploys need 5000.",
  );
  expect(shortage({ bytes: 0, files: 0 }, { bytes: 0, files: 0 })).toBeUndefined();
  expect(shortage({ bytes: 500 * MB, files: Infinity }, floor)).toBeUndefined();
});

it('a deploy is refused below the floor, with what to do', async () => {
  await expect(new Room(tmpdir(), { bytes: 0, files: 0 }).demand()).resolves.toBeUndefined();
  await expect(new Room(tmpdir(), { bytes: 1e18, files: 0 }).demand()).rejects.toMatchObject({
    code: 'disk-low',
    message: expect.stringContaining('live apps keep running. Free some space and try again.') as string,
  });
});

it('files that arrive together are refused once they would fill the disk, until one of them has ended', async () => {
  const { bavail, bsize } = await statfs(tmpdir());
  const left = bavail * bsize;
  const room = new Room(tmpdir(), { bytes: left * 0.1, files: 0 });
  const giveBack = await room.reserve(left * 0.5);
  const second = room.reserve(left * 0.5);
  await expect(second).rejects.toMatchObject({
    code: 'lfs-no-room',
    message: expect.stringContaining('no room for a file of') as string,
  });
  // Deploys need what is there now.
  await expect(room.demand()).resolves.toBeUndefined();
  giveBack();
  giveBack();
  const again = await room.reserve(left * 0.5);
  await expect(room.reserve(left * 0.5)).rejects.toMatchObject({ code: 'lfs-no-room' });
  again();
});
