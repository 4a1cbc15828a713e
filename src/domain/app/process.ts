import { z } from 'zod';
import { processCageSchema } from './process-cage.js';

/** What the supervisor knows of a process: crashed = it ended by itself and waits for its next start. */
export const processStates = ['starting', 'ready', 'crashed', 'stopped'] as const;

/** What a process is doing. */
export type ProcessState = (typeof processStates)[number];

/** A running process in its app's record: enough to find it again after a restart of the server. */
export const processSchema = z.object({
  release: z.number().int().positive(),
  /** Which replica of the release it is; not there = the first. */
  replica: z.number().int().positive().optional(),
  /** Which runtime runs it. Older servers did not say: all that they ran were processes of this machine. */
  runtime: z.string().default('process'),
  /** Where it is a process of this machine, as are all of the runtime `process`. */
  pid: z.number().int().positive().optional(),
  /**
   * The start time of the pid in clock ticks since boot, as the kernel tells it. A pid alone is reused;
   * pid and start time together are not (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html).
   */
  startTime: z.string().optional(),
  /** Where it listens on a port; one that was handed a socket is known by its mark. */
  port: z.number().int().positive().optional(),
  /** Tells its files from those of others of its release that run at the same time. Of older servers' processes, their port does. */
  key: z.string().optional(),
  /** Its own alone; of a process of this machine, it is in the environment of all that it starts as well. */
  mark: z.string(),
  startedAt: z.string(),
  /** What it runs in; older servers did not say. */
  cage: processCageSchema.optional(),
  /** Where its health check answers; records of older servers do not tell. */
  healthPath: z.string().optional(),
});

/** One running Streamlit server of one release, as `meta.json` remembers it. */
export type ProcessRecord = z.infer<typeof processSchema>;

/** What tells the files of a process from those of another one of its release that runs at the same time. */
export function processKey({ key, port }: Pick<ProcessRecord, 'key' | 'port'>): string {
  return key ?? String(port);
}

/** How long a process must have run (ms) for a crash to count as a new one, not as the same again. */
export const STEADY_MS = 60_000;

/**
 * How long to wait (ms) before a crashed process is started again: at once after the first crash in a while,
 * then doubling from 1 s to a minute, for ever: an app whose database is back heals by itself.
 * @param crashes crashes in a row, counting this one
 */
export function backoff(crashes: number): number {
  if (crashes <= 1) return 0;
  return Math.min(1_000 * 2 ** (crashes - 2), 60_000);
}

/**
 * The crashes in a row after one more crash.
 * @param ranFor how long the process had run, in ms
 */
export function countCrash(previous: number, ranFor: number): number {
  return ranFor >= STEADY_MS ? 1 : previous + 1;
}
