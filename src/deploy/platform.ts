import { mkdir, rm } from 'node:fs/promises';
import { APP_ID, appState, findRelease, idFromName, newApp, parseNewAppId, printable, type App } from '../domain/app.js';
import type { MissingKey } from '../domain/hints.js';
import type { Turns } from '../domain/turns.js';
import { previewsOn } from '../domain/preview.js';
import type { Release } from '../domain/release.js';
import { Refusal } from '../errors.js';
import type { AppConfig } from '../store/app-config.js';
import type { AppStore } from '../store/apps.js';
import type { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';
import { Repository } from '../store/repository.js';
import type { Rotation } from '../store/vault.js';
import type { AppFacts, AppListener, AppPreviews, Apps, AppStatus, ConfigChange, ConfigChanged, Deploy, FileChange, ReleaseDiff, RepositoryFile } from './apps.js';
import type { AppFiles } from './app-files.js';
import type { Configs } from './configs.js';
import type { Deploys } from './deploys.js';
import { missingIn } from './hints.js';
import { demandRepository, type InPlace } from './in-place.js';
import type { InheritedConfig } from './inherited-config.js';
import type { Serving } from './serving.js';

export interface PlatformOptions {
  store: AppStore;
  paths: Paths;
  git: Git;
  deploys: Deploys;
  serving: Serving;
  configs: Configs;
  files: AppFiles;
  /** Work on one app happens one after the other. */
  turns: Turns;
  /** What processes get: a preview's lies over its app's. */
  inherited: Pick<InheritedConfig, 'read'>;
  /** True where apps that say nothing themselves have previews. */
  previews: boolean;
  inPlace: InPlace;
}

/** The apps, and everything that can be done with them. Work on one app happens one after the other. */
export class Platform implements Apps {
  readonly #options: PlatformOptions;
  readonly #turns: Turns;
  readonly #files: AppFiles;
  readonly #listeners = new Set<AppListener>();

  constructor(options: PlatformOptions) {
    this.#options = options;
    this.#turns = options.turns;
    this.#files = options.files;
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
    return this.#files.commit(id, change, by, message);
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

  files(id: string): Promise<RepositoryFile[]> {
    return this.#files.list(id);
  }

  readFile(id: string, path: string): Promise<Buffer> {
    return this.#files.read(id, path);
  }

  config(id: string): Promise<AppConfig> {
    return this.#options.configs.of(id);
  }

  async missing(id: string): Promise<MissingKey[]> {
    const config = await this.#options.inherited.read(id, this.#options.store.get(id).config);
    const commit = await this.#files.newest(id);
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

  /** Stops an app and removes everything that is ours of it; of an app in place, that is not its files. */
  async drop(id: string): Promise<void> {
    const { store, deploys, serving } = this.#options;
    await this.#turns.take(id, async () => {
      if (store.find(id) === undefined) return;
      // First, so that whatever was asked for before is on record, and is called off with the rest.
      const unbar = deploys.bar(id);
      try {
        await this.#want(id, 'stopped');
        await deploys.abandon(id);
        await serving.stop(id);
        await store.remove(id);
        this.#options.configs.forget(id);
      } finally {
        unbar();
      }
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

  /** @throws Refusal `branch-in-the-way` where git cannot have this branch beside those that an app has */
  async demandBranch(id: string, branch: string): Promise<void> {
    const other = await this.#repository(id).branchInTheWay(branch);
    if (other === undefined) return;
    const sentence = `git cannot have ${printable(branch)} beside the branch ${printable(other)}: delete that one first, or rename yours`;
    throw new Refusal('conflict', 'branch-in-the-way', sentence);
  }

  /** Makes an app, and the repository that it is pushed to or, for a preview, that borrows its app's objects. @throws Refusal `app-exists`, `app-unreadable` */
  async begin(app: App): Promise<void> {
    const { store, paths } = this.#options;
    store.demandFree(app.id);
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
    const { store } = this.#options;
    const base = idFromName(name);
    for (let number = 1; ; number += 1) {
      const id = number === 1 ? base : `${base}-${number}`;
      if (APP_ID.test(id) && store.find(id) === undefined && !store.leftAlone.has(id)) return id;
    }
  }
}

function nothingDeployed(id: string): Refusal {
  return new Refusal('conflict', 'nothing-deployed', `${id} has nothing to run yet: push to it first.`);
}
