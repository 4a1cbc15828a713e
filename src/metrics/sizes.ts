import { join } from 'node:path';
import type { App } from '../domain/app/app.js';
import { programFolder } from '../lib/program-folder.js';
import { WarmWorker, type WorkerLimits } from '../lib/workers.js';
import type { AppStore } from '../store/apps.js';
import type { Paths } from '../store/paths.js';

/** What an app's own files take on the disk, in bytes. */
export interface AppSize {
  storage: number;
  /** The logs of its releases, with their older parts. */
  logs: number;
}

/** What the thread is asked: a folder, and files. */
export interface SizeQuestion {
  storage: string;
  logs: readonly string[];
}

/** How often (ms) the apps that run are measured. */
const EVERY_MS = 15 * 60_000;

/** At most this share of the time is spent with it. */
const SHARE = 0.01;

/** A folder may take 5 s (`sizes-worker.ts`); the disk may be slow to answer the last question of it. */
const LIMITS: WorkerLimits = { workMs: 20_000, startMs: 30_000, memoryMb: 128, idleMs: 1_000 };

export interface SizesOptions {
  apps: Pick<AppStore, 'list'>;
  paths: Pick<Paths, 'storage' | 'runLog' | 'buildLog'>;
  /** Told what could not be measured. */
  warn: (text: string) => void;
  /** Measures an app; a thread unless given. */
  worker?: Pick<WarmWorker, 'ask' | 'close'>;
  /** A clock that is never put back, in ms. */
  clock?: () => number;
}

/**
 * Measures what apps take on the disk: rarely, one after the other, in a thread of the lowest priority that ends when it is done. An
 * app that has not run since it was measured has written nothing, so it is left alone.
 */
export class Sizes {
  readonly #options: SizesOptions;
  readonly #worker: Pick<WarmWorker, 'ask' | 'close'>;
  readonly #clock: () => number;
  readonly #known = new Map<string, AppSize>();
  /** The apps that have run since they were measured. */
  readonly #changed = new Set<string>();
  #next = 0;
  /** A disk that does not answer is left alone for a while. */
  #pausedUntil = 0;
  #measuring: Promise<void> | undefined;
  #closed = false;
  #failed = false;

  constructor(options: SizesOptions) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
    const file = (): string => join(programFolder(), 'dist/metrics/sizes-worker.cjs');
    this.#worker = options.worker ?? new WarmWorker(file(), LIMITS);
  }

  /** What an app took when it was measured last; undefined where that was never done. */
  of(app: string): AppSize | undefined {
    return this.#known.get(app);
  }

  /** Measures those of which nothing is known, and from time to time those that have run. @param ran the apps that run */
  look(ran: Iterable<string>): void {
    const apps = this.#options.apps.list();
    for (const id of ran) this.#changed.add(id);
    this.#forget(new Set(apps.map(({ id }) => id)));
    if (this.#measuring !== undefined || this.#closed || this.#clock() < this.#pausedUntil) return;
    const isDue = this.#clock() >= this.#next;
    const isNew = (id: string): boolean => (this.#known.get(id)?.logs ?? 0) === 0;
    const due = apps.filter(({ id }) => !this.#known.has(id) || ((isDue || isNew(id)) && this.#changed.has(id)));
    if (due.length === 0) return;
    this.#measuring = this.#measure(due, isDue).finally(() => (this.#measuring = undefined));
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker.close();
    await this.#measuring;
  }

  #forget(known: ReadonlySet<string>): void {
    for (const id of this.#known.keys()) if (!known.has(id)) this.#known.delete(id);
    for (const id of this.#changed) if (!known.has(id)) this.#changed.delete(id);
  }

  async #measure(due: readonly App[], all: boolean): Promise<void> {
    const begun = this.#clock();
    for (const app of due) {
      if (this.#closed || this.#clock() < this.#pausedUntil) return;
      this.#changed.delete(app.id);
      await this.#measureOne(app);
    }
    const end = this.#clock();
    if (all) this.#next = end + Math.max(EVERY_MS, (end - begun) / SHARE);
  }

  async #measureOne({ id, releases }: App): Promise<void> {
    const { paths, warn } = this.#options;
    const logs = releases.flatMap(({ number }) => {
      const log = paths.runLog(id, number);
      return [log, `${log}.1`, paths.buildLog(id, number)];
    });
    const question: SizeQuestion = { storage: paths.storage(id), logs };
    try {
      this.#known.set(id, (await this.#worker.ask(question)) as AppSize);
      this.#failed = false;
    } catch (error) {
      this.#pausedUntil = this.#clock() + EVERY_MS;
      this.#changed.add(id);
      if (!this.#failed && !this.#closed) warn(`The files of apps cannot be measured: ${String(error)}`);
      this.#failed = true;
    }
  }
}
