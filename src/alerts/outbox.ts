import { Queue, Worker, type ConnectionOptions } from 'bullmq';
import { messageOf } from '../errors.js';
import { atMost } from '../lib/at-most.js';

/** How long (ms) is waited before each further try; after the last one, a message is given up. */
export const DELAYS = [2, 10, 60, 600, 1_800, 3_600, 7_200, 14_400].map((seconds) => seconds * 1_000);
/** How many messages are sent at once. */
const AT_ONCE = 4;
/** How long closing may take (ms), since visitors wait while a server hands over; and how long where Redis does not answer. */
const CLOSE_MS = 1_000;
const CUT_MS = 1_000;
/** How often (ms) a lost connection to Redis is retried, and what Redis has lost is queued again. */
const RETRY_MS = 1_000;
const SWEEP_MS = 60_000;
/** How long (ms) the same error is not logged again. */
const QUIET_MS = 60_000;

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
  readonly #options: OutboxOptions;
  readonly #queue: Queue;
  readonly #worker: Worker;
  #timer: NodeJS.Timeout | undefined;
  #closing = false;
  #trouble = { text: '', at: 0 };

  constructor(options: OutboxOptions) {
    this.#options = options;
    const { prefix } = options;
    const retryStrategy = (times: number): number | null => (this.#closing ? null : Math.min(times * 100, RETRY_MS));
    const connection = { ...options.connection, retryStrategy };
    this.#queue = new Queue('alerts', { connection, prefix });
    this.#worker = new Worker<{ id: string }>('alerts', async (job) => options.send(job.data.id), {
      ...{ connection, prefix, autorun: false, concurrency: AT_ONCE, runRetryDelay: RETRY_MS },
      maxStalledCount: 100,
      settings: { backoffStrategy: (tries: number) => DELAYS[Math.min(tries, DELAYS.length) - 1] ?? 0 },
    });
    this.#queue.on('error', (error) => this.#warn(error));
    this.#worker.on('error', (error) => this.#warn(error));
  }

  /** Begins to send, with what an earlier server has left. */
  begin(): void {
    this.#worker.run().catch((error: unknown) => this.#warn(error));
    this.#sweep();
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  /** Has a message sent. Never waits. */
  add(id: string): void {
    if (this.#closing) return;
    const options = {
      ...{ jobId: id, attempts: DELAYS.length + 1, backoff: { type: 'custom' } },
      ...{ removeOnComplete: true, removeOnFail: true },
    };
    this.#queue.add('message', { id }, options).catch((error: unknown) => this.#warn(error));
  }

  /** Ends. A message that takes long to be sent is tried again by the next server. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#timer);
    if (!(await atMost(CLOSE_MS, this.#worker.close()))) await atMost(CUT_MS, this.#worker.close(true));
    await atMost(CUT_MS, this.#queue.close());
  }

  /** One that is queued already is not queued again. */
  #sweep(): void {
    for (const id of this.#options.waiting()) this.add(id);
  }

  #warn(error: unknown): void {
    const trouble = messageOf(error);
    if (this.#closing || (trouble === this.#trouble.text && Date.now() - this.#trouble.at < QUIET_MS)) return;
    this.#trouble = { text: trouble, at: Date.now() };
    this.#options.warn({ error: trouble }, 'The queue of alerts reported an error.');
  }
}
