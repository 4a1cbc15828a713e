import { execFile } from 'node:child_process';
import { gitEnvironment } from '../domain/project/commands.js';
import { hasCode } from '../errors.js';

/** The longest that a short git command may take, in ms. */
const TIMEOUT_MS = 120_000;
/** The most that is read from it unless told, in bytes. */
const MAX_BYTES = 100 * 1024 * 1024;

export interface GitOptions {
  /** Added to git's small environment, such as a temporary index or a push's quarantine. */
  env?: Record<string, string>;
  input?: string | Uint8Array;
  signal?: AbortSignal;
  /** The most that may be read from it, in bytes. */
  maxBytes?: number;
  /** True where what is beyond that is left out; else it is a failure. */
  cut?: boolean;
}

/** git said no. The message is git's own last words. */
export class GitFailed extends Error {
  readonly exitCode: number | undefined;
  readonly stderr: string;
  constructor(argv: readonly string[], exitCode: number | undefined, stderr: string, why: string) {
    super(`git ${(argv[0] === '-C' ? argv[2] : argv[0]) ?? ''} failed: ${stderr.trim().split('\n').at(-1) || why}`);
    this.name = 'GitFailed';
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

/**
 * Runs git with an environment of its own: nothing of the operator's git settings, and no secret of the platform,
 * reaches git or a hook (https://git-scm.com/docs/git#_environment_variables).
 */
export class Git {
  readonly env: Readonly<Record<string, string>>;

  /** @param path the PATH that git and its hooks get */
  constructor(path: string) {
    this.env = gitEnvironment(path);
  }

  /** What git printed, as bytes. @throws GitFailed */
  async bytes(argv: readonly string[], options: GitOptions = {}): Promise<Buffer> {
    const { env, input = '', signal, maxBytes = MAX_BYTES, cut = false } = options;
    return new Promise((resolve, reject) => {
      const settings = {
        env: { ...this.env, ...env },
        encoding: 'buffer' as const,
        maxBuffer: maxBytes,
        timeout: TIMEOUT_MS,
        ...(signal && { signal }),
      };
      const child = execFile('git', argv, settings, (error, stdout, stderr) => {
        if (error === null || (cut && hasCode(error, 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER'))) return resolve(stdout);
        const [why = ''] = error.message.split('\n');
        reject(
          new GitFailed(argv, typeof error.code === 'number' ? error.code : undefined, stderr.toString('utf8'), why),
        );
      });
      // It may end before it has read all: its exit code tells. There is none where no more files may be open.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(input);
    });
  }

  /** What git printed, as text without the last newline. @throws GitFailed */
  async text(argv: readonly string[], options: GitOptions = {}): Promise<string> {
    return (await this.bytes(argv, options)).toString('utf8').replace(/\n$/, '');
  }
}
