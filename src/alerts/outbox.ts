import { randomUUID } from 'node:crypto';
import type { ConnectionOptions } from 'bullmq';
import { JobQueue } from '../lib/job-queue.js';

/** How long (ms) is waited before each further try; after the last one, a message is given up. */
export const DELAYS = [2, 10, 60, 600, 1_800, 3_600, 7_200, 14_400].map((seconds) => seconds * 1_000);
/**
 * To how many destinations is sent at once. One that does not answer has its place for some seconds at each of its few tries, so others
 * wait for it only if there are as many like it.
 */
const AT_ONCE = 200;
/** How long (ms) closing may wait for messages that are being sent: visitors wait while a server hands over. */
const CLOSE_MS = 1_000;
/** How often (ms) what Redis has lost is queued again. */
const SWEEP_MS = 60_000;

export interface OutboxOptions {
  connection: ConnectionOptions;
  /** Begins every key in Redis. */
  prefix: string;
  /** Sends a destination what waits for it, one after the other. Whatever it throws means that it is to be tried again. */
  send: (destination: string) => Promise<void>;
  /** How often the first message that waits for a destination was tried. */
  tries: (destination: string) => number;
  /** The destinations for which something waits. */
  waiting: () => ReadonlySet<string>;
  warn: (facts: object, text: string) => void;
}

/**
 * The queue of destinations for which something waits, apart from that of deploys. Each destination has one job, which sends it
 * its messages in order: one that is away holds up nobody else. A job holds only the destination's id; what is to be sent is on disk,
 * so a lost or repeated job does no harm.
 */
export class Outbox {
  readonly #waiting: OutboxOptions['waiting'];
  readonly #jobs: JobQueue<{ destination: string }>;
  /** Of this server alone: a job that a killed server held counts as active for a while, and must not hide ours. */
  readonly #session = randomUUID();

  constructor({ connection, prefix, send, tries, waiting, warn }: OutboxOptions) {
    this.#waiting = waiting;
    this.#jobs = new JobQueue({
      ...{ name: 'alerts', connection, prefix, concurrency: AT_ONCE, closeMs: CLOSE_MS, sweepMs: SWEEP_MS },
      work: ({ destination }) => send(destination),
      // What came as the job was ending found it still there.
      ended: ({ destination }) => {
        if (this.#waiting().has(destination)) this.add(destination);
      },
      sweep: () => this.#sweep(),
      worker: {
        settings: {
          backoffStrategy: (_tries, _type, _error, job) => {
            const { destination } = job?.data as { destination: string };
            return DELAYS[Math.min(Math.max(tries(destination), 1), DELAYS.length) - 1] ?? 0;
          },
        },
      },
      warn: (error) => warn({ error }, 'The queue of alerts reported an error.'),
    });
  }

  /** Begins to send, with what an earlier server has left. */
  begin(): void {
    this.#jobs.begin();
    this.#sweep();
  }

  /** Has a destination sent what waits for it. Never waits; where that happens already, nothing is added. */
  add(destination: string): void {
    // How often each message is tried is counted where the messages are.
    const tries = { attempts: Number.MAX_SAFE_INTEGER, backoff: { type: 'custom' } };
    const jobId = `${this.#session}-${destination}`;
    this.#jobs.add('destination', { destination }, { ...tries, jobId, removeOnComplete: true, removeOnFail: true });
  }

  /** Ends. A message that takes long to be sent is tried again by the next server. */
  async close(): Promise<void> {
    await this.#jobs.close();
  }

  #sweep(): void {
    for (const destination of this.#waiting()) this.add(destination);
  }
}
