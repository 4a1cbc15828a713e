import { ensureFolder } from '../lib/ensure-folder.js';
import { adoptBranch, type BranchKit } from '../deploys/branches.js';
import type { Deploys } from '../deploys/deploys.js';
import type { Inspector } from '../deploys/inspect.js';
import type { Deploy } from '../deploys/ongoing.js';
import type { Principal } from '../domain/access/principal.js';
import { demandRepository, printable } from '../domain/app/app.js';
import { parseTree, type TreeEntry } from '../domain/project/tree.js';
import { Refusal } from '../errors.js';
import type { Turns } from '../lib/turns.js';
import { Repository } from '../store/repository.js';
import { onItsWay } from './repository-source.js';
import type { AppSources, ProjectFile } from './source.js';

/** An uploaded file, kept on disk until it is committed. */
export interface StagedFile {
  /** Its path in the app's repository, with "/". */
  path: string;
  /** The path of its content on disk. */
  file: string;
  /** Omitted = unchanged. */
  executable?: boolean;
}

/** A change of an app's files, which becomes one commit. */
export interface FileChange {
  set: StagedFile[];
  remove: string[];
  /** True if `set` is the whole project, and every other file is deleted. */
  replace: boolean;
}

/** A change that was committed. */
export interface Committed {
  /** Not there where the app is not complete yet. */
  deploy: Deploy | undefined;
  /** What an app that was never deployed still lacks, in a sentence. */
  lacks: string | undefined;
}

/** What a project lacks of which some files are still to come. */
const INCOMPLETE: readonly string[] = ['no-entrypoint', 'no-requirements'];

export interface AppFilesOptions extends BranchKit {
  sources: AppSources;
  deploys: Pick<Deploys, 'request'>;
  inspector: Pick<Inspector, 'inspect'>;
  /** Serialises the work on each app. */
  turns: Turns;
}

/** Reads the files of apps, and changes them with commits that are deployed. */
export class AppFiles {
  readonly #options: AppFilesOptions;

  constructor(options: AppFilesOptions) {
    this.#options = options;
  }

  /** Lists the files of the newest commit. @throws Refusal `app-not-found` */
  async list(id: string): Promise<ProjectFile[]> {
    const app = this.#options.store.get(id);
    return this.#options.sources.of(app).files(app);
  }

  /** Reads a file of the newest commit. @throws Refusal `app-not-found`, `file-not-found`, `file-too-large` */
  async read(id: string, path: string): Promise<Buffer> {
    const app = this.#options.store.get(id);
    return this.#options.sources.of(app).read(app, path);
  }

  /**
   * Commits a change of files to the deploy branch, and deploys it. The files of an app that was never deployed can be added
   * one by one: they are only stored until the app has what it needs.
   * @throws Refusal `app-in-place`, `path-taken`, and those of files that would not make an app: nothing is written then
   */
  async commit(id: string, change: FileChange, by: Principal, message: string): Promise<Committed> {
    demandRepository(this.#options.store.get(id), 'Change its files there');
    return this.#commit(id, change, by, message);
  }

  /** Replaces the project of an app that runs in place until the release of these files is live. @throws Refusal as `commit` does */
  async adopt(id: string, set: StagedFile[], by: Principal, message: string): Promise<Deploy> {
    const { deploy } = await this.#commit(id, { set, remove: [], replace: true }, by, message);
    if (deploy === undefined) throw new Error(`the files of ${id} were kept and not deployed`);
    return deploy;
  }

  async #commit(id: string, change: FileChange, by: Principal, message: string): Promise<Committed> {
    const { store, paths, deploys, inspector, turns } = this.#options;
    return turns.take(id, async () => {
      const app = store.get(id);
      const branch = app.deployBranch ?? 'main';
      // Objects of a preview are its app's, and its app has its branch as well.
      const repository = this.#repository(app.preview?.of ?? id);
      // A change that is still being deployed is built upon, or the next one would undo it.
      const parent = onItsWay(app)?.commit ?? (await repository.resolve(`refs/heads/${branch}`));
      await ensureFolder(paths.tmp);
      const before = parent === undefined ? [] : parseTree(await repository.tree(parent));
      if (!change.replace) demandRoom(change, before);
      const set = withModes(change.set, before);
      const commit = await repository.commit({ parent, ...change, set, author: by.name, message }, paths.tmp);
      const lacks = await inspector.inspect(repository, commit, { layout: store.layout(id) }).then(
        () => undefined,
        (error: unknown) => {
          const waits = error instanceof Refusal && INCOMPLETE.includes(error.code);
          if (!waits || change.replace || app.lastRelease > 0) throw error;
          return error.message;
        },
      );
      if (app.deployBranch === null) await adoptBranch(this.#options, id, branch);
      if (lacks !== undefined) {
        await repository.pointRef(`refs/heads/${branch}`, commit, parent ?? '0'.repeat(commit.length));
        return { deploy: undefined, lacks };
      }
      const source = parent === undefined || change.replace ? 'upload' : 'edit';
      return { deploy: await deploys.request({ app: id, commit, branch, by, source }), lacks: undefined };
    });
  }

  #repository(id: string): Repository {
    return new Repository(this.#options.paths.repository(id), this.#options.git);
  }
}

/** Keeps the executable flag of files whose content changes. */
function withModes(files: readonly StagedFile[], before: readonly TreeEntry[]): StagedFile[] {
  const executable = new Set(before.filter(({ mode }) => mode === '100755').map(({ path }) => path));
  return files.map((file) => ({ ...file, executable: file.executable ?? executable.has(file.path) }));
}

/**
 * Refuses changes where a file would silently replace a folder, or a folder a file.
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
    const sentence = `${printable(path)} cannot be a file because ${why}. Delete that first, or choose another name.`;
    throw new Refusal('conflict', 'path-taken', sentence, { field: 'path' });
  }
}

/** Returns the parent folders of a path. */
function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, at) => parts.slice(0, at + 1).join('/'));
}
