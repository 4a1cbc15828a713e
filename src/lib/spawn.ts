import { execFile as nodeExecFile, spawn as nodeSpawn, type ExecFileOptions } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import { hasCode } from '../errors.js';
import { requireWorkingDirectory } from './working-directory.js';

/** How many files a start opens at most, for a moment: both ends of five pipes, and of the one that reports a failure. */
const FILES = 12;

/** As Node's own, but from a working directory that exists, and it throws where no more files can be opened. @throws Error as `requireFiles` */
export const spawn = ((...args: Parameters<typeof nodeSpawn>) => {
  requireFiles();
  requireWorkingDirectory();
  return nodeSpawn(...args);
}) as typeof nodeSpawn;

/** As Node's own once promisified, with the same care. @throws Error as `requireFiles`, and as Node's own */
export async function execute(file: string, argv: readonly string[], options: ExecFileOptions = {}): Promise<Output> {
  requireFiles();
  requireWorkingDirectory();
  return promisify(nodeExecFile)(file, argv, { ...options, encoding: 'utf8' });
}

interface Output {
  stdout: string;
  stderr: string;
}

/**
 * To be called right before a child process is started. Where no more files can be opened, Node gives up half way and leaves
 * the pipes open that it has made, so that a server which was short of files once would be short of them for ever
 * (`ChildProcess.spawn` returns early at EMFILE: https://github.com/nodejs/node/blob/v20.20.2/lib/internal/child_process.js).
 * @throws Error with the code EMFILE or ENFILE
 */
export function requireFiles(): void {
  const files: number[] = [];
  try {
    while (files.length < FILES) files.push(openSync('/dev/null', 'r'));
  } catch (cause) {
    const code = hasCode(cause, 'ENFILE') ? 'ENFILE' : 'EMFILE';
    throw Object.assign(new Error('too many files are open', { cause }), { code });
  } finally {
    for (const file of files) closeSync(file);
  }
}
