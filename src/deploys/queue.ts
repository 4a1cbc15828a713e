import { randomUUID } from 'node:crypto';
import { Queue, Worker, type ConnectionOptions } from 'bullmq';
import { messageOf } from '../errors.js';
import { atMost } from '../lib/at-most.js';
import type { Deploys } from './deploys.js';

/** A job of a killed server is restarted after this time at most, in ms. */
const LOCK_MS = 60_000;
/** How long closing a worker may take before it is forced, in ms. */
const CLOSE_MS = 5_000;
/** How long a forced close may take if Redis does not answer, in ms. */
const CUT_MS = 1_000;
/** How often a lost connection to Redis is retried, in ms. */
const RETRY_MS = 1_000;
/** How long the same error is not logged again, in ms. */
const QUIET_MS = 60_000;
/** How often what is wanted on disk is compared with what is queued, in ms. */
const SWEEP_MS = 10_000;

export interface DeployQueueOptions {
  connection: ConnectionOptions;
  /** Begins every key in Redis: several servers may share one. */
  prefix: string;
  /** Deploys at once. */
  concurrency: number;
  /** Runs pending deploys, and notifies of new ones. */
  deploys: Pick<Deploys, 'run' | 'wanted' | 'subscribe'>;
  logger: { warn(facts: object, text: string): void };
}

/**
 * The queue of deploys. A job holds only an app's id. What to deploy is read from the record when the job runs, so a lost,
 * duplicate or late job does no harm. One job of an app runs at a time; one more may wait meanwhile
 * (https://docs.bullmq.io/guide/jobs/deduplication).
 */
export class DeployQueue {
  readonly #options: DeployQueueOptions;
  readonly #queue: Queue;
  readonly #worker: Worker;
  readonly #timer: NodeJS.Timeout;
  /** Of this server alone: a job that a killed server held counts as active for a minute, and must not hide ours. */
  readonly #session = randomUUID();
  #closing = false;
  #trouble = { text: '', at: 0 };

  constructor(options: DeployQueueOptions) {
    this.#options = options;
    // BullMQ itself waits for up to 20 s between two tries, and 15 s more before it takes jobs again: pushers would wait too.
    // Once it is closed there is no next try: the tries would keep the process from its end for as long as Redis is away.
    const retryStrategy = (times: number): number | null => (this.#closing ? null : Math.min(times * 100, RETRY_MS));
    const connection = { ...options.connection, retryStrategy };
    this.#queue = new Queue('deploys', {
      connection,
      prefix: options.prefix,
      defaultJobOptions: { removeOnComplete: true, removeOnFail: 100 },
    });
    this.#worker = new Worker<{ app: string }>('deploys', async (job) => options.deploys.run(job.data.app), {
      connection,
      runRetryDelay: RETRY_MS,
      prefix: options.prefix,
      autorun: false,
      concurrency: options.concurrency,
      lockDuration: LOCK_MS,
      // Taken up again as often as it takes: a deploy that is run twice has one effect.
      maxStalledCount: 100,
    });
    this.#queue.on('error', (error) => this.#warn(error));
    this.#worker.on('error', (error) => this.#warn(error));
    options.deploys.subscribe((app) => this.wake(app));
    // Redis holds nothing that is not on disk as well: a job that it lost is queued again.
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#timer.unref();
  }

  /** Starts running deploys. Those of an earlier server must have been recovered before. */
  begin(): void {
    this.#worker.run().catch((error: unknown) => this.#warn(error));
    for (const app of this.#options.deploys.wanted()) this.wake(app);
  }

  /** Has an app's pending deploy run. Never waits: if Redis is away, the sweep asks again. */
  wake(app: string): void {
    this.#add(app, `${this.#session}/${app}`);
  }

  /** Begins no further deploy until `resume`; those that run go on. */
  async pause(): Promise<void> {
    await this.#worker.pause(true);
  }

  resume(): void {
    void this.#worker.resume();
  }

  /** Closes the worker and the connections. Cancel running deploys before. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#timer);
    // Both would wait forever while Redis is away.
    if (!(await atMost(CLOSE_MS, this.#worker.close()))) await atMost(CUT_MS, this.#worker.close(true));
    await atMost(CUT_MS, this.#queue.close());
  }

  /** Under a name of its own, so that it is not taken for a job that Redis lists as active and has lost. */
  #sweep(): void {
    for (const app of this.#options.deploys.wanted()) this.#add(app, `${this.#session}/${app}/again`);
  }

  #add(app: string, id: string): void {
    if (this.#closing) return;
    this.#queue
      .add(app, { app }, { deduplication: { id, keepLastIfActive: true } })
      .catch((error: unknown) => this.#warn(error));
  }

  /** Logs each kind of error once, and again after a while: three connections retry every second. */
  #warn(error: unknown): void {
    const trouble = messageOf(error);
    if (this.#closing || (trouble === this.#trouble.text && Date.now() - this.#trouble.at < QUIET_MS)) return;
    this.#trouble = { text: trouble, at: Date.now() };
    this.#options.logger.warn({ error: trouble }, 'the deploy queue reported an error');
  }
}
