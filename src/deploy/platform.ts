import { mkdir, rm } from 'node:fs/promises';
import { APP_ID, appState, findRelease, idFromName, newApp, parseNewAppId, pendingRelease, type App } from '../domain/app.js';
import type { MissingKey } from '../domain/hints.js';
import { Turns } from '../domain/turns.js';
import { previewsOn } from '../domain/preview.js';
import { movesBranch, type Release } from '../domain/release.js';
import { Refusal } from '../errors.js';
import type { AppConfig } from '../store/app-config.js';
import type { AppStore } from '../store/apps.js';
import type { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';
import { Repository } from '../store/repository.js';
import type { Rotation } from '../store/vault.js';
import { parseTree } from '../domain/tree.js';
import type { AppFacts, AppListener, AppPreviews, Apps, AppStatus, ConfigChange, ConfigChanged, Deploy, FileChange, ReleaseDiff, RepositoryFile } from './apps.js';
import type { Configs } from './configs.js';
import { moveBranch } from './deploy.js';
import type { Deploys } from './deploys.js';
import { missingIn } from './hints.js';
import { demandRepository, filesInPlace, readInPlace, type InPlace } from './in-place.js';
import type { InheritedConfig } from './inherited-config.js';
import { inspectCommit } from './inspect.js';
import type { Serving } from './serving.js';

/** The largest file that is shown or edited, in bytes. */
const MAX_SHOWN = 5 * 1024 * 1024;

export interface PlatformOptions {
  store: AppStore;
  paths: Paths;
  git: Git;
  deploys: Deploys;
  serving: Serving;
  configs: Configs;
  /** What processes get: a preview's lies over its app's. */
  inherited: Pick<InheritedConfig, 'read'>;
  /** True where apps that say nothing themselves have previews. */
  previews: boolean;
  inPlace: InPlace;
}

/** The apps, and everything that can be done with them. Work on one app happens one after the other. */
export class Platform implements Apps {
  readonly #options: PlatformOptions;
  readonly #turns = new Turns();
  readonly #pushes = new Map<string, number>();
  /** The apps that a push made, until something of it is kept. */
  readonly #madeByPush = new Set<string>();
  readonly #listeners = new Set<AppListener>();

  constructor(options: PlatformOptions) {
    this.#options = options;
    options.store.subscribe((id, app) => {
      const status = app === undefined ? undefined : this.#status(app);
      for (const listener of this.#listeners) listener(id, status);
    });
  }

  list(): AppStatus[] {
    return this.#options.store.list().map((app) => this.#status(app));
  }

  get(id: string): AppStatus {
    return this.#status(this.#options.store.get(id));
  }

  async create(input: { id?: string; name: string; description?: string }): Promise<AppStatus> {
    const name = input.name.trim();
    if (name === '') throw new Refusal('invalid', 'app-name-missing', 'Give the app a name.', { field: 'name' });
    // One turn for all creations: two at once must not find the same id free.
    return this.#turns.take(' create', async () => {
      this.#nameIsFree(name, undefined);
      const id = input.id === undefined ? this.#freeId(name) : parseNewAppId(input.id);
      await this.begin(newApp(id, name, new Date(), input.description ?? ''));
      return this.get(id);
    });
  }

  async describe(id: string, input: AppFacts): Promise<AppStatus> {
    const name = input.name?.trim();
    if (name === '') throw new Refusal('invalid', 'app-name-missing', 'Give the app a name.', { field: 'name' });
    const before = this.#options.store.get(id);
    const told = (name ?? before.name) !== before.name || (input.description ?? before.description).replace(/\r\n/g, '\n') !== before.description;
    if (told) demandRepository(before, 'change its name and description in config.json and run refresh');
    if (name !== undefined) this.#nameIsFree(name, id);
    if (input.previews !== undefined && this.#options.store.get(id).preview !== undefined) {
      throw new Refusal('conflict', 'preview-of-preview', `${id} is a preview, and has none itself.`, { field: 'previews_on' });
    }
    await this.#options.store.update(id, (app) => ({
      ...app,
      ...input,
      ...(name === undefined ? {} : { name }),
    }));
    return this.get(id);
  }

  previews(id: string): AppPreviews {
    const { store, previews } = this.#options;
    return { on: previewsOn(store.get(id), previews), list: this.#previewsOf(id).map((app) => this.#status(app)) };
  }

  async commit(id: string, change: FileChange, by: string, message: string): Promise<Deploy> {
    demandRepository(this.#options.store.get(id), 'change its files there');
    return this.take(id, change, by, message);
  }

  /** Commits a change of files and deploys it, also of an app that runs in place until that is live. */
  async take(id: string, change: FileChange, by: string, message: string): Promise<Deploy> {
    const { store, paths, deploys } = this.#options;
    return this.#turns.take(id, async () => {
      const app = store.get(id);
      const branch = app.deployBranch ?? 'main';
      // Objects of a preview are its app's, and its app has its branch as well.
      const repository = this.#repository(app.preview?.of ?? id);
      // A change that is still being deployed is built upon, or the next one would undo it.
      const parent = this.#onItsWay(app)?.commit ?? (await repository.resolve(`refs/heads/${branch}`));
      await mkdir(paths.tmp, { recursive: true });
      const commit = await repository.commit({ parent, ...change, author: by, message }, paths.tmp);
      await inspectCommit(repository, commit);
      if (app.deployBranch === null) await this.adoptBranch(id, branch);
      return deploys.request({ app: id, commit, branch, by, source: parent === undefined || change.replace ? 'upload' : 'edit' });
    });
  }

  async start(id: string): Promise<AppStatus> {
    return this.#turns.take(id, async () => {
      const { store, serving, inPlace } = this.#options;
      const app = store.get(id);
      if (app.place === undefined && app.live === null) throw nothingDeployed(id);
      await (app.place === undefined ? serving.start(await this.#want(id, 'running')) : inPlace.wake(id));
      return this.get(id);
    });
  }

  async stop(id: string): Promise<AppStatus> {
    return this.#turns.take(id, async () => {
      const { place } = await this.#want(id, 'stopped');
      // A start that is under way is a deploy, which would make it run after all.
      if (place !== undefined) await this.#options.deploys.abandon(id);
      await this.#options.serving.stop(id);
      return this.get(id);
    });
  }

  async restart(id: string): Promise<AppStatus> {
    return this.#turns.take(id, async () => {
      const { store, serving, inPlace } = this.#options;
      const app = store.get(id);
      if (app.place === undefined && app.live === null) throw nothingDeployed(id);
      await (app.place === undefined ? serving.restart(await this.#want(id, 'running')) : inPlace.restart(id));
      return this.get(id);
    });
  }

  async redeploy(id: string, by: string): Promise<Deploy> {
    const app = this.#options.store.get(id);
    if (app.place !== undefined) return this.#options.inPlace.deploy(id, by, 'deployed again');
    const newest = findRelease(app, app.live) ?? app.releases.at(-1);
    const branch = app.deployBranch ?? 'main';
    const commit = (await this.#repository(id).resolve(`refs/heads/${branch}`)) ?? newest?.commit;
    if (commit === undefined) throw nothingDeployed(id);
    return this.#options.deploys.request({ app: id, commit, branch, by, source: app.live === null ? 'upload' : 'redeploy' });
  }

  async rollback(id: string, release: number, by: string): Promise<Deploy> {
    const app = this.#options.store.get(id);
    const back = this.#release(app, release);
    if (back.folder !== undefined) {
      throw new Refusal('conflict', 'release-in-place', `Release ${release} of ${id} ran from ${back.folder.dir}, which keeps nothing of what it was: put the files back there.`);
    }
    demandRepository(app, 'it cannot go back to a release of its repository');
    if (!['live', 'draining', 'retired'].includes(back.state)) {
      throw new Refusal('conflict', 'release-never-live', `Release ${release} of ${id} was never live: choose one that was.`);
    }
    return this.#options.deploys.request({ app: id, commit: back.commit, branch: back.branch, by, source: 'rollback', of: back });
  }

  async diff(id: string, release: number): Promise<ReleaseDiff> {
    const app = this.#options.store.get(id);
    const to = this.#release(app, release);
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

  openPages(id: string): ReadonlyMap<number, number> {
    return this.#options.serving.openPages(id);
  }

  async retire(id: string, release: number): Promise<Release> {
    const found = this.#release(this.#options.store.get(id), release);
    if (found.state === 'live') {
      throw new Refusal('conflict', 'release-is-live', `Release ${release} of ${id} is the live one: stop the app instead.`);
    }
    await this.#options.serving.retire(id, release);
    return this.#release(this.#options.store.get(id), release);
  }

  async cancel(id: string, release: number): Promise<Release> {
    return this.#options.deploys.cancel(id, release);
  }

  async remove(id: string): Promise<void> {
    demandRepository(this.#options.store.get(id), 'take it out of config.json, and its folder out of the folder of apps, and run refresh, which leaves its files alone');
    await this.#removePreviews(id);
    await this.drop(id);
    // One that a push has made meanwhile.
    await this.#removePreviews(id);
  }

  deploying(id: string, release: number): Deploy | undefined {
    return this.#options.deploys.find(id, release);
  }

  async files(id: string): Promise<RepositoryFile[]> {
    const { place } = this.#options.store.get(id);
    if (place !== undefined) return filesInPlace(place);
    const commit = await this.#newest(id);
    if (commit === undefined) return [];
    const entries = parseTree(await this.#repository(id).tree(commit));
    return entries.map(({ path, size }) => ({ path, size }));
  }

  async readFile(id: string, path: string): Promise<Buffer> {
    const { place } = this.#options.store.get(id);
    if (place !== undefined) return readInPlace(id, place, path, MAX_SHOWN);
    const commit = await this.#newest(id);
    const entries = commit === undefined ? [] : parseTree(await this.#repository(id).tree(commit));
    const entry = entries.find((one) => one.path === path && one.mode !== '160000');
    if (entry === undefined) throw new Refusal('not-found', 'file-not-found', `${id} has no file "${path}".`, { field: 'path' });
    if (entry.size > MAX_SHOWN) {
      throw new Refusal('too-large', 'file-too-large', `${path} is larger than 5 MB: clone the repository to see it.`, { field: 'path' });
    }
    return this.#repository(id).blob(entry.object);
  }

  config(id: string): Promise<AppConfig> {
    return this.#options.configs.of(id);
  }

  async missing(id: string): Promise<MissingKey[]> {
    const config = await this.#options.inherited.read(id, this.#options.store.get(id).config);
    const commit = await this.#newest(id);
    return commit === undefined ? [] : missingIn(this.#repository(id), commit, config);
  }

  configure(id: string, change: ConfigChange, by: string): Promise<ConfigChanged> {
    return this.#options.configs.change(id, change, by);
  }

  rotateKey(): Promise<Rotation> {
    return this.#options.configs.rotateKey();
  }

  mask(id: string): Promise<(text: string) => string> {
    return this.#options.configs.mask(id);
  }

  subscribe(listener: AppListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells everybody who listens that an app's process has another state; the record itself did not change. */
  processChanged(id: string): void {
    const app = this.#options.store.find(id);
    if (app === undefined) return;
    const status = this.#status(app);
    for (const listener of this.#listeners) listener(id, status);
  }

  /** Writes down the branch that deploys, and makes a clone check it out; nothing changes once a release is live. */
  async adoptBranch(id: string, branch: string): Promise<void> {
    const { deployBranch } = await this.#options.store.update(id, (app) =>
      app.deployBranch === branch || (app.deployBranch !== null && app.live !== null) ? app : { ...app, deployBranch: branch },
    );
    await this.#repository(id).setHead(deployBranch ?? branch);
  }

  /** The repository that a push goes to; the app is made where it does not exist. @returns the repository's folder */
  async beginPush(id: string): Promise<string> {
    const { store, paths } = this.#options;
    this.#pushes.set(id, (this.#pushes.get(id) ?? 0) + 1);
    try {
      await this.#turns.take(' create', async () => {
        if (store.find(id) !== undefined) return;
        await this.begin(newApp(id, id, new Date()));
        this.#madeByPush.add(id);
      });
    } catch (error) {
      await this.endPush(id);
      throw error;
    }
    return paths.repository(id);
  }

  /** Ends a push: an app of which nothing was kept was made for it alone, and goes again. */
  async endPush(id: string): Promise<void> {
    const left = (this.#pushes.get(id) ?? 1) - 1;
    if (left > 0) {
      this.#pushes.set(id, left);
      return;
    }
    this.#pushes.delete(id);
    await this.#turns.take(' create', async () => {
      if (this.#pushes.has(id) || !this.#madeByPush.delete(id)) return;
      const app = this.#options.store.find(id);
      if (app === undefined || app.lastRelease > 0 || (await this.#repository(id).hasRefs())) return;
      await this.#options.store.remove(id);
    });
  }

  /** @throws Refusal where this commit of a push cannot become a release */
  async inspect(id: string, commit: string, env: Record<string, string>): Promise<void> {
    demandRepository(this.#options.store.get(id), 'change its files there');
    const repository = this.#repository(id);
    if ((await repository.resolve(commit, { env })) !== commit) {
      throw new Refusal('invalid', 'commit-missing', 'a branch must point at a commit, and what was pushed to it is something else');
    }
    await inspectCommit(repository, commit, { env });
  }

  /** Makes what runs be what is wanted, after a start of the server. */
  async reconcile(): Promise<void> {
    const { store, serving, deploys } = this.#options;
    await deploys.recover();
    await Promise.all(
      store.list().map(async (app) => {
        await serving.adopt(app);
        await this.#mendBranch(app);
        // What is in the folder of an app in place may not be what ran: only a deploy can tell, and config.json comes first.
        if (app.place !== undefined) return;
        if (app.live !== null && app.wanted === 'running' && !app.asleep) await serving.start(store.get(app.id));
      }),
    );
  }

  /** A server that was killed between the swap and the branch's move left the branch behind what is live. */
  async #mendBranch(app: App): Promise<void> {
    const live = findRelease(app, app.live);
    if (live === undefined) return;
    const at = await this.#repository(app.id).resolve(`refs/heads/${live.branch}`);
    if (at === live.previous && at !== live.commit) await moveBranch(this.#options, app, live);
  }

  /** Stops an app and removes everything that is ours of it; of an app in place, that is not its files. */
  async drop(id: string): Promise<void> {
    const { store, deploys, serving } = this.#options;
    await this.#turns.take(id, async () => {
      if (store.find(id) === undefined) return;
      await this.#want(id, 'stopped');
      await deploys.abandon(id);
      await serving.stop(id);
      await store.remove(id);
      this.#options.configs.forget(id);
    });
  }

  async #removePreviews(of: string): Promise<void> {
    for (const { id } of this.#previewsOf(of)) await this.drop(id);
  }

  #previewsOf(id: string): App[] {
    return this.#options.store.list().filter((app) => app.preview?.of === id);
  }

  /** Makes an app that nobody can be making at the same time. @throws Refusal `app-exists` */
  async add(app: App): Promise<void> {
    await this.#turns.take(' create', () => this.begin(app));
  }

  /** Makes an app, and the repository that it is pushed to or, for a preview, that borrows its app's objects. @throws Refusal `app-exists` */
  async begin(app: App): Promise<void> {
    const { store, paths } = this.#options;
    if (store.find(app.id) !== undefined) {
      throw new Refusal('conflict', 'app-exists', `There is an app "${app.id}" already.`, { field: 'name' });
    }
    await mkdir(paths.tmp, { recursive: true });
    await rm(paths.app(app.id), { recursive: true, force: true });
    await mkdir(paths.app(app.id), { recursive: true });
    const repository = this.#repository(app.id);
    await repository.init(paths.tmp);
    if (app.preview !== undefined) {
      const parent = this.#repository(app.preview.of);
      const ref = `refs/heads/${app.preview.branch}`;
      await repository.borrow(parent);
      await repository.setHead(app.preview.branch);
      const commit = await parent.resolve(ref);
      if (commit !== undefined) await repository.pointRef(ref, commit);
    }
    await store.create(app);
  }

  async #want(id: string, wanted: App['wanted']): Promise<App> {
    return this.#options.store.update(id, (app) => (app.wanted === wanted && !app.asleep ? app : { ...app, wanted, asleep: false }));
  }

  /** The commit that people see and edit: the deploy branch's, or the newest one where nothing went live yet. */
  async #newest(id: string): Promise<string | undefined> {
    const app = this.#options.store.get(id);
    // An app in place has none.
    if (app.place !== undefined) return undefined;
    const branch = await this.#repository(id).resolve(`refs/heads/${app.deployBranch ?? 'main'}`);
    return this.#onItsWay(app)?.commit ?? branch ?? app.releases.at(-1)?.commit;
  }

  /** The change that is being deployed; a release that is brought back is none. */
  #onItsWay(app: App): Release | undefined {
    const pending = pendingRelease(app);
    return pending !== undefined && movesBranch(pending) ? pending : undefined;
  }

  #release(app: App, number: number): Release {
    const release = findRelease(app, number);
    if (release === undefined) throw new Refusal('not-found', 'release-not-found', `${app.id} has no release ${number}.`);
    return release;
  }

  #repository(id: string): Repository {
    return new Repository(this.#options.paths.repository(id), this.#options.git);
  }

  #status(app: App): AppStatus {
    const process = this.#options.serving.process(app.id);
    return {
      app,
      state: appState(app, process?.state),
      process:
        process === undefined
          ? undefined
          : {
              state: process.state,
              release: process.release,
              pid: process.pid,
              port: process.port,
              startedAt: process.startedAt.toISOString(),
              restarts: process.restarts,
            },
    };
  }

  #nameIsFree(name: string, except: string | undefined): void {
    const taken = this.#options.store.list().find((app) => app.id !== except && app.name.toLowerCase() === name.toLowerCase());
    if (taken !== undefined) {
      throw new Refusal('conflict', 'app-name-taken', `There is an app called "${taken.name}" already.`, { field: 'name' });
    }
  }

  #freeId(name: string): string {
    const base = idFromName(name);
    for (let number = 1; ; number += 1) {
      const id = number === 1 ? base : `${base}-${number}`;
      if (APP_ID.test(id) && this.#options.store.find(id) === undefined) return id;
    }
  }
}

function nothingDeployed(id: string): Refusal {
  return new Refusal('conflict', 'nothing-deployed', `${id} has nothing to run yet: push to it first.`);
}
