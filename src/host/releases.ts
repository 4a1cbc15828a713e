import { findRelease, type App } from '../domain/app/app.js';
import type { Release } from '../domain/app/release.js';
import { Refusal } from '../errors.js';
import type { AppStore } from '../store/apps.js';
import type { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';
import { Repository } from '../store/repository.js';
import type { Deploy, ReleaseDiff } from './apps.js';
import type { Configs } from '../apps/config.js';
import type { Deploys } from '../deploys/deploys.js';
import { demandRepository, type InPlace } from '../in-place/in-place.js';
import type { Serving } from '../serving/serving.js';

export interface ReleasesOptions {
  store: AppStore;
  paths: Paths;
  git: Git;
  deploys: Deploys;
  serving: Serving;
  configs: Configs;
  inPlace: InPlace;
}

/** The releases of apps: deployed again, brought back, compared, ended. */
export class Releases {
  readonly #options: ReleasesOptions;

  constructor(options: ReleasesOptions) {
    this.#options = options;
  }

  /** Deploys the deploy branch's newest commit again. @throws Refusal `nothing-deployed` */
  async redeploy(id: string, by: string): Promise<Deploy> {
    const app = this.#options.store.get(id);
    if (app.place !== undefined) return this.#options.inPlace.deploy(id, by, 'deployed again');
    const newest = findRelease(app, app.live) ?? app.releases.at(-1);
    const branch = app.deployBranch ?? 'main';
    const commit = (await this.#repository(id).resolve(`refs/heads/${branch}`)) ?? newest?.commit;
    if (commit === undefined) throw nothingDeployed(id);
    return this.#options.deploys.request({
      app: id,
      commit,
      branch,
      by,
      source: app.live === null ? 'upload' : 'redeploy',
    });
  }

  /** Brings one back. @throws Refusal `release-not-found`, `release-in-place`, `release-never-live` */
  async rollback(id: string, release: number, by: string): Promise<Deploy> {
    const app = this.#options.store.get(id);
    const back = demandRelease(app, release);
    if (back.folder !== undefined) {
      throw new Refusal(
        'conflict',
        'release-in-place',
        `Release ${release} of ${id} ran from ${back.folder.dir}, which keeps nothing of what it was: put the files back there.`,
      );
    }
    demandRepository(app, 'it cannot go back to a release of its repository');
    if (!['live', 'draining', 'retired'].includes(back.state)) {
      throw new Refusal(
        'conflict',
        'release-never-live',
        `Release ${release} of ${id} was never live: choose one that was.`,
      );
    }
    return this.#options.deploys.request({
      app: id,
      commit: back.commit,
      branch: back.branch,
      by,
      source: 'rollback',
      of: back,
    });
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
      throw new Refusal(
        'conflict',
        'release-is-live',
        `Release ${release} of ${id} is the live one: stop the app instead.`,
      );
    }
    await this.#options.serving.retire(id, release);
    return demandRelease(this.#options.store.get(id), release);
  }

  #repository(id: string): Repository {
    return new Repository(this.#options.paths.repository(id), this.#options.git);
  }
}

/** The refusal for an app that has nothing to run. */
export function nothingDeployed(id: string): Refusal {
  return new Refusal('conflict', 'nothing-deployed', `${id} has nothing to run yet: push to it first.`);
}

function demandRelease(app: App, number: number): Release {
  const release = findRelease(app, number);
  if (release === undefined) throw new Refusal('not-found', 'release-not-found', `${app.id} has no release ${number}.`);
  return release;
}
