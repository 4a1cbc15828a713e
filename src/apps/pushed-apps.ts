import { rm, stat, writeFile } from 'node:fs/promises';
import type { Principal } from '../domain/access/principal.js';
import { ownedBy } from '../domain/access/roles.js';
import { demandRepository, newApp } from '../domain/app/app.js';
import { changeLayout, type LayoutChange } from '../domain/project/layout.js';
import { Turns } from '../lib/turns.js';
import { Refusal } from '../errors.js';
import { removeQuarantines } from '../store/leftovers.js';
import { LfsObjects } from '../store/lfs-objects.js';
import { Repository } from '../store/repository.js';
import type { Room } from '../store/room.js';
import { adoptBranch, type BranchKit } from '../deploys/branches.js';
import type { Inspector } from '../deploys/inspect.js';
import type { Maintenance } from '../deploys/maintenance.js';
import type { NewApps } from './new-apps.js';

export interface PushedAppsOptions extends BranchKit {
  newApps: Pick<NewApps, 'add'>;
  inspector: Pick<Inspector, 'inspect'>;
  room: Pick<Room, 'demand' | 'reserve'>;
  maintenance: Pick<Maintenance, 'hold'>;
}

/** After how long (ms) the push does not come any more for which Git LFS has stored files. */
const ABANDONED_MS = 24 * 60 * 60_000;

/** Manages apps for pushes: the first push creates an app, which is deleted again if nothing was stored. */
export class PushedApps {
  readonly #options: PushedAppsOptions;
  readonly #turns = new Turns();
  /** The number of pushes in progress for each app. */
  readonly #pushes = new Map<string, number>();
  /** Ends what keeps each of these apps' repositories from being tidied. */
  readonly #holds = new Map<string, () => void>();
  /** The apps created by a push that have stored nothing yet. */
  readonly #made = new Set<string>();

  constructor(options: PushedAppsOptions) {
    this.#options = options;
  }

  /** Begins a push, and creates the app if it does not exist. @returns the repository's folder */
  async begin(id: string, by: Principal): Promise<string> {
    const { store, paths, newApps, maintenance } = this.#options;
    if (!this.#holds.has(id)) this.#holds.set(id, maintenance.hold(id));
    this.#pushes.set(id, (this.#pushes.get(id) ?? 0) + 1);
    try {
      await this.#turns.take(id, async () => {
        if (store.find(id) !== undefined) return;
        await newApps.add({ ...newApp(id, id, new Date()), ...ownedBy(by) });
        this.#made.add(id);
      });
    } catch (error) {
      await this.end(id);
      // Made by somebody else in the same moment: so much the better.
      if (!(error instanceof Refusal && error.code === 'app-exists')) throw error;
      return this.begin(id, by);
    }
    return paths.repository(id);
  }

  /** Keeps room for a file. @param bytes its size @returns a function that gives it back @throws Refusal those of `Room.reserve` */
  async reserve(bytes: number): Promise<() => void> {
    return this.#options.room.reserve(bytes);
  }

  /**
   * Ends a push. An app that was created for it and has stored nothing is deleted.
   * @param follows true where this was no push yet, and one may follow: Git LFS sends its files before it, and they keep the app
   */
  async end(id: string, follows = false): Promise<void> {
    const left = (this.#pushes.get(id) ?? 1) - 1;
    if (left > 0) {
      this.#pushes.set(id, left);
      return;
    }
    this.#pushes.delete(id);
    this.#holds.get(id)?.();
    this.#holds.delete(id);
    await this.#turns.take(id, async () => {
      await this.#clear(id);
      await this.#keepOrRemove(id, follows);
    });
  }

  /** Deletes what a push has left whose git was killed. The next one waits for its turn meanwhile. */
  async #clear(id: string): Promise<void> {
    if (this.#pushes.has(id)) return;
    await removeQuarantines(this.#options.paths.repository(id)).catch(() => undefined); // The end of the next push tries again.
  }

  /** Removes the apps for which Git LFS has stored files more than a day ago, and whose push never came. */
  async removeUnpushed(): Promise<void> {
    for (const { id, lastRelease } of this.#options.store.list()) {
      const at = lastRelease > 0 ? undefined : await this.#unpushedSince(id);
      if (at !== undefined && Date.now() - at > ABANDONED_MS)
        await this.#turns.take(id, () => this.#keepOrRemove(id, false));
    }
  }

  async #keepOrRemove(id: string, follows: boolean): Promise<void> {
    if (this.#pushes.has(id)) return;
    const made = this.#made.delete(id);
    const waited = !made && (await this.#unpushedSince(id)) !== undefined;
    if (!made && !waited) return;
    const { store, paths } = this.#options;
    const app = store.find(id);
    if (app === undefined) return;
    // Somebody may have set it up while it waited for its push.
    const used = waited && app.updatedAt !== app.createdAt;
    if (used || app.lastRelease > 0 || (await this.#repository(id).hasRefs()))
      return rm(paths.unpushed(id), { force: true });
    if (follows && (await new LfsObjects(paths.lfs(id)).hasAny())) return writeFile(paths.unpushed(id), '');
    await store.remove(id);
  }

  /** When (ms since 1970) Git LFS asked the last time on behalf of a push that did not come yet; undefined for other apps. */
  async #unpushedSince(id: string): Promise<number | undefined> {
    return stat(this.#options.paths.unpushed(id)).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined, // It is not there.
    );
  }

  /**
   * @param change where in the repository the app is, as far as the push says so
   * @throws Refusal where this commit of a push cannot become a release
   */
  async inspect(id: string, commit: string, env: Record<string, string>, change: LayoutChange = {}): Promise<void> {
    demandRepository(this.#options.store.get(id), 'Change its files there');
    // While its objects are in quarantine, and leave nothing behind.
    await this.#options.room.demand();
    const { preview } = this.#options.store.get(id);
    const repository = this.#repository(preview?.of ?? id);
    if ((await repository.resolve(commit, { env })) !== commit) {
      throw new Refusal(
        'invalid',
        'commit-missing',
        'A branch must point to a commit, but something else was pushed to it.',
      );
    }
    const layout = changeLayout(this.#options.store.layout(id) ?? {}, change);
    await this.#options.inspector.inspect(repository, commit, { env, layout });
  }

  /** Keeps where in its repository an app is. */
  async chooseLayout(id: string, change: LayoutChange): Promise<void> {
    await this.#options.store.changeLayout(id, change);
  }

  /** Makes a branch the deploy branch. */
  async adoptBranch(id: string, branch: string): Promise<void> {
    await adoptBranch(this.#options, id, branch);
  }

  #repository(id: string): Repository {
    return new Repository(this.#options.paths.repository(id), this.#options.git);
  }
}
