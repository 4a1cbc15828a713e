import { execFile } from 'node:child_process';
import { hasCode, messageOf } from '../errors.js';
import { lower } from '../lib/priority.js';
import { requireFiles } from '../lib/spawn.js';

/** git said no. The message is git's own last words. */
export class GitFailed extends Error {
  /** Undefined where git did not end by itself. */
  readonly exitCode: number | undefined;
  readonly stderr: string;

  constructor(argv: readonly string[], exitCode: number | undefined, stderr: string, why: string, cause?: unknown) {
    super(`git ${argv[0] ?? ''} failed: ${stderr.trim().split('\n').at(-1) || why}`, { cause });
    this.name = 'GitFailed';
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

/** One run of git. */
export interface GitProcess {
  folder: string;
  argv: readonly string[];
  /** The whole environment: nothing is inherited. */
  env: Readonly<Record<string, string>>;
  /** The longest it may run, in ms. */
  timeoutMs: number;
  /** The most that is read from it, in bytes. */
  maxBytes: number;
  /** True where the rest is left out; otherwise more than `maxBytes` is a failure. */
  cut?: boolean;
  input?: string | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Runs git by ourselves, for the three things that simple-git cannot do: an answer in bytes that is cut at a limit, bytes
 * for a command that says nothing, and commands that say nothing, for which it waits another 50 ms
 * (docs/decisions/0009-libraries.md).
 * @returns what git printed
 * @throws GitFailed
 */
export async function runGit(run: GitProcess): Promise<Buffer> {
  const { folder, argv, env, timeoutMs, maxBytes, cut = false, input = '', signal } = run;
  try {
    requireFiles();
  } catch (error) {
    throw new GitFailed(argv, undefined, '', messageOf(error), error);
  }
  return new Promise((resolve, reject) => {
    const settings = {
      env,
      encoding: 'buffer' as const,
      maxBuffer: maxBytes,
      timeout: timeoutMs,
      ...(signal && { signal }),
    };
    const child = execFile('git', ['-C', folder, ...argv], settings, (error, stdout, stderr) => {
      if (error === null || (cut && hasCode(error, 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER'))) return resolve(stdout);
      const [why = ''] = error.message.split('\n');
      const exitCode = typeof error.code === 'number' ? error.code : undefined;
      reject(new GitFailed(argv, exitCode, stderr.toString('utf8'), why));
    });
    lower(child.pid, 'git');
    // It may end before it has read all: its exit code tells. There is none where no more files may be open.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}
