import { execa, ExecaError } from 'execa';
import { gitEnvironment } from '../domain/commands.js';

/** The longest that a short git command may take, in ms. */
const TIMEOUT_MS = 120_000;

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
    try {
      const result = await execa('git', argv, {
        env: { ...this.env, ...options.env },
        extendEnv: false,
        encoding: 'buffer',
        input: options.input ?? '',
        stripFinalNewline: false,
        timeout: TIMEOUT_MS,
        ...(options.maxBytes === undefined ? {} : { maxBuffer: options.maxBytes }),
        ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
      });
      return Buffer.from(result.stdout);
    } catch (error) {
      if (!(error instanceof ExecaError)) throw error;
      const stdout: unknown = error.stdout;
      if (options.cut === true && error.isMaxBuffer && stdout instanceof Uint8Array) return Buffer.from(stdout);
      const stderr: unknown = error.stderr;
      const text = stderr instanceof Uint8Array ? Buffer.from(stderr).toString('utf8') : '';
      throw new GitFailed(argv, error.exitCode, text, error.shortMessage);
    }
  }

  /** What git printed, as text without the last newline. @throws GitFailed */
  async text(argv: readonly string[], options: GitOptions = {}): Promise<string> {
    return (await this.bytes(argv, options)).toString('utf8').replace(/\n$/, '');
  }
}
