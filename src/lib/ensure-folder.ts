import { mkdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { hasCode } from '../errors.js';

/**
 * Creates a folder, and those above it, where they are missing. As Node's own `mkdir`, which reports a folder that cannot be
 * created, such as on a disk that has no inodes, as one that is not there: it asks for the folder afterwards and reports that
 * answer (`MKDirpAsync` in https://github.com/nodejs/node/blob/v20.20.2/src/node_file.cc).
 * @param mode the permissions of what it creates
 * @returns the first folder that it has created; undefined if there was nothing to create
 * @throws Error with the code that says why, such as `ENOSPC`
 */
export async function ensureFolder(path: string, mode?: number): Promise<string | undefined> {
  const options = { recursive: true, ...(mode !== undefined && { mode }) } as const;
  try {
    return await mkdir(path, options);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    // It may have been created meanwhile, or says why it cannot be.
    return mkdirSync(path, options);
  }
}
