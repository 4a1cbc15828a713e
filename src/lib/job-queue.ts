import { Queue, Worker, type ConnectionOptions, type JobsOptions, type WorkerOptions } from 'bullmq';
import { messageOf } from '../errors.js';
import { atMost } from './at-most.js';

/** How long a forced close may take if Redis does not answer, in ms. */
const CUT_MS = 1_000;
/** How often a lost connection to Redis is retried, in ms. */
const RETRY_MS = 1_000;
/** How long the same error is not reported again, in ms. */
const QUIET_MS = 60_000;

export interface JobQueueOptions<Data> {
  name: string;
  connection: ConnectionOptions;
  /** Begins every key in Redis: several servers may share one. */
  prefix: string;
  /** Jobs at once. */
  concurrency: number;
  work: (data: Data) => Promise<void>;
  /** Called once a job has ended well and is gone. */
  ended?: (data: Data) => void;
  /** Called every `sweepMs` to add again what Redis has lost. */
  sweep: () => void;
  sweepMs: number;
  /** How long closing may wait for running jobs, in ms. */
  closeMs: number;
  worker?: Pick<WorkerOptions, 'lockDuration' | 'settings'>;
  warn: (error: string) => void;
}

/**
 * A queue of jobs in Redis, with the worker that runs them. What is to be done is on disk, and a job only names it: whatever
 * Redis loses or repeats does no harm, and nobody waits for it.
 */
export class JobQueue<Data> {
  readonly #options: JobQueueOptions<Data>;
  readonly #queue: Queue;
  readonly #worker: Worker<Data>;
  #timer: NodeJS.Timeout | undefined;
  #closing = false;
  #trouble = { text: '', at: 0 };

  constructor(options: JobQueueOptions<Data>) {
    this.#options = options;
    const { name, prefix, concurrency, work, worker } = options;
    // BullMQ itself waits for up to 20 s between two tries, and 15 s more before it takes jobs again: people would wait too.
    // Once it is closed there is no next try: the tries would keep the process from its end for as long as Redis is away.
    const retryStrategy = (times: number): number | null => (this.#closing ? null : Math.min(times * 100, RETRY_MS));
    const connection = { ...options.connection, retryStrategy };
    this.#queue = new Queue(name, { connection, prefix });
    this.#worker = new Worker<Data>(name, async (job) => work(job.data), {
      ...{ connection, prefix, concurrency, autorun: false, runRetryDelay: RETRY_MS },
      // Taken up again as often as it takes: a job that is run twice has one effect.
      maxStalledCount: 100,
      ...worker,
    });
    this.#worker.on('completed', (job) => options.ended?.(job.data));
    this.#queue.on('error', (error) => this.#warn(error));
    this.#worker.on('error', (error) => this.#warn(error));
  }

  /** Starts running jobs. */
  begin(): void {
    this.#worker.run().catch((error: unknown) => this.#warn(error));
    this.#timer = setInterval(this.#options.sweep, this.#options.sweepMs).unref();
  }

  /** Adds a job. Never waits: if Redis is away, the sweep asks again. */
  add(name: string, data: Data, options: JobsOptions): void {
    if (this.#closing) return;
    this.#queue.add(name, data, options).catch((error: unknown) => this.#warn(error));
  }

  /** Begins no further job until `resume`; those that run go on. */
  async pause(): Promise<void> {
    await this.#worker.pause(true);
  }

  resume(): void {
    void this.#worker.resume();
  }

  /** Closes the worker and the connections. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#timer);
    // Both would wait forever while Redis is away.
    if (!(await atMost(this.#options.closeMs, this.#worker.close()))) await atMost(CUT_MS, this.#worker.close(true));
    await atMost(CUT_MS, this.#queue.close());
  }

  /** Reports each kind of error once, and again after a while: three connections retry every second. */
  #warn(error: unknown): void {
    const trouble = messageOf(error);
    if (this.#closing || (trouble === this.#trouble.text && performance.now() - this.#trouble.at < QUIET_MS)) return;
    this.#trouble = { text: trouble, at: performance.now() };
    this.#options.warn(trouble);
  }
}
