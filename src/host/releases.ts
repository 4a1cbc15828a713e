import type { AppSources } from '../apps/source.js';
import type { Configs } from '../apps/config.js';
import type { Deploys } from '../deploys/deploys.js';
import type { Deploy } from '../deploys/ongoing.js';
import type { Principal } from '../domain/access/principal.js';
import { demandRepository, findRelease, type App } from '../domain/app/app.js';
import type { Release } from '../domain/app/release.js';
import type { ConfigDiff } from '../domain/config/diff.js';
import { Refusal } from '../errors.js';
import type { Serving } from '../serving/serving.js';
import type { AppStore } from '../store/apps.js';
import type { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';
import { Repository } from '../store/repository.js';

/** What a release changes against the live one. */
export interface ReleaseDiff {
  /** The live release; null where there is none, and so no difference. */
  live: number | null;
  /** As `git diff --stat --patch` prints it; empty where the code is the same. */
  code: string;
  /** The names of what is different in the config, or why that is unknown. */
  config: ConfigDiff | Refusal;
}

export interface ReleasesOptions {
  store: AppStore;
  paths: Paths;
  git: Git;
  deploys: Pick<Deploys, 'request' | 'cancel' | 'find'>;
  serving: Pick<Serving, 'retire' | 'openPages'>;
  configs: Pick<Configs, 'diff'>;
  sources: AppSources;
}

/** The releases of apps: deployed again, rolled back to, compared, cancelled, stopped. */
export class Releases {
  readonly #options: ReleasesOptions;

  constructor(options: ReleasesOptions) {
    this.#options = options;
  }

  /** Deploys what is newest again. @throws Refusal `app-not-found`, `nothing-deployed` */
  async redeploy(id: string, by: Principal): Promise<Deploy> {
    const app = this.#options.store.get(id);
    return this.#options.sources.of(app).redeploy(app, by);
  }

  /**
   * Rolls back to a kept release, with its environment and config unchanged, as a new release.
   * @throws Refusal `release-not-found`, `release-in-place`, `release-never-live`, `app-in-place`
   */
  async rollback(id: string, release: number, by: Principal): Promise<Deploy> {
    const app = this.#options.store.get(id);
    const back = demandRelease(app, release);
    if (back.folder !== undefined) {
      const sentence = `Release ${release} of ${id} ran from ${back.folder.dir}, which keeps no earlier versions. Restore the files there.`;
      throw new Refusal('conflict', 'release-in-place', sentence);
    }
    demandRepository(app, 'Restore the files there');
    if (!['live', 'draining', 'retired'].includes(back.state)) {
      const sentence = `Release ${release} of ${id} was never live. Choose one that was.`;
      throw new Refusal('conflict', 'release-never-live', sentence);
    }
    const { commit, branch } = back;
    return this.#options.deploys.request({ app: id, commit, branch, by, source: 'rollback', of: back });
  }

  /** What one changes against the live one. @throws Refusal `release-not-found` */
  async diff(id: string, release: number): Promise<ReleaseDiff> {
    const app = this.#options.store.get(id);
    const to = demandRelease(app, release);
    const from = findRelease(app, app.live) ?? to;
    // A folder that is not ours keeps nothing of what it was.
    const untold = from.folder !== undefined || to.folder !== undefined || from.commit === to.commit;
    const code = untold ? '' : await this.#repository(id).diff(from.commit, to.commit);
    const config = await this.#options.configs.diff(id, from.config ?? 0, to.config ?? 0).catch((error: unknown) => {
      // The code can be told all the same.
      if (error instanceof Refusal) return error;
      throw error;
    });
    return { live: app.live, code, config };
  }

  /** Ends an older one that still has open pages. @throws Refusal `release-not-found`, `release-is-live` */
  async retire(id: string, release: number): Promise<Release> {
    const found = demandRelease(this.#options.store.get(id), release);
    if (found.state === 'live') {
      throw new Refusal('conflict', 'release-is-live', `Release ${release} of ${id} is live. Stop the app instead.`);
    }
    await this.#options.serving.retire(id, release);
    return demandRelease(this.#options.store.get(id), release);
  }

  /** Cancels a deploy that is not live yet. Does nothing where it has ended. @throws Refusal `release-not-found` */
  async cancel(id: string, release: number): Promise<Release> {
    demandRelease(this.#options.store.get(id), release);
    return this.#options.deploys.cancel(id, release);
  }

  /** A deploy that is under way, to be followed; undefined where it has ended. */
  underWay(id: string, release: number): Deploy | undefined {
    return this.#options.deploys.find(id, release);
  }

  /** How many pages are open now, by release: the live one and those that drain. */
  openPages(id: string): ReadonlyMap<number, number> {
    return this.#options.serving.openPages(id);
  }

  #repository(id: string): Repository {
    return new Repository(this.#options.paths.repository(id), this.#options.git);
  }
}

function demandRelease(app: App, number: number): Release {
  const release = findRelease(app, number);
  if (release === undefined) throw new Refusal('not-found', 'release-not-found', `${app.id} has no release ${number}.`);
  return release;
}
