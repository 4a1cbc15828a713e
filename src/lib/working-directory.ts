import { realpathSync } from 'node:fs';
import { hasCode } from '../errors.js';

/**
 * Moves to the root folder where the working directory is gone: it was removed, or its disk was unmounted or mounted again.
 * Threads and child processes that start in such a place fail (`uv_cwd`), for as long as the server lives.
 */
export function requireWorkingDirectory(): void {
  try {
    // Node remembers what process.cwd() once said, and a folder that was removed can still be looked at.
    realpathSync.native('.');
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    process.chdir('/');
  }
}
