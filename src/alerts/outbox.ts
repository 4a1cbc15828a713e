import type { ConnectionOptions } from 'bullmq';
import { JobQueue } from '../lib/job-queue.js';

/** How long (ms) is waited before each further try; after the last one, a message is given up. */
export const DELAYS = [2, 10, 60, 600, 1_800, 3_600, 7_200, 14_400].map((seconds) => seconds * 1_000);
/** How many messages are sent at once. */
const AT_ONCE = 4;
/** How long (ms) closing may wait for messages that are being sent: visitors wait while a server hands over. */
const CLOSE_MS = 1_000;
/** How often (ms) what Redis has lost is queued again. */
const SWEEP_MS = 60_000;

export interface OutboxOptions {
  connection: ConnectionOptions;
  /** Begins every key in Redis. */
  prefix: string;
  /** Tries a message. Whatever it throws means that it is to be tried again. */
  send: (id: string) => Promise<void>;
  /** The messages that wait to be sent. */
  waiting: () => Iterable<string>;
  warn: (facts: object, text: string) => void;
}

/**
 * The queue of messages to destinations, apart from that of deploys. A job holds only a message's id; what is to be sent is on
 * disk, so a lost or repeated job does no harm.
 */
export class Outbox {
  readonly #waiting: OutboxOptions['waiting'];
  readonly #jobs: JobQueue<{ id: string }>;

  constructor({ connection, prefix, send, waiting, warn }: OutboxOptions) {
    this.#waiting = waiting;
    this.#jobs = new JobQueue({
      ...{ name: 'alerts', connection, prefix, concurrency: AT_ONCE, closeMs: CLOSE_MS, sweepMs: SWEEP_MS },
      work: ({ id }) => send(id),
      sweep: () => this.#sweep(),
      worker: { settings: { backoffStrategy: (tries) => DELAYS[Math.min(tries, DELAYS.length) - 1] ?? 0 } },
      warn: (error) => warn({ error }, 'The queue of alerts reported an error.'),
    });
  }

  /** Begins to send, with what an earlier server has left. */
  begin(): void {
    this.#jobs.begin();
    this.#sweep();
  }

  /** Has a message sent. Never waits. */
  add(id: string): void {
    const tries = { attempts: DELAYS.length + 1, backoff: { type: 'custom' } };
    this.#jobs.add('message', { id }, { ...tries, jobId: id, removeOnComplete: true, removeOnFail: true });
  }

  /** Ends. A message that takes long to be sent is tried again by the next server. */
  async close(): Promise<void> {
    await this.#jobs.close();
  }

  /** One that is queued already is not queued again. */
  #sweep(): void {
    for (const id of this.#waiting()) this.add(id);
  }
}
