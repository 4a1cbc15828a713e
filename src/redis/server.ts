import { chmod, readdir, readFile, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureFolder } from '../lib/ensure-folder.js';
import { replaceFile } from '../lib/replace-file.js';
import { z } from 'zod';
import { backoff, countCrash } from '../domain/app/process.js';
import { hasCode, isUnwritable, messageOf, Refusal } from '../errors.js';
import { Deadline } from '../lib/deadline.js';
import { endGroup } from '../runtime/process/group.js';
import { isRunning, livesIn, startTimeOf, type ProcessIdentity } from '../runtime/process/proc.js';
import {
  askRedis,
  findBinary,
  NoAnswer,
  rotate,
  saysDataIsBroken,
  sizeOf,
  socketFor,
  spawnRedis,
  StartError,
  unavailable,
  wordsOf,
} from './launch.js';

/** What the private Redis needs to know. */
export interface RedisOptions {
  /** Its own folder: the data, the log and, where the path is short enough, the socket. */
  dir: string;
  /** Where the record of its process is kept. */
  runDir: string;
  /** Folders to look for `redis-server` or `valkey-server` in, before PATH. */
  binaryDirs: string[];
  /** A PATH. */
  path: string;
  /** How often (ms) it is asked whether it still answers. */
  askMs?: number;
  logger: { info(message: string): void; warn(message: string): void; error(message: string): void };
}

/** A Redis of our own, kept running until it is stopped. */
export interface RedisServer {
  /** What ioredis and BullMQ connect to; stays the same when Redis is restarted. */
  connection: { path: string };
  /** Ends Redis with everything on disk. Safe to call twice. */
  stop(): Promise<void>;
  /** Lets go of Redis without ending it: the next server adopts it. */
  leave(): Promise<void>;
}

/**
 * Starts a private Redis on a unix socket, or adopts the one that an earlier server left behind. Redis is started again
 * when it dies. Data that it cannot load is moved aside: the queue holds work in progress, the truth is in meta.json.
 * @throws Refusal `redis-unavailable`
 */
export async function startRedis(options: RedisOptions): Promise<RedisServer> {
  try {
    await ensureFolder(options.dir, 0o700);
    await chmod(options.dir, 0o700);
    await ensureFolder(options.runDir, 0o700);
  } catch (error) {
    if (!isUnwritable(error)) throw error; // The start itself reports it.
  }
  const redis = new PrivateRedis(options, await socketFor(options.dir));
  await redis.start();
  return redis;
}

const WATCH_MS = 500;
/** How often Redis is asked whether it still answers, how long that may take (ms), and how often in a row it may not. */
const ASK_MS = 3_000;
const SILENT_MS = 2_000;
const MISSES = 4;
/** How long Redis may take to end by itself. */
const GRACE_MS = 5_000;
/** Until the first answer, and until a large file is loaded. */
const ANSWER_MS = 15_000;
const LOAD_MS = 300_000;
const identity = z.object({ pid: z.number().int().min(2), startTime: z.string() });

class PrivateRedis implements RedisServer {
  readonly connection: { path: string };
  readonly #options: RedisOptions;
  readonly #log: string;
  readonly #record: string;
  readonly #ending = new AbortController();
  #process: ProcessIdentity | undefined;
  #watching: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;
  #askedAt = performance.now();
  #misses = 0;

  constructor(options: RedisOptions, socket: string) {
    this.#options = options;
    this.connection = { path: socket };
    this.#log = join(options.dir, 'redis.log');
    this.#record = join(options.runDir, 'redis.json');
  }

  async start(): Promise<void> {
    try {
      if (!(await this.#adopt())) await this.#launchOrMend();
    } catch (error) {
      // Once there is room it is started by the watch; until then deploys wait.
      if (!isUnwritable(error) && !isUnwritable((error as Error).cause) && !saysDiskIsFull(error)) throw error;
      this.#options.logger.error(messageOf(error));
    }
    this.#watching = this.#watch();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  async leave(): Promise<void> {
    this.#ending.abort();
    await this.#watching;
  }

  /** Takes over a Redis that answers on our socket; nobody else can have put one where only we may enter. */
  async #adopt(): Promise<boolean> {
    const socket = this.connection.path;
    try {
      const pid = Number((await askRedis(socket, 'INFO server', /process_id:(\d+)\r/, 3_000))[1]);
      const startTime = startTimeOf(pid);
      if (startTime !== undefined) {
        await this.#own({ pid, startTime });
        await this.#answers({ pid, startTime }, 0);
        this.#options.logger.info(`Adopted the Redis that is still running (pid ${pid}).`);
        return true;
      }
    } catch (error) {
      // Nobody listens: the usual case. Anything else is a Redis that hangs, and is replaced.
      if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ECONNREFUSED')) {
        this.#options.logger.warn(`The running Redis does not respond and is replaced: ${messageOf(error)}`);
      }
    }
    const left = await this.#readRecord();
    // The record of a data folder that was copied names the Redis of the other.
    if (left !== undefined && (await livesIn(left.pid, await realpath(this.#options.dir))))
      await endGroup(left, GRACE_MS);
    await rm(socket, { force: true });
    await rm(this.#record, { force: true });
    return false;
  }

  async #launchOrMend(): Promise<void> {
    const { dir, logger } = this.#options;
    try {
      await this.#launch();
    } catch (error) {
      if (!(error instanceof StartError) || !saysDataIsBroken(error.words)) throw refusal(error, this.#log);
      const aside = `${dir}.broken-${new Date().toISOString().replace(/\.\d+Z$|[-:]/g, '')}`;
      await removeEarlier(dir);
      await rename(dir, aside);
      logger.warn(
        `Redis could not load its data (${error.message}). The data was moved to ${aside}, and Redis starts empty.`,
      );
      try {
        await this.#launch();
      } catch (again) {
        throw refusal(again, this.#log);
      }
    }
  }

  async #launch(): Promise<void> {
    const { dir, binaryDirs, path } = this.#options;
    const binary = await findBinary([...binaryDirs, ...path.split(':')]);
    await ensureFolder(dir, 0o700);
    await rotate(this.#log);
    const from = await sizeOf(this.#log);
    const pid = await spawnRedis(binary, dir, this.connection.path, this.#log);
    const startTime = startTimeOf(pid);
    if (startTime === undefined) throw new StartError(await wordsOf(this.#log, from));
    await this.#own({ pid, startTime });
    await this.#answers({ pid, startTime }, from);
  }

  async #own(process: ProcessIdentity): Promise<void> {
    this.#process = process;
    // Without it, the next server finds it by its socket.
    await replaceFile(this.#record, `${JSON.stringify(process)}\n`, { mode: 0o600 }).catch((error: unknown) => {
      if (!isUnwritable(error)) throw error;
    });
  }

  async #readRecord(): Promise<ProcessIdentity | undefined> {
    try {
      return identity.safeParse(JSON.parse(await readFile(this.#record, 'utf8'))).data;
    } catch (error) {
      if (hasCode(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  /** Resolves when Redis serves; ends it where it does not get there. */
  async #answers(process: ProcessIdentity, logFrom: number): Promise<void> {
    const began = performance.now();
    let loading = false;
    while (performance.now() - began < (loading ? LOAD_MS : ANSWER_MS) && !this.#ending.signal.aborted) {
      if (!isRunning(process)) throw new StartError(await wordsOf(this.#log, logFrom));
      try {
        const [answer] = await askRedis(this.connection.path, 'PING', /^(\+PONG|-\w+)/, 2_000);
        if (answer === '+PONG') return;
        loading = answer === '-LOADING';
      } catch {
        // Not listening yet; the loop's time-out and the look at the process decide.
      }
      await sleep(20);
    }
    await endGroup(process, GRACE_MS);
    throw new StartError('it did not respond in time');
  }

  /** Starts Redis again whenever it has ended by itself; the same way for a child as for an adopted process. */
  async #watch(): Promise<void> {
    const { logger } = this.#options;
    let crashes = 0;
    let since = performance.now();
    for (;;) {
      await this.#pause(WATCH_MS);
      if (this.#ending.signal.aborted) return;
      try {
        await rotate(this.#log);
        const hangs = await this.#hangs();
        if (this.#process !== undefined && isRunning(this.#process) && !hangs) continue;
        if (hangs && this.#process !== undefined) await endGroup(this.#process, 0);
        crashes = countCrash(crashes, performance.now() - since);
        const wait = backoff(crashes);
        const what = hangs ? 'Redis does not respond.' : 'Redis exited unexpectedly.';
        logger.warn(`${what} Restarting it${wait === 0 ? '' : ` in ${wait / 1_000} s`}.`);
        await this.#pause(wait);
        if (this.#ending.signal.aborted) return;
        since = performance.now();
        await rm(this.connection.path, { force: true });
        await this.#launchOrMend();
        logger.info('Redis is running again.');
      } catch (error) {
        if (!this.#ending.signal.aborted) logger.error(messageOf(error));
      }
    }
  }

  /** Asks Redis, where it is time. @returns true where it has not answered for so long that it never will */
  async #hangs(): Promise<boolean> {
    if (performance.now() - this.#askedAt < (this.#options.askMs ?? ASK_MS)) return false;
    try {
      await askRedis(this.connection.path, 'PING', /^[+-]/, SILENT_MS);
      this.#misses = 0;
    } catch (error) {
      // That no connection can be made, such as without a free descriptor, says nothing about Redis.
      this.#misses = error instanceof NoAnswer ? this.#misses + 1 : 0;
    }
    this.#askedAt = performance.now();
    if (this.#misses < MISSES) return false;
    this.#misses = 0;
    return true;
  }

  async #end(): Promise<void> {
    this.#ending.abort();
    await this.#watching;
    const process = this.#process;
    if (process !== undefined && isRunning(process)) {
      // Redis closes the connection instead of answering, or answers why it will not; then signals follow.
      await askRedis(this.connection.path, 'SHUTDOWN NOSAVE', /^-/, 2_000).catch(() => undefined);
      for (const deadline = new Deadline(GRACE_MS); isRunning(process) && !deadline.isOver;) await sleep(20);
      await endGroup(process, GRACE_MS);
    }
    await rm(this.connection.path, { force: true });
    await rm(this.#record, { force: true });
    const folder = dirname(this.connection.path);
    if (folder !== this.#options.dir) await rm(folder, { recursive: true, force: true });
  }

  async #pause(ms: number): Promise<void> {
    // The only rejection is the abort that stop() asks for.
    await sleep(ms, undefined, { signal: this.#ending.signal, ref: false }).catch(() => undefined);
  }
}

/** True where Redis itself said so in its log. */
function saysDiskIsFull(error: unknown): boolean {
  const words = error instanceof Refusal && error.cause instanceof StartError ? error.cause.words : '';
  return /no space left|read-only file|disk quota/i.test(words);
}

function refusal(error: unknown, log: string): Refusal {
  return error instanceof Refusal ? error : unavailable(`${messageOf(error)}. Its log is ${log}.`, error);
}

/** One set of broken data is kept, so that they do not pile up. */
async function removeEarlier(dir: string): Promise<void> {
  const prefix = `${basename(dir)}.broken-`;
  for (const name of await readdir(dirname(dir))) {
    if (name.startsWith(prefix)) await rm(join(dirname(dir), name), { recursive: true, force: true });
  }
}
