import { readdir, rm } from 'node:fs/promises';
import type { Environments } from '../environments/environments.js';
import { releasesToDrop } from '../domain/app/retention.js';
import type { Runtime } from '../runtime/runtime.js';
import type { AppConfigs } from '../store/app-config.js';
import type { AppStore } from '../store/apps.js';
import type { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';
import { Repository } from '../store/repository.js';

/** An environment that no release names is kept this long (ms) after its last use: a deploy may be about to name it. */
const SPARE_MS = 24 * 3_600_000;

export interface PrunerOptions {
  store: AppStore;
  paths: Paths;
  git: Git;
  environments: Pick<Environments, 'discard' | 'pruneLocks'>;
  /** Forgets what was made of an environment that goes. */
  runtime: Pick<Runtime, 'forget'>;
  configs: Pick<AppConfigs, 'tidy'>;
  /** How many releases of an app that once served are kept, the live one included. */
  keep: number;
  logger: { info(facts: object, text: string): void; warn(facts: object, text: string): void };
}

/** Removes what nobody can come back to: old releases, and environments that no release uses. */
export class Pruner {
  readonly #options: PrunerOptions;

  constructor(options: PrunerOptions) {
    this.#options = options;
  }

  /** Tidies up behind a deploy of an app. */
  async tidyAfter(id: string): Promise<void> {
    await this.#tidyApp(id);
    await this.#tidyEnvironments();
    await this.#tidyConfig(id);
  }

  /** Tidies everything. */
  async tidy(): Promise<void> {
    for (const app of this.#options.store.list()) await this.#tidyApp(app.id);
    await this.#tidyEnvironments();
  }

  async #tidyApp(id: string): Promise<void> {
    const { store, paths, git, keep, logger } = this.#options;
    const app = store.find(id);
    const drop = app === undefined ? [] : releasesToDrop(app, keep);
    if (drop.length === 0) return;
    const repository = new Repository(paths.repository(id), git);
    // The record goes last: what is left of an interrupted clean-up is found by it again.
    for (const number of drop) {
      await rm(paths.release(id, number), { recursive: true, force: true });
      await repository.dropRelease(number);
    }
    await store.update(id, (current) => ({
      ...current,
      releases: current.releases.filter((one) => !drop.includes(one.number)),
    }));
    logger.info({ app: id, releases: drop }, 'removed old releases');
  }

  /** Forgets the versions of an app's config that no kept release names. */
  async #tidyConfig(id: string): Promise<void> {
    const { store, configs } = this.#options;
    if (store.find(id) === undefined) return;
    await configs.tidy(id, () => {
      const app = store.find(id);
      return app === undefined ? [] : [app.config, ...app.releases.map((release) => release.config ?? 0)];
    });
  }

  async #tidyEnvironments(): Promise<void> {
    const { store, paths, environments, logger } = this.#options;
    // An app whose record is repaired before the next start must find its environment.
    if (store.leftAlone.size > 0) return;
    const used = new Set(store.list().flatMap((app) => app.releases.flatMap((release) => release.environment ?? [])));
    for (const name of await readdir(paths.environments)) {
      if (used.has(name) || !(await environments.discard(name, SPARE_MS))) continue;
      logger.info({ environment: name }, 'removed an unused environment');
      // What is left of it elsewhere only takes room.
      await this.#options.runtime
        .forget?.(paths.environment(name))
        .catch((error: unknown) => logger.warn({ environment: name, err: error }, 'its image could not be deleted'));
    }
    const locks = store.list().flatMap((app) => app.releases.flatMap((release) => release.lock ?? []));
    await environments.pruneLocks(new Set(locks), SPARE_MS);
  }
}
