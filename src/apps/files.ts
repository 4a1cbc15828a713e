import { mkdir } from 'node:fs/promises';
import { pendingRelease, printable, type App } from '../domain/app/app.js';
import { movesBranch, type Release } from '../domain/app/release.js';
import { parseTree, type TreeEntry } from '../domain/project/tree.js';
import type { Turns } from '../lib/turns.js';
import { Refusal } from '../errors.js';
import { Repository } from '../store/repository.js';
import type { Deploy, FileChange, RepositoryFile, StagedFile } from '../host/apps.js';
import { adoptBranch, type BranchKit } from '../deploys/branches.js';
import type { Deploys } from '../deploys/deploys.js';
import { filesInPlace, readInPlace } from '../in-place/in-place.js';
import { inspectCommit } from '../deploys/inspect.js';

/** The largest file that is shown or edited, in bytes. */
const MAX_SHOWN = 5 * 1024 * 1024;

export interface AppFilesOptions extends BranchKit {
  deploys: Pick<Deploys, 'request'>;
  /** Work on one app happens one after the other. */
  turns: Turns;
}

/** The files of apps: read as people see them, and changed by a commit that is deployed. */
export class AppFiles {
  readonly #options: AppFilesOptions;

  constructor(options: AppFilesOptions) {
    this.#options = options;
  }

  async list(id: string): Promise<RepositoryFile[]> {
    const { place } = this.#options.store.get(id);
    if (place !== undefined) return filesInPlace(place);
    return (await this.#entries(id)).map(({ path, size }) => ({ path, size }));
  }

  /** @throws Refusal `file-not-found`, `file-too-large` */
  async read(id: string, path: string): Promise<Buffer> {
    const { place } = this.#options.store.get(id);
    if (place !== undefined) return readInPlace(id, place, path, MAX_SHOWN);
    const entry = (await this.#entries(id)).find((one) => one.path === path && one.mode !== '160000');
    if (entry === undefined)
      throw new Refusal('not-found', 'file-not-found', `${id} has no file "${path}".`, { field: 'path' });
    if (entry.size > MAX_SHOWN) {
      throw new Refusal('too-large', 'file-too-large', `${path} is larger than 5 MB: clone the repository to see it.`, {
        field: 'path',
      });
    }
    return this.#repository(id).blob(entry.object);
  }

  /** Commits a change of files and deploys it, also of an app that runs in place until that is live. @throws Refusal */
  async commit(id: string, change: FileChange, by: string, message: string): Promise<Deploy> {
    const { store, paths, deploys, turns } = this.#options;
    return turns.take(id, async () => {
      const app = store.get(id);
      const branch = app.deployBranch ?? 'main';
      // Objects of a preview are its app's, and its app has its branch as well.
      const repository = this.#repository(app.preview?.of ?? id);
      // A change that is still being deployed is built upon, or the next one would undo it.
      const parent = onItsWay(app)?.commit ?? (await repository.resolve(`refs/heads/${branch}`));
      await mkdir(paths.tmp, { recursive: true });
      const before = parent === undefined ? [] : parseTree(await repository.tree(parent));
      if (!change.replace) demandRoom(change, before);
      const commit = await repository.commit(
        { parent, ...change, set: withModes(change.set, before), author: by, message },
        paths.tmp,
      );
      await inspectCommit(repository, commit);
      if (app.deployBranch === null) await adoptBranch(this.#options, id, branch);
      return deploys.request({
        app: id,
        commit,
        branch,
        by,
        source: parent === undefined || change.replace ? 'upload' : 'edit',
      });
    });
  }

  /** The commit that people see and edit: the deploy branch's, or the newest one where nothing went live yet. */
  async newest(id: string): Promise<string | undefined> {
    const app = this.#options.store.get(id);
    // An app in place has none.
    if (app.place !== undefined) return undefined;
    const branch = await this.#repository(id).resolve(`refs/heads/${app.deployBranch ?? 'main'}`);
    return onItsWay(app)?.commit ?? branch ?? app.releases.at(-1)?.commit;
  }

  async #entries(id: string): Promise<TreeEntry[]> {
    const commit = await this.newest(id);
    return commit === undefined ? [] : parseTree(await this.#repository(id).tree(commit));
  }

  #repository(id: string): Repository {
    return new Repository(this.#options.paths.repository(id), this.#options.git);
  }
}

/** New contents of files say nothing of whether these can be run: that stays as it was. */
function withModes(files: readonly StagedFile[], before: readonly TreeEntry[]): StagedFile[] {
  const executable = new Set(before.filter(({ mode }) => mode === '100755').map(({ path }) => path));
  return files.map((file) => ({ ...file, executable: file.executable ?? executable.has(file.path) }));
}

/**
 * git drops without a word the files of a folder whose name a file takes, and the file that stands where a folder shall be.
 * @throws Refusal `path-taken`
 */
function demandRoom({ set, remove }: FileChange, before: readonly TreeEntry[]): void {
  const going = new Set(remove);
  const files = new Set(before.map(({ path }) => path).filter((path) => !going.has(path)));
  const folders = new Set([...files].flatMap(foldersOf));
  for (const { path } of set) {
    const above = foldersOf(path).find((folder) => files.has(folder));
    const why = folders.has(path)
      ? `it is a folder of the project`
      : above === undefined
        ? undefined
        : `${printable(above)} is a file of the project`;
    if (why === undefined) continue;
    const sentence = `${printable(path)} cannot be a file, since ${why}: remove that first, or choose another name.`;
    throw new Refusal('conflict', 'path-taken', sentence, { field: 'path' });
  }
}

/** The folders that a path leads through. */
function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, at) => parts.slice(0, at + 1).join('/'));
}

/** The change that is being deployed; a release that is brought back is none. */
function onItsWay(app: App): Release | undefined {
  const pending = pendingRelease(app);
  return pending !== undefined && movesBranch(pending) ? pending : undefined;
}
