import { join } from 'node:path';
import type { ConnectionOptions } from 'bullmq';
import type { Logger } from '../logger.js';
import { RedisProbe } from '../redis/probe.js';
import { startRedis } from '../redis/server.js';
import type { Config } from '../settings.js';
import type { Paths } from '../store/paths.js';

/** How the queues reach Redis, and what their keys begin with: several servers may share one. */
export interface Queues {
  connection: ConnectionOptions;
  prefix: string;
}

/** The Redis of the queues: our own, or the one that is set. */
export interface OpenedRedis {
  queues: Queues;
  /** What keeps it from answering, in a sentence; undefined where nothing does. */
  trouble(): Promise<string | undefined>;
  /** Closes our connection to it. */
  close(): void;
  /** Stops it, where it is our own. */
  stop(): Promise<void>;
  /** Leaves it to the next server, where it is our own. */
  leave(): Promise<void>;
}

/** Starts a private Redis where none is set. @throws Error where it cannot be started */
export async function openRedis(options: {
  config: Pick<Config, 'redisUrl' | 'path'>;
  paths: Paths;
  /** Marks our child processes. */
  mark: string;
  logger: Logger;
}): Promise<OpenedRedis> {
  const { config, paths, mark, logger } = options;
  const own =
    config.redisUrl === undefined
      ? await startRedis({
          dir: paths.redis,
          runDir: paths.run,
          binaryDirs: [join(paths.tools, 'bin')],
          path: config.path,
          logger,
        })
      : undefined;
  const queues = {
    connection: own?.connection ?? connectionTo(config.redisUrl ?? ''),
    prefix: `streamlit-host:${mark}`,
  };
  const probe = new RedisProbe(queues.connection, queues.prefix);
  return {
    queues,
    trouble: () => probe.trouble(),
    close: () => probe.close(),
    stop: async () => own?.stop(),
    leave: async () => own?.leave(),
  };
}

function connectionTo(redisUrl: string): { path: string } | { url: string } {
  return redisUrl.startsWith('unix://') ? { path: redisUrl.slice('unix://'.length) } : { url: redisUrl };
}
