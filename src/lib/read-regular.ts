import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/**
 * Reads a file that somebody else may exchange meanwhile: a link is not followed, and a pipe or a device not waited for.
 * @param most the most bytes that are read
 * @returns undefined where there is no regular file of that size
 * @throws Error where it cannot be read
 */
export async function readRegular(path: string, most: number): Promise<Buffer | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch(() => undefined); // Gone, or a link.
  if (file === undefined) return undefined;
  try {
    const facts = await file.stat();
    if (!facts.isFile() || facts.size > most) return undefined;
    const bytes = Buffer.alloc(facts.size);
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
      if (bytesRead === 0) return undefined; // It shrank.
      length += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}
