import type { Deploys } from '../deploys/deploys.js';
import type { Turns } from '../lib/turns.js';
import type { Serving } from '../serving/serving.js';
import type { AppConfigs } from '../store/app-config.js';
import type { AppStore } from '../store/apps.js';

export interface RemovalOptions {
  store: AppStore;
  deploys: Pick<Deploys, 'bar' | 'abandon'>;
  serving: Pick<Serving, 'stop'>;
  configs: Pick<AppConfigs, 'forget'>;
  /** Serialises the work on each app. */
  turns: Turns;
}

/** Deletes an app: stops it, and deletes everything of ours. */
export class Removal {
  readonly #options: RemovalOptions;

  constructor(options: RemovalOptions) {
    this.#options = options;
  }

  /** Deletes an app with its previews. Does nothing if it is gone. */
  async remove(id: string): Promise<void> {
    await this.#removePreviews(id);
    await this.drop(id);
    // One that a push has made meanwhile.
    await this.#removePreviews(id);
  }

  /** Deletes a single app; the files of an in-place app are not ours and stay. */
  async drop(id: string): Promise<void> {
    const { store, deploys, serving, configs, turns } = this.#options;
    await turns.take(id, async () => {
      if (store.find(id) === undefined) return;
      // First, so that whatever was asked for before is on record, and is called off with the rest.
      const unbar = deploys.bar(id);
      try {
        await store.letGo(id);
        await store.want(id, 'stopped');
        await deploys.abandon(id);
        await serving.stop(id);
        await store.remove(id);
        configs.forget(id);
      } finally {
        unbar();
      }
    });
  }

  /** Deletes what is left of apps whose deletion has failed half-way, such as on a disk that became read-only. */
  async finish(): Promise<void> {
    for (const id of [...this.#options.store.going]) await this.drop(id);
  }

  async #removePreviews(of: string): Promise<void> {
    for (const { id, preview } of this.#options.store.list()) if (preview?.of === of) await this.drop(id);
  }
}
