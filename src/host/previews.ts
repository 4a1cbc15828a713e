import type { Previews } from '../apps/previews.js';
import type { Deploys } from '../deploys/deploys.js';
import type { Inspector } from '../deploys/inspect.js';
import type { Deploy } from '../deploys/ongoing.js';
import type { Principal } from '../domain/access/principal.js';
import { printable, type App } from '../domain/app/app.js';
import { Refusal } from '../errors.js';
import type { AppStore } from '../store/apps.js';
import type { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';
import { Repository } from '../store/repository.js';
import type { Apps, AppStatus } from './apps.js';

/** The previews of an app. */
export interface PreviewList {
  /** True if newly pushed branches get previews. */
  on: boolean;
  list: AppStatus[];
}

export interface AppPreviewsOptions {
  store: AppStore;
  apps: Pick<Apps, 'list'>;
  paths: Paths;
  git: Git;
  deploys: Pick<Deploys, 'request'>;
  inspector: Pick<Inspector, 'inspect'>;
  previews: Pick<Previews, 'isOn' | 'find' | 'ensure'>;
}

/**
 * The previews that an app has and could have. A branch that was pushed while previews were off, or whose preview was
 * deleted, is stored but not served. Pushing it again does nothing, since git already has it.
 */
export class AppPreviews {
  readonly #options: AppPreviewsOptions;

  constructor(options: AppPreviewsOptions) {
    this.#options = options;
  }

  /** Lists the previews of an app's branches. @throws Refusal `app-not-found` */
  of(id: string): PreviewList {
    const { store, apps, previews } = this.#options;
    return { on: previews.isOn(store.get(id)), list: apps.list().filter(({ app }) => app.preview?.of === id) };
  }

  /** Lists the stored branches without a preview, by name; empty if the app cannot have previews. @throws Refusal `app-not-found` */
  async stored(id: string): Promise<string[]> {
    const { store, previews } = this.#options;
    const app = store.get(id);
    if (app.preview !== undefined || !previews.isOn(app)) return [];
    const branches = await this.#repository(app).branches();
    return branches.filter((branch) => branch !== app.deployBranch && previews.find(id, branch) === undefined);
  }

  /**
   * Creates the preview of a stored branch, as a push of its newest commit would.
   * @throws Refusal `previews-off`, `branch-not-found`, `branch-deploys`, and those of a commit that cannot become a release
   */
  async create(id: string, branch: string, by: Principal): Promise<Deploy> {
    const { store, deploys, inspector, previews } = this.#options;
    const app = store.get(id);
    if (app.preview !== undefined || !previews.isOn(app)) {
      throw new Refusal('conflict', 'previews-off', `Previews are off for ${id}. Turn them on in its settings first.`, {
        field: 'branch',
      });
    }
    if (branch === app.deployBranch) {
      throw new Refusal(
        'conflict',
        'branch-deploys',
        `${printable(branch)} is the deploy branch of ${id} and cannot have a preview.`,
        { field: 'branch' },
      );
    }
    const repository = this.#repository(app);
    // A name that a person typed is looked for among those that are there, and never handed to git.
    const commit = (await repository.branches()).includes(branch)
      ? await repository.resolve(`refs/heads/${branch}`)
      : undefined;
    if (commit === undefined) {
      throw new Refusal('not-found', 'branch-not-found', `${id} has no branch "${printable(branch)}". Push it first.`, {
        field: 'branch',
      });
    }
    await inspector.inspect(repository, commit);
    return deploys.request({ app: await previews.ensure(id, branch), commit, branch, by, source: 'push' });
  }

  #repository({ id }: App): Repository {
    return new Repository(this.#options.paths.repository(id), this.#options.git);
  }
}
