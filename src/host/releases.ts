import type { AppSources } from '../apps/source.js';
import type { Configs } from '../apps/config.js';
import type { Deploys } from '../deploys/deploys.js';
import type { Deploy } from '../deploys/ongoing.js';
import type { Principal } from '../domain/access/principal.js';
import { demandRepository, findRelease, type App } from '../domain/app/app.js';
import type { Release } from '../domain/app/release.js';
import type { ConfigDiff } from '../domain/config/diff.js';
import { Refusal } from '../errors.js';
import { maskUrls } from '../lib/mask-urls.js';
import { readRegular } from '../lib/read-regular.js';
import type { Serving } from '../serving/serving.js';
import type { AppStore } from '../store/apps.js';
import type { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';
import { Repository } from '../store/repository.js';

/** The largest list of packages that is read, in bytes. */
const MAX_LOCK = 32 * 1024 * 1024;

/** How a release differs from the live one. */
export interface ReleaseDiff {
  /** The live release; null if there is none, and so no difference. */
  live: number | null;
  /** The output of `git diff --stat --patch`; empty if the code is the same. */
  code: string;
  /** The names that differ in the config, or why they are unknown. */
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

/** Redeploys, rolls back, compares, cancels and stops releases. */
export class Releases {
  readonly #options: ReleasesOptions;

  constructor(options: ReleasesOptions) {
    this.#options = options;
  }

  /**
   * Deploys the newest version again.
   * @param fresh whether to install all packages again, which moves unpinned ones and branches of git to their newest versions
   * @throws Refusal `app-not-found`, `nothing-deployed`
   */
  async redeploy(id: string, by: Principal, fresh = false): Promise<Deploy> {
    const app = this.#options.store.get(id);
    return this.#options.sources.of(app).redeploy(app, by, fresh);
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

  /** Compares a release with the live one. @throws Refusal `release-not-found` */
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

  /**
   * Returns the exact packages of a release, as a requirements file without credentials.
   * @throws Refusal `release-not-found`, `packages-unknown`
   */
  async packages(id: string, release: number): Promise<string> {
    const { lock } = demandRelease(this.#options.store.get(id), release);
    const text = lock === undefined ? undefined : await readRegular(this.#options.paths.lock(lock), MAX_LOCK);
    if (text === undefined) {
      const sentence = `The exact packages of release ${release} of ${id} are not known. Deploy the app again to record them.`;
      throw new Refusal('not-found', 'packages-unknown', sentence);
    }
    return maskUrls(text.toString('utf8'));
  }

  /** Stops an older release that still has open pages. @throws Refusal `release-not-found`, `release-is-live` */
  async retire(id: string, release: number): Promise<Release> {
    const found = demandRelease(this.#options.store.get(id), release);
    if (found.state === 'live') {
      throw new Refusal('conflict', 'release-is-live', `Release ${release} of ${id} is live. Stop the app instead.`);
    }
    await this.#options.serving.retire(id, release);
    return demandRelease(this.#options.store.get(id), release);
  }

  /** Cancels a deploy that is not live yet. Does nothing if it has ended. @throws Refusal `release-not-found` */
  async cancel(id: string, release: number): Promise<Release> {
    demandRelease(this.#options.store.get(id), release);
    return this.#options.deploys.cancel(id, release);
  }

  /** Returns a deploy in progress, to follow it; undefined if it has ended. */
  underWay(id: string, release: number): Deploy | undefined {
    return this.#options.deploys.find(id, release);
  }

  /** Returns the number of open pages by release: the live one and draining ones. */
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
