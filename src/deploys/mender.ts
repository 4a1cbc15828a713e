import type { App } from '../domain/app/app.js';
import { replicasOf } from '../domain/app/replicas.js';
import { messageOf } from '../errors.js';
import { formatSpan } from '../lib/units.js';
import type { Serving } from '../serving/serving.js';
import type { AppStore } from '../store/apps.js';

/** How often what is wanted, what runs and what is written are compared, in ms. */
const LOOK_MS = 30_000;
/** How long the last look may be ago, in ms: starting an app takes its time. */
const LATE_MS = 10 * 60_000;

export interface MenderOptions {
  store: Pick<AppStore, 'list' | 'get' | 'writeLate'>;
  serving: Pick<Serving, 'processes' | 'record' | 'start' | 'scale'>;
  /** What else may be unfinished, by what is wrong then. Each is tried at every look. */
  unfinished?: Readonly<Record<string, () => Promise<void>>>;
  logger: { info(facts: object, text: string): void; warn(facts: object, text: string): void };
}

/**
 * Compares what is wanted with what runs, and what runs with what is written, again and again. Where one of them could not
 * be done when it was due, such as on a full disk, it is done as soon as it can be.
 */
export class Mender {
  readonly #options: MenderOptions;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #lookedAt = performance.now();
  /** What went wrong at the last look, by what it is about, so that it is told once. */
  readonly #told = new Map<string, string>();

  constructor(options: MenderOptions) {
    this.#options = options;
  }

  /** Begins to look: what an earlier server left must be adopted before. */
  begin(): void {
    this.#lookedAt = performance.now();
    this.#timer = setInterval(() => {
      this.#looking = this.#looking.then(() => this.look());
    }, LOOK_MS);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** Says in one sentence where it has not come to an end for long; undefined where it has. */
  get trouble(): string | undefined {
    const ms = performance.now() - this.#lookedAt;
    return ms < LATE_MS ? undefined : `The supervisor has not checked the apps for ${formatSpan(ms)}.`;
  }

  /** Looks once. What is wrong with one app keeps no other from being looked at. */
  async look(): Promise<void> {
    const { store, unfinished = {} } = this.#options;
    for (const app of store.list())
      await this.#attempt(
        'an app is not in its desired state and cannot be corrected yet',
        () => this.#mend(app),
        app.id,
      );
    await this.#attempt('changes of apps cannot be written to the disk yet', () => store.writeLate());
    for (const [wrong, finish] of Object.entries(unfinished)) await this.#attempt(wrong, finish);
    this.#lookedAt = performance.now();
  }

  async #mend(app: App): Promise<void> {
    const { store, serving, logger } = this.#options;
    await serving.record(app.id);
    if (app.live === null || app.wanted !== 'running' || app.asleep) return;
    const count = serving.processes(app.id).length;
    if (count > 0) return count === replicasOf(app) ? undefined : serving.scale(app.id);
    // What runs in place is started by its deploy.
    if (app.place !== undefined) return;
    await serving.start(store.get(app.id), { inTurn: true });
    logger.info({ app: app.id }, 'started an app that should be running');
  }

  async #attempt(wrong: string, work: () => Promise<void>, app?: string): Promise<void> {
    const about = app ?? wrong;
    try {
      await work();
      this.#told.delete(about);
    } catch (error) {
      const trouble = messageOf(error);
      if (this.#told.get(about) === trouble) return;
      this.#told.set(about, trouble);
      this.#options.logger.warn({ ...(app !== undefined && { app }), err: error }, wrong);
    }
  }
}
