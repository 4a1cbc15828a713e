import { randomUUID } from 'node:crypto';
import type { ConnectionOptions } from 'bullmq';
import { JobQueue } from '../lib/job-queue.js';
import type { Deploys } from './deploys.js';

/** A job of a killed server is restarted after this time at most, in ms. */
const LOCK_MS = 60_000;
/** How long closing may wait for running deploys before it is forced, in ms. */
const CLOSE_MS = 5_000;
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
  readonly #deploys: DeployQueueOptions['deploys'];
  readonly #jobs: JobQueue<{ app: string }>;
  /** Of this server alone: a job that a killed server held counts as active for a minute, and must not hide ours. */
  readonly #session = randomUUID();

  constructor({ connection, prefix, concurrency, deploys, logger }: DeployQueueOptions) {
    this.#deploys = deploys;
    this.#jobs = new JobQueue({
      ...{ name: 'deploys', connection, prefix, concurrency, closeMs: CLOSE_MS, sweepMs: SWEEP_MS },
      work: ({ app }) => deploys.run(app),
      sweep: () => this.#sweep(),
      worker: { lockDuration: LOCK_MS },
      warn: (error) => logger.warn({ error }, 'the deploy queue reported an error'),
    });
    deploys.subscribe((app) => this.wake(app));
  }

  /** Starts running deploys. Those of an earlier server must have been recovered before. */
  begin(): void {
    this.#jobs.begin();
    for (const app of this.#deploys.wanted()) this.wake(app);
  }

  /** Has an app's pending deploy run. Never waits: if Redis is away, the sweep asks again. */
  wake(app: string): void {
    this.#add(app, `${this.#session}/${app}`);
  }

  /** Begins no further deploy until `resume`; those that run go on. */
  async pause(): Promise<void> {
    await this.#jobs.pause();
  }

  resume(): void {
    this.#jobs.resume();
  }

  /** Closes the worker and the connections. Cancel running deploys before. */
  async close(): Promise<void> {
    await this.#jobs.close();
  }

  /** Under a name of its own, so that it is not taken for a job that Redis lists as active and has lost. */
  #sweep(): void {
    for (const app of this.#deploys.wanted()) this.#add(app, `${this.#session}/${app}/again`);
  }

  #add(app: string, id: string): void {
    const deduplication = { id, keepLastIfActive: true };
    this.#jobs.add(app, { app }, { deduplication, removeOnComplete: true, removeOnFail: 100 });
  }
}
