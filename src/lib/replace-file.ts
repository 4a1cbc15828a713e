import { randomBytes } from 'node:crypto';
import { link, lstat, open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasCode } from '../errors.js';
import { removeOrLater } from './remove-or-later.js';

/** What the names of half-written copies end with. */
const DRAFT = /\.[0-9a-f]{12}\.draft$/;

export interface ReplaceOptions {
  /** The permissions of the file. */
  mode: number;
  /** False where the file need not survive the machine; true unless given. */
  sync?: boolean;
  /** Where the content from before is kept. */
  last?: string | undefined;
}

/**
 * Replaces a file, whole or not at all: readers and crashes see the old content or the new one, never a part. The owner of
 * the file stays its owner. A link is replaced as well, not followed.
 * @throws Error with `ENOSPC` where the disk has no room for all of it; the old content is untouched then
 */
export async function replaceFile(
  path: string,
  content: string | Uint8Array,
  { mode, sync = true, last }: ReplaceOptions,
): Promise<void> {
  const before = await lstat(path).catch(() => undefined); // There is none yet.
  const draft = draftOf(path);
  try {
    // Private until it has its content.
    const handle = await open(draft, 'wx', 0o600);
    try {
      await writeAll(handle, typeof content === 'string' ? Buffer.from(content) : content);
      await handle.chmod(mode);
      if (before !== undefined && process.getuid?.() === 0) await handle.chown(before.uid, before.gid);
      if (sync) await handle.sync();
    } finally {
      await handle.close();
    }
    if (last !== undefined) await keepLast(path, last);
    await rename(draft, path);
  } catch (error) {
    await removeOrLater(draft);
    throw error;
  }
  if (sync) await syncFolder(dirname(path));
}

/**
 * Writes until everything is written, and checks that the file has it all. One call of write may write only a part
 * without an error, as it does where the disk becomes full (https://man7.org/linux/man-pages/man2/write.2.html).
 * @throws Error with `ENOSPC` where nothing more can be written
 */
export async function writeAll(handle: Pick<FileHandle, 'write' | 'stat'>, content: Uint8Array): Promise<void> {
  let done = 0;
  while (done < content.length) {
    const { bytesWritten } = await handle.write(content, done, content.length - done, done);
    if (bytesWritten === 0) break;
    done += bytesWritten;
  }
  const { size } = await handle.stat();
  if (done === content.length && size === content.length) return;
  throw Object.assign(new Error(`ENOSPC: only ${size} of ${content.length} bytes were written`), { code: 'ENOSPC' });
}

/** Gives a file a second name, which costs no room. */
async function keepLast(path: string, last: string): Promise<void> {
  const draft = draftOf(last);
  try {
    await link(path, draft);
    await rename(draft, last);
  } catch {
    // There is none yet, or the file system has no hard links or is full: the file itself can be replaced all the same.
  } finally {
    // Also where both were names of the same file already, since a rename does nothing then.
    await rm(draft, { force: true }).catch(() => undefined);
  }
}

function draftOf(path: string): string {
  return `${path}.${randomBytes(6).toString('hex')}.draft`;
}

/** Deletes the half-written copies that a killed server has left in a folder. */
export async function sweepDrafts(folder: string): Promise<void> {
  for (const draft of await draftsIn(folder)) await rm(draft, { force: true });
}

/** The half-written copies in a folder, also those that are being written. */
export async function draftsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return [];
    throw error;
  });
  return names.filter((name) => DRAFT.test(name)).map((name) => join(folder, name));
}

/** Without this, a power cut may undo the rename. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Some file systems cannot sync a folder (https://man7.org/linux/man-pages/man2/fsync.2.html).
    if (!['EINVAL', 'ENOTSUP', 'EROFS'].some((code) => hasCode(error, code))) throw error;
  } finally {
    await handle.close();
  }
}
