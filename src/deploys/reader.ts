import { join } from 'node:path';
import { Refusal } from '../errors.js';
import { programFolder } from '../lib/program-folder.js';
import { WarmWorker, WorkerFailed, type WorkerLimits } from '../lib/workers.js';
import type { readings } from './readings.js';

type Readings = typeof readings;

/** A question to the reader's thread. */
export interface Question {
  what: keyof Readings;
  args: readonly unknown[];
}

/** A lock file of the largest allowed size may take longer; real ones, of up to 2 MiB, take half a second. */
const LIMITS: WorkerLimits = { workMs: 5_000, startMs: 30_000, memoryMb: 256, idleMs: 15_000 };

/** Reads what was pushed or uploaded. */
export interface Reader {
  /**
   * One of the readings.
   * @param of whose bytes they are, to begin a sentence with, such as `Commit 1a2b3c4`
   * @throws Refusal those of the reading, `project-unreadable`, `reader-unavailable`
   */
  read<K extends keyof Readings>(
    of: string,
    what: K,
    ...args: Parameters<Readings[K]>
  ): Promise<Awaited<ReturnType<Readings[K]>>>;
}

export interface ThreadReaderOptions {
  logger: { warn(facts: object, text: string): void };
  /** The file that the thread runs; the program's own unless told. */
  file?: string;
  limits?: WorkerLimits;
}

/** Reads in a separate thread, one project after the other, so that no project can hold up the gateway. */
export class ThreadReader implements Reader {
  readonly #worker: WarmWorker;
  readonly #limits: WorkerLimits;
  readonly #logger: ThreadReaderOptions['logger'];

  constructor({ logger, file, limits = LIMITS }: ThreadReaderOptions) {
    this.#limits = limits;
    this.#logger = logger;
    this.#worker = new WarmWorker(file ?? join(programFolder(), 'dist/deploys/reader-worker.cjs'), limits);
  }

  /** Starts the thread. If that fails, it is tried again for each project. */
  async begin(): Promise<void> {
    await this.#worker.warm().catch((error: unknown) => this.#tell(error));
  }

  async read<K extends keyof Readings>(
    of: string,
    what: K,
    ...args: Parameters<Readings[K]>
  ): Promise<Awaited<ReturnType<Readings[K]>>> {
    const question: Question = { what, args };
    try {
      return (await this.#worker.ask(question)) as Awaited<ReturnType<Readings[K]>>;
    } catch (error) {
      throw error instanceof WorkerFailed ? this.#refusalOf(error, of) : error;
    }
  }

  /** Ends the thread. A reading in progress is refused. */
  async close(): Promise<void> {
    await this.#worker.close();
  }

  #refusalOf(error: WorkerFailed, of: string): Refusal {
    const { workMs, memoryMb } = this.#limits;
    if (error.why === 'broken') {
      this.#tell(error);
      const sentence = 'The server cannot read projects at the moment. Try again later.';
      return new Refusal('unavailable', 'reader-unavailable', sentence, { cause: error });
    }
    const limit = error.why === 'late' ? `within ${workMs / 1_000} s` : `with ${memoryMb} MiB of memory`;
    return new Refusal(
      'invalid',
      'project-unreadable',
      `${of} could not be read ${limit}. Shorten its dependency and settings files and try again.`,
      { cause: error },
    );
  }

  #tell(error: unknown): void {
    this.#logger.warn({ err: error }, 'the project reader thread exited');
  }
}
