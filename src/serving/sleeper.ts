import type { App } from '../domain/app/app.js';
import { sleepsAfterMs, usedAt } from '../domain/app/preview.js';
import { maySleep, type SleepRule } from '../domain/app/sleep.js';
import { Refusal } from '../errors.js';
import type { RouteTable } from '../gateway/routes.js';
import type { AppStore } from '../store/apps.js';
import type { Serving } from './serving.js';

/** The longest interval between two checks of the apps, in ms. */
const LOOK_MS = 10_000;

export interface SleeperOptions {
  store: AppStore;
  routes: RouteTable;
  serving: Pick<Serving, 'start' | 'stop' | 'hurry'>;
  /** The default for apps without their own sleep settings. */
  rule: SleepRule;
  logger: { info(facts: object, text: string): void; error(facts: object, text: string): void };
}

/** Puts unused apps to sleep, and wakes them on a visit. */
export class Sleeper {
  readonly #options: SleeperOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #working = new Map<string, Promise<void>>();
  /** Apps that were visited while they were being put to sleep. */
  readonly #called = new Set<string>();

  constructor(options: SleeperOptions) {
    this.#options = options;
    const shortest = options.rule.afterMs > 0 ? options.rule.afterMs / 4 : LOOK_MS;
    this.#timer = setInterval(() => this.#look(), Math.max(250, Math.min(LOOK_MS, shortest)));
    this.#timer.unref();
  }

  /** Wakes an app if it sleeps; waiting requests follow its route. Ten at once start one process. */
  wake(id: string): void {
    this.#options.serving.hurry(id);
    const app = this.#options.store.find(id);
    if (app?.asleep !== true || app.wanted !== 'running') return;
    if (this.#working.has(id)) return void this.#called.add(id);
    void this.#work(id, async () => {
      const awake = await this.#options.store.update(id, (current) =>
        usedAt({ ...current, asleep: false }, Date.now()),
      );
      await this.#options.serving.start(awake);
      this.#options.logger.info({ app: id }, 'app woken');
    });
  }

  /**
   * Puts an app to sleep at once, also while pages are open: they wake it when they are used. Resolves when its
   * processes have ended. Does nothing if it sleeps.
   * @throws Refusal `app-not-found`, `app-not-running`
   */
  async sleep(id: string): Promise<void> {
    // What is under way may be that it is being woken.
    await this.#working.get(id);
    const app = this.#options.store.get(id);
    if (app.wanted !== 'running' || app.live === null) {
      const sentence = `${id} is not running, so it cannot be put to sleep.`;
      throw new Refusal('conflict', 'app-not-running', sentence);
    }
    if (app.asleep) return;
    const failure = await this.#work(id, () => this.#rest(id, () => true));
    if (failure !== undefined) throw failure as Error;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.allSettled(this.#working.values());
  }

  #look(): void {
    for (const app of this.#options.store.list()) {
      if (app.wanted !== 'running' || app.live === null || this.#working.has(app.id)) continue;
      if (app.asleep) this.#wakeCalled(app.id);
      else if (this.#isUnused(app)) void this.#work(app.id, () => this.#rest(app.id, (one) => this.#isUnused(one)));
    }
  }

  /** Wakes an app that was visited while it was being put to sleep: a page waits, or was touched once. */
  #wakeCalled(id: string): void {
    if (this.#called.delete(id) || this.#options.routes.hasWaiters(id)) this.wake(id);
  }

  /** While an older release has open pages, somebody is working with the app: all of it stays awake. */
  #isUnused(app: App): boolean {
    const { routes, rule } = this.#options;
    const use = routes.use(app.id);
    if (use === undefined || routes.live(app.id)?.backend.state !== 'ready') return false;
    if (routes.draining(app.id).length > 0) return false;
    return maySleep(use, { ...rule, afterMs: sleepsAfterMs(app, rule.afterMs) }, Date.now());
  }

  async #rest(id: string, may: (app: App) => boolean): Promise<void> {
    const { store, serving, routes, logger } = this.#options;
    // Checked again inside the update: a visitor may just have come.
    const app = await store.update(id, (current) =>
      may(current) ? usedAt({ ...current, asleep: true }, routes.use(id)?.visitedAt ?? 0) : current,
    );
    if (!app.asleep) return;
    await serving.stop(id);
    logger.info({ app: id }, 'app put to sleep');
  }

  /** Does something to an app that nothing else is done to. A failure is logged. @returns it, where there is one */
  async #work(id: string, work: () => Promise<void>): Promise<unknown> {
    let failure: unknown;
    const working = work().then(
      () => {
        this.#working.delete(id);
        this.#wakeCalled(id);
      },
      (error: unknown) => {
        failure = error;
        this.#options.logger.error({ app: id, err: error }, 'an app could not be put to sleep or woken');
        // Trying again at once would fail for the same reason (a full disk). The next check wakes it.
        this.#working.delete(id);
      },
    );
    this.#working.set(id, working);
    await working;
    return failure;
  }
}
