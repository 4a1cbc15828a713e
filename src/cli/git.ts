import { execFile } from 'node:child_process';
import { hasCode, Refusal } from '../errors.js';

/** The time limit (ms) for a git query. */
const LIMIT_MS = 30_000;

/** Returns git's output in a folder; undefined if it fails. @throws Refusal `git-missing` */
export async function git(folder: string, args: readonly string[], input?: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      'git',
      args,
      { cwd: folder, maxBuffer: 64 * 1024 * 1024, timeout: LIMIT_MS },
      (error, stdout) => {
        if (error === null) resolve(stdout);
        else if (hasCode(error, 'ENOENT')) reject(missing());
        else if (hasCode(error, 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER'))
          reject(new Error(`git ${args[0] ?? ''} produced too much output`, { cause: error }));
        else resolve(undefined);
      },
    );
    // It may end before it has read everything, which its exit code tells.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input ?? '');
  });
}

function missing(): Refusal {
  return new Refusal('unavailable', 'git-missing', 'Cannot find git. Install it, or add it to PATH.');
}
