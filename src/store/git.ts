import { AsyncLocalStorage } from 'node:async_hooks';
import { ChildProcess } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate } from 'node:timers/promises';
import { simpleGit } from 'simple-git';
import { gitEnvironment } from '../domain/project/commands.js';
import { messageOf } from '../errors.js';
import { lower } from '../lib/priority.js';
import { requireFiles } from '../lib/spawn.js';
import { GitFailed, runGit } from './git-process.js';

export { GitFailed } from './git-process.js';

/** The longest that a git command may take, in ms. */
const TIMEOUT_MS = 120_000;
/** The most bytes that are read from it by default. */
const MAX_BYTES = 100 * 1024 * 1024;

/** What git's environment may hold in addition to ours: a temporary index, a push's quarantine, and who makes a commit. */
const ADDED = [
  'GIT_INDEX_FILE',
  'GIT_OBJECT_DIRECTORY',
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_QUARANTINE_PATH',
  'GIT_AUTHOR_NAME',
  'GIT_AUTHOR_EMAIL',
  'GIT_COMMITTER_NAME',
  'GIT_COMMITTER_EMAIL',
];

export interface GitOptions {
  /** Added to git's small environment, such as a temporary index or a push's quarantine. */
  env?: Record<string, string>;
  input?: string;
  signal?: AbortSignal;
}

/** How much of an answer in bytes is read. */
export interface BytesOptions extends GitOptions {
  /** The most that is read, in bytes. */
  maxBytes?: number;
  /** True where the rest is left out; otherwise a longer answer is a failure. */
  cut?: boolean;
}

/**
 * Runs git with an environment of its own: none of the operator's git settings and no secret of the platform reaches
 * git or a hook (https://git-scm.com/docs/git#_environment_variables).
 */
export class Git {
  readonly env: Readonly<Record<string, string>>;
  /** Tells which child processes belong to which of our calls. */
  readonly #calls = new AsyncLocalStorage<Call>();

  /** @param path the PATH that git and its hooks get */
  constructor(path: string) {
    this.env = gitEnvironment(path);
  }

  /**
   * Asks git something, by simple-git, for the commands that always answer. Its guards refuse variables and options
   * that would make git run other programs.
   * @param folder where git runs
   * @returns what git printed, without the last newline
   * @throws GitFailed
   */
  async text(folder: string, argv: readonly string[], options: GitOptions = {}): Promise<string> {
    const { env = {}, input, signal } = options;
    const call: Call = { exitCode: undefined, stderr: '', spawnError: undefined };
    const hear = (message: unknown): void => {
      if (this.#calls.getStore() === call) hearErrors(message, call);
    };
    subscribe(CHILDREN, hear);
    try {
      requireFiles();
      return await this.#calls.run(call, async () => {
        const git = simpleGit({
          baseDir: folder,
          allowEnvironment: [...Object.keys(this.env).filter((name) => name.startsWith('GIT_')), ...ADDED],
          // Ours are /dev/null, and one setting.
          unsafe: { allowUnsafeConfigPaths: true, allowUnsafeConfigEnvCount: true },
          // From the start, whatever it prints meanwhile.
          timeout: { block: TIMEOUT_MS, stdOut: false, stdErr: false },
          // Until all that it printed has been read.
          completion: { onClose: true, onExit: false },
          errors: (error, { exitCode, stdErr }) => {
            if (error === undefined && exitCode === 0) return undefined;
            call.exitCode = exitCode;
            call.stderr = Buffer.concat(stdErr).toString('utf8');
            return error ?? Buffer.from(call.stderr);
          },
          ...(input === undefined ? {} : { input: () => input }),
          ...(signal === undefined ? {} : { abort: signal }),
        });
        return (await git.env(this.#with(env)).raw(...argv)).replace(/\n$/, '');
      });
    } catch (error) {
      // That git could not be started is known one turn after simple-git has stumbled over it.
      await setImmediate();
      if (call.spawnError !== undefined) throw new GitFailed(argv, undefined, '', messageOf(call.spawnError));
      throw new GitFailed(argv, call.exitCode, call.stderr, messageOf(error));
    } finally {
      unsubscribe(CHILDREN, hear);
    }
  }

  /** What git printed, as bytes. @throws GitFailed */
  async bytes(folder: string, argv: readonly string[], options: BytesOptions = {}): Promise<Buffer> {
    const { env, maxBytes = MAX_BYTES, ...rest } = options;
    return runGit({ folder, argv, env: this.#with(env), timeoutMs: TIMEOUT_MS, maxBytes, ...rest });
  }

  /** Our environment with a call's own variables. @throws Error where git would read more from one than a call may say */
  #with(added: Record<string, string> = {}): Record<string, string> {
    for (const name of Object.keys(added))
      if (!ADDED.includes(name)) throw new Error(`${name} is not permitted in git's environment`);
    return { ...this.env, ...added };
  }

  /** Lets git do something about which it says nothing. @throws GitFailed */
  async run(folder: string, argv: readonly string[], options: GitOptions = {}): Promise<void> {
    await this.bytes(folder, argv, options);
  }
}

/** What is learnt about a run of git by simple-git. */
interface Call {
  exitCode: number | undefined;
  stderr: string;
  spawnError: Error | undefined;
}

/** Where Node publishes every child process, before it starts (https://nodejs.org/api/diagnostics_channel.html). */
const CHILDREN = 'child_process';

/**
 * simple-git listens for a child's errors only after it has touched its pipes. Where no more files may be open there
 * are none: it rejects, and that unhandled error would end our whole process.
 */
function hearErrors(message: unknown, call: Call): void {
  const { process: child } = message as { process?: unknown };
  if (!(child instanceof ChildProcess)) return;
  child.on('error', (error) => (call.spawnError = error));
  child.on('spawn', () => lower(child.pid, 'git'));
}
