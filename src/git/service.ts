import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Transform } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { messageOf } from '../errors.js';
import { lower } from '../lib/priority.js';
import { spawn } from '../lib/spawn.js';
import { FsckWords } from './fsck-words.js';
import { endGroup } from '../runtime/process/group.js';

/** How long processes started by git may outlive it before the client gets the result, in ms. */
const AFTER_MS = 3_000;
/**
 * Authors, dates and such of commits that git calls errors: they are common in histories that other tools have made or
 * converted, do no harm, and are the same in every later commit (https://git-scm.com/docs/git-fsck#_fsck_messages).
 */
const HARMLESS = [
  ...['badDate', 'badDateOverflow', 'badEmail', 'badName', 'badTimezone', 'missingEmail', 'missingNameBeforeEmail'],
  ...['missingSpaceBeforeDate', 'missingSpaceBeforeEmail', 'multipleAuthors', 'zeroPaddedDate', 'zeroPaddedFilemode'],
];

const SETTINGS = [
  // Keeps the connection alive while a build prints nothing. Node's clients, such as isomorphic-git, give up after the
  // 5 s of their agent's time-out, or a second less (https://nodejs.org/api/http.html#new-agentoptions).
  'receive.keepAlive=2',
  ...HARMLESS.map((message) => `receive.fsck.${message}=ignore`),
  // A partial clone fetches what it lacks by its id. A token that may fetch may fetch everything of a repository.
  'uploadpack.allowAnySHA1InWant=true',
];

/** The two sides of git's smart HTTP. */
export type Service = 'git-upload-pack' | 'git-receive-pack';

export interface GitServiceOptions {
  /** The minimal environment for git. */
  env: Readonly<Record<string, string>>;
  /** The folder of the hooks. */
  hooks: string;
  /** The largest push, in bytes. */
  maxPush: number;
  logger: { warn(facts: object, text: string): void };
}

/** What is particular to one request. */
export interface ServiceRequest {
  args?: readonly string[];
  /** The protocol version that the client asks for; empty for none. */
  version: string;
  env?: Readonly<Record<string, string>>;
}

/** Starts git's own upload-pack and receive-pack. */
export class GitService {
  readonly #options: GitServiceOptions;

  constructor(options: GitServiceOptions) {
    this.#options = options;
  }

  /** @throws Error where it cannot be started, such as where no more files may be open: nothing is said to the client before */
  async start(service: Service, folder: string, { args = [], version, env = {} }: ServiceRequest): Promise<GitProcess> {
    const settings = [
      `core.hooksPath=${this.#options.hooks}`,
      `receive.maxInputSize=${this.#options.maxPush}`,
      ...SETTINGS,
    ].flatMap((setting) => ['-c', setting]);
    const child = spawn('git', [...settings, service.slice('git-'.length), '--stateless-rpc', ...args, folder], {
      env: { ...this.#options.env, ...env, ...(version === '' ? {} : { GIT_PROTOCOL: version }) },
      stdio: ['pipe', 'pipe', 'pipe'],
      // Of its own group, so that Ctrl-C on the server does not cut a push in two.
      detached: true,
    });
    lower(child.pid, 'git');
    await once(child, 'spawn');
    child.stdin?.on('error', () => undefined); // git ended before it had read all: its exit code tells.
    return new GitProcess(child, service, this.#options);
  }
}

/** One git that serves a client: it is fed with what the client sends, and its answer is streamed back. */
export class GitProcess {
  readonly #child: ChildProcess;
  readonly #service: Service;
  readonly #options: Pick<GitServiceOptions, 'maxPush' | 'logger'>;

  constructor(child: ChildProcess, service: Service, options: Pick<GitServiceOptions, 'maxPush' | 'logger'>) {
    this.#child = child;
    this.#service = service;
    this.#options = options;
  }

  /** Tells it that the client sends nothing. */
  feedNothing(): void {
    this.#child.stdin?.end();
  }

  /** Ends it: nobody waits for its answer. */
  stop(): void {
    this.#child.kill('SIGTERM');
  }

  /** Passes the body to git, decompressed and counted, without holding it in memory. @param hear is told of it on the way */
  async feed(request: IncomingMessage, gzip: boolean, hear: (chunk: Buffer) => void): Promise<void> {
    const child = this.#child;
    if (child.stdin === null) return;
    let size = 0;
    const limit = this.#options.maxPush + 1024 * 1024;
    const count = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        size += chunk.length;
        hear(chunk);
        done(size > limit ? new Error('the push is too large') : null, chunk);
      },
    });
    const body = gzip ? createGunzip() : count;
    // Piped, so that its connection is not torn down with the rest: git may have an answer that the client should see.
    request.pipe(body);
    const left = (): void => {
      // Also where all of it had come: what was not read of it yet went with the client.
      if (!request.readableEnded) body.destroy(new Error('the client disconnected'));
    };
    request.once('close', left);
    // It may have left while its app was being made.
    if (request.destroyed) left();
    const over = new AbortController();
    child.once('close', () => over.abort());
    try {
      if (gzip) await pipeline(body, count, child.stdin, { signal: over.signal });
      else await pipeline(count, child.stdin, { signal: over.signal });
    } catch (error) {
      // The client left, sent garbage or too much, or git has seen enough: git gives up by itself, and says why.
      this.#options.logger.warn({ error: messageOf(error) }, 'a git request ended early');
      child.stdin.destroy();
      request.unpipe(body);
      request.resume();
    }
  }

  /**
   * Streams git's answer to the client, and keeps reading it when the client has left, because a hook would block.
   * @returns false where git was killed, so that there is no whole answer
   */
  async answer(response: ServerResponse): Promise<boolean> {
    const [child, service] = [this.#child, this.#service];
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString('utf8')).slice(-2_000);
    });
    const words = service === 'git-receive-pack' ? new FsckWords() : undefined;
    const answer = words === undefined ? child.stdout : child.stdout?.pipe(words);
    response.once('close', () => answer?.unpipe(response).resume());
    answer?.pipe(response, { end: false });
    // An answer that breaks off is over as well.
    const passed = answer && finished(answer, { cleanup: true }).catch(() => undefined);
    let late: NodeJS.Timeout | undefined;
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exitCode) => {
        words?.end();
        void Promise.resolve(passed).then(() => resolve(exitCode));
      });
      // Its hooks hold its pipes, and know nothing of its end: a deploy that they follow would keep the client waiting.
      child.once('exit', (exitCode, signal) => {
        if (signal !== null) this.#endRest();
        late = setTimeout(() => resolve(exitCode), AFTER_MS);
      });
    });
    clearTimeout(late);
    if (code === null) answer?.unpipe(response).resume();
    if (code !== 0 && stderr !== '') this.#options.logger.warn({ service, code, stderr }, 'git ended with an error');
    return code !== null;
  }

  /** Ends what a killed git has left of its group. */
  #endRest(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    endGroup({ pid }, 0).catch((error: unknown) => {
      this.#options.logger.warn(
        { service: this.#service, error: String(error) },
        'the rest of a killed git could not be stopped',
      );
    });
  }
}
