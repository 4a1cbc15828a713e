import type { App } from '../domain/app/app.js';
import { sleepsAfterMs, usedAt } from '../domain/app/preview.js';
import { maySleep, type SleepRule } from '../domain/app/sleep.js';
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
    this.#work(id, async () => {
      const awake = await this.#options.store.update(id, (current) =>
        usedAt({ ...current, asleep: false }, Date.now()),
      );
      await this.#options.serving.start(awake);
      this.#options.logger.info({ app: id }, 'app woken');
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.allSettled(this.#working.values());
  }

  #look(): void {
    for (const app of this.#options.store.list()) {
      if (app.wanted !== 'running' || app.live === null || this.#working.has(app.id)) continue;
      if (app.asleep) this.#wakeCalled(app.id);
      else if (this.#isUnused(app)) this.#work(app.id, () => this.#sleep(app.id));
    }
  }

  /** Wakes an app that was visited while it was being put to sleep: a page waits, or was touched once. */
  #wakeCalled(id: string): void {
    if (this.#called.delete(id) || this.#options.routes.hasWaiters(id)) this.wake(id);
  }

  /** While an older release has open pages, somebody is working with the app: all of it stays awake. */
  #isUnused(app: App): boolean {
    const { routes, rule } = this.#options;
    const target = routes.live(app.id);
    if (target?.backend.state !== 'ready' || routes.draining(app.id).length > 0) return false;
    return maySleep(target, { ...rule, afterMs: sleepsAfterMs(app, rule.afterMs) }, Date.now());
  }

  async #sleep(id: string): Promise<void> {
    const { store, serving, routes, logger } = this.#options;
    // Checked again inside the update: a visitor may just have come.
    const app = await store.update(id, (current) =>
      this.#isUnused(current) ? usedAt({ ...current, asleep: true }, routes.live(id)?.visitedAt ?? 0) : current,
    );
    if (!app.asleep) return;
    await serving.stop(id);
    logger.info({ app: id }, 'app put to sleep');
  }

  #work(id: string, work: () => Promise<void>): void {
    const working = work().then(
      () => {
        this.#working.delete(id);
        this.#wakeCalled(id);
      },
      (error: unknown) => {
        this.#options.logger.error({ app: id, err: error }, 'an app could not be put to sleep or woken');
        // Trying again at once would fail for the same reason (a full disk). The next check wakes it.
        this.#working.delete(id);
      },
    );
    this.#working.set(id, working);
  }
}
