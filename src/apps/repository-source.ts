import type { Principal } from '../domain/access/principal.js';
import { findRelease, nothingDeployed, pendingRelease, type App } from '../domain/app/app.js';
import { movesBranch, type Release } from '../domain/app/release.js';
import { parseTree, type TreeEntry } from '../domain/project/tree.js';
import type { Deploys } from '../deploys/deploys.js';
import type { Deploy } from '../deploys/ongoing.js';
import { rebuild } from '../deploys/rebuild.js';
import { Refusal } from '../errors.js';
import type { Serving } from '../serving/serving.js';
import type { AppStore } from '../store/apps.js';
import type { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';
import { Repository } from '../store/repository.js';
import type { AppSource, ProjectFile } from './source.js';

/** The largest file that can be shown or edited, in bytes. */
export const MAX_SHOWN = 5 * 1024 * 1024;

export interface RepositorySourceOptions {
  store: Pick<AppStore, 'want'>;
  paths: Paths;
  git: Git;
  deploys: Pick<Deploys, 'request'>;
  serving: Pick<Serving, 'start' | 'restart'>;
}

/** The source of apps with their own repository: pushed, uploaded or edited. */
export class RepositorySource implements AppSource {
  readonly #options: RepositorySourceOptions;

  constructor(options: RepositorySourceOptions) {
    this.#options = options;
  }

  async files(app: App): Promise<ProjectFile[]> {
    return (await this.#entries(app)).map(({ path, size }) => ({ path, size }));
  }

  async read(app: App, path: string): Promise<Buffer> {
    const entry = (await this.#entries(app)).find((one) => one.path === path && one.mode !== '160000');
    if (entry === undefined) {
      throw new Refusal('not-found', 'file-not-found', `${app.id} has no file "${path}".`, { field: 'path' });
    }
    if (entry.size > MAX_SHOWN) {
      const sentence = `${path} is larger than 5 MB. Clone the repository to see it.`;
      throw new Refusal('too-large', 'file-too-large', sentence, { field: 'path' });
    }
    return this.#repository(app).blob(entry.object);
  }

  /** Returns the deploy branch's commit, or the newest commit if nothing has been live. */
  async newest(app: App): Promise<string | undefined> {
    const branch = await this.#repository(app).resolve(`refs/heads/${app.deployBranch ?? 'main'}`);
    return onItsWay(app)?.commit ?? branch ?? app.releases.at(-1)?.commit;
  }

  /** After a restore its environment is built first, and a deploy starts it. */
  async start(app: App, by: Principal): Promise<void> {
    const wanted = await this.#wanted(app);
    if ((await rebuild(this.#options, wanted, by)) === undefined) await this.#options.serving.start(wanted);
  }

  async callOffStart(): Promise<void> {
    // Its start makes no release, and ends with the process.
  }

  async restart(app: App): Promise<void> {
    await this.#options.serving.restart(await this.#wanted(app));
  }

  async redeploy(app: App, by: Principal, fresh: boolean): Promise<Deploy> {
    const newest = findRelease(app, app.live) ?? app.releases.at(-1);
    const branch = app.deployBranch ?? 'main';
    const commit = (await this.#repository(app).resolve(`refs/heads/${branch}`)) ?? newest?.commit;
    if (commit === undefined) throw nothingDeployed(app.id);
    const source = app.live === null ? 'upload' : 'redeploy';
    return this.#options.deploys.request({ app: app.id, commit, branch, by, source, fresh });
  }

  async #wanted(app: App): Promise<App> {
    if (app.live === null) throw nothingDeployed(app.id);
    return this.#options.store.want(app.id, 'running');
  }

  async #entries(app: App): Promise<TreeEntry[]> {
    const commit = await this.newest(app);
    return commit === undefined ? [] : parseTree(await this.#repository(app).tree(commit));
  }

  #repository({ id }: App): Repository {
    return new Repository(this.#options.paths.repository(id), this.#options.git);
  }
}

/** Returns the change that is being deployed; a rollback is none. */
export function onItsWay(app: App): Release | undefined {
  const pending = pendingRelease(app);
  return pending !== undefined && movesBranch(pending) ? pending : undefined;
}
