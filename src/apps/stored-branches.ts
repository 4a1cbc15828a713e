import { printable, type App } from '../domain/app/app.js';
import { Refusal } from '../errors.js';
import type { AppStore } from '../store/apps.js';
import type { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';
import { Repository } from '../store/repository.js';
import type { Deploy } from '../host/apps.js';
import type { Deploys } from '../deploys/deploys.js';
import { inspectCommit } from '../deploys/inspect.js';
import type { Previews } from './previews.js';

export interface StoredBranchesOptions {
  store: AppStore;
  paths: Paths;
  git: Git;
  deploys: Pick<Deploys, 'request'>;
  previews: Pick<Previews, 'isOn' | 'find' | 'take'>;
}

/**
 * The branches that were pushed and are served nowhere: pushed while previews were off, or with a preview that is gone. To
 * push them again does nothing, since git has them already.
 */
export class StoredBranches {
  readonly #options: StoredBranchesOptions;

  constructor(options: StoredBranchesOptions) {
    this.#options = options;
  }

  /** Those of an app, where it has previews at all; by name. */
  async list(id: string): Promise<string[]> {
    const { store, previews } = this.#options;
    const app = store.get(id);
    if (app.preview !== undefined || !previews.isOn(app)) return [];
    const branches = await this.#repository(app).branches();
    return branches.filter((branch) => branch !== app.deployBranch && previews.find(id, branch) === undefined);
  }

  /**
   * Gives one a preview, as a push of its newest commit would.
   * @throws Refusal `previews-off`, `branch-not-found`, `branch-deploys`, and those of a commit that cannot become a release
   */
  async preview(id: string, branch: string, by: string): Promise<Deploy> {
    const { store, deploys, previews } = this.#options;
    const app = store.get(id);
    if (app.preview !== undefined || !previews.isOn(app)) {
      throw new Refusal('conflict', 'previews-off', `${id} has no previews: switch them on in its settings first.`, {
        field: 'branch',
      });
    }
    if (branch === app.deployBranch) {
      throw new Refusal(
        'conflict',
        'branch-deploys',
        `${printable(branch)} is the branch that deploys ${id}: it needs no preview.`,
        { field: 'branch' },
      );
    }
    const repository = this.#repository(app);
    // A name that a person typed is looked for among those that are there, and never handed to git.
    const commit = (await repository.branches()).includes(branch)
      ? await repository.resolve(`refs/heads/${branch}`)
      : undefined;
    if (commit === undefined) {
      throw new Refusal('not-found', 'branch-not-found', `${id} has no branch "${printable(branch)}": push it first.`, {
        field: 'branch',
      });
    }
    await inspectCommit(repository, commit);
    return deploys.request({ app: await previews.take(id, branch), commit, branch, by, source: 'push' });
  }

  #repository({ id }: App): Repository {
    return new Repository(this.#options.paths.repository(id), this.#options.git);
  }
}
