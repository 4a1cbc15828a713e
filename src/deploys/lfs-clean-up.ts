import { maybePointer, readPointer } from '../domain/project/lfs.js';
import { parseBlobs } from '../domain/project/tree.js';
import type { AppStore } from '../store/apps.js';
import type { Git } from '../store/git.js';
import { LfsObjects } from '../store/lfs-objects.js';
import type { Paths } from '../store/paths.js';
import { Repository } from '../store/repository.js';

/** How often the objects of an app are looked at, in ms. */
const EVERY_MS = 24 * 3_600_000;
/** How long (ms) an object is kept that nothing names: it may be pushed again, and git-lfs sends it before the commit. */
const SPARE_MS = 2 * 24 * 3_600_000;
/** How many files are read at once. */
const AT_ONCE = 10_000;

export interface LfsCleanUpOptions {
  store: Pick<AppStore, 'list'>;
  paths: Pick<Paths, 'repository' | 'lfs'>;
  git: Git;
  logger: { info(facts: object, text: string): void };
}

/** Deletes what Git LFS has stored for apps and no commit names any more, once a day. */
export class LfsCleanUp {
  readonly #options: LfsCleanUpOptions;
  /** When each app was looked at, in ms of the clock that never jumps. */
  readonly #looked = new Map<string, number>();

  constructor(options: LfsCleanUpOptions) {
    this.#options = options;
  }

  /** Looks at one app, unless that was done within a day. Previews have their files from the app that they are of. */
  async tidy(id: string, signal: AbortSignal): Promise<void> {
    const { store, paths, logger } = this.#options;
    const at = this.#looked.get(id);
    if (at !== undefined && performance.now() - at < EVERY_MS) return;
    const apps = store.list();
    if (apps.some((app) => app.id === id && app.preview !== undefined)) return;
    const objects = new LfsObjects(paths.lfs(id));
    if (await objects.hasAny()) {
      const named = new Set<string>();
      for (const each of apps)
        if (each.id === id || each.preview?.of === id) await this.#addNamed(each.id, named, signal);
      const removed = await objects.prune(named, SPARE_MS);
      if (removed > 0) logger.info({ app: id, objects: removed }, 'deleted files of Git LFS that no commit names');
    }
    this.#looked.set(id, performance.now());
  }

  /** Adds what the files of a repository name, those of commits that nothing leads to any more included: git has them still. */
  async #addNamed(id: string, named: Set<string>, signal: AbortSignal): Promise<void> {
    const repository = new Repository(this.#options.paths.repository(id), this.#options.git);
    const small = (await repository.allBlobs({ signal })).filter(({ size }) => maybePointer(size));
    for (let from = 0; from < small.length; from += AT_ONCE) {
      const ids = small.slice(from, from + AT_ONCE).map((one) => one.id);
      for (const content of parseBlobs(await repository.blobs(ids, { signal })).values()) {
        const oid = readPointer(content)?.oid;
        if (oid !== undefined) named.add(oid);
      }
    }
  }
}
