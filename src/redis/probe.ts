import { Redis } from 'ioredis';
import { messageOf } from '../errors.js';

/** How long Redis may take to connect and to answer, in ms. */
const LIMIT_MS = 900;

/** Looks whether a queue can be kept in Redis, on a connection of its own that waits for nothing. */
export class RedisProbe {
  readonly #redis: Redis;
  readonly #key: string;
  #error: unknown;
  #looking: Promise<string | undefined> | undefined;

  /** @param connection a unix socket, or the URL of a Redis @param prefix begins the one key that is written */
  constructor(connection: { path: string } | { url: string }, prefix: string) {
    const options = {
      lazyConnect: true,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: LIMIT_MS,
      commandTimeout: LIMIT_MS,
      // The next look connects again.
      retryStrategy: () => null,
    };
    this.#redis = 'url' in connection ? new Redis(connection.url, options) : new Redis({ ...options, ...connection });
    // A connection says only here why it could not be made.
    this.#redis.on('error', (error) => (this.#error = error));
    this.#key = `${prefix}:probe`;
  }

  /** Looks once for all who ask at the same time. @returns what is wrong, in one sentence or two; undefined where nothing is */
  trouble(): Promise<string | undefined> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #look(): Promise<string | undefined> {
    this.#error = undefined;
    try {
      if (this.#redis.status !== 'ready') await this.#redis.connect();
      const memory = await this.#redis.info('memory').catch(() => ''); // Not every user may ask.
      await this.#redis.set(this.#key, '1', 'EX', 60);
      return troubleOfMemory(memory);
    } catch (error) {
      this.#redis.disconnect();
      return troubleOf(`${messageOf(this.#error ?? '')}\n${messageOf(error)}`);
    }
  }

  close(): void {
    this.#redis.disconnect();
  }
}

/** Returns what an error of Redis means for its operator (https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors). */
export function troubleOf(error: string): string {
  if (/\b(WRONGPASS|NOAUTH)\b|invalid (username-)?password|without any password|no password is set/i.test(error))
    return 'Redis does not accept the password in REDIS_URL.';
  if (/\bNOPERM\b/.test(error)) return 'The user in REDIS_URL may not write to Redis.';
  if (/\bOOM\b/.test(error)) return 'Redis has reached its memory limit and accepts no more jobs. Raise its maxmemory.';
  if (/\bMISCONF\b/.test(error)) return 'Redis cannot write to its disk and accepts no more jobs.';
  if (/\bREADONLY\b/.test(error)) return 'The Redis in REDIS_URL is a replica, which cannot be written to.';
  if (/\bLOADING\b/.test(error)) return 'Redis is still loading its data.';
  return 'Redis does not answer.';
}

/** @param memory the answer to INFO memory @returns what is wrong where Redis may delete jobs to make room */
export function troubleOfMemory(memory: string): string | undefined {
  const policy = /^maxmemory_policy:(\S+)/m.exec(memory)?.[1];
  const limit = Number(/^maxmemory:(\d+)/m.exec(memory)?.[1] ?? 0);
  // The others delete only what has an end, which jobs have not.
  if (limit === 0 || policy === undefined || !policy.startsWith('allkeys-')) return undefined;
  return `Redis deletes jobs when its memory is full (maxmemory-policy ${policy}). Set maxmemory-policy to noeviction.`;
}
