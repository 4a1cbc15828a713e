import { appState, type App } from '../domain/app/app.js';
import type { MissingKey } from '../domain/project/hints.js';
import type { Turns } from '../lib/turns.js';
import { previewsOn } from '../domain/app/preview.js';
import type { Release } from '../domain/app/release.js';
import { Refusal } from '../errors.js';
import type { AppConfig } from '../store/app-config.js';
import type { AppStore } from '../store/apps.js';
import type { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';
import { Repository } from '../store/repository.js';
import type { Rotation } from '../store/vault.js';
import type {
  AppFacts,
  AppListener,
  AppPreviews,
  Apps,
  AppStatus,
  ConfigChange,
  ConfigChanged,
  Deploy,
  FileChange,
  ReleaseDiff,
  RepositoryFile,
} from './apps.js';
import type { AppFiles } from '../apps/files.js';
import type { Configs } from '../apps/config.js';
import type { Deploys } from '../deploys/deploys.js';
import { missingIn } from '../deploys/hints.js';
import { demandRepository, type InPlace } from '../in-place/in-place.js';
import type { InheritedConfig } from '../app-config/effective.js';
import { demandName, type NewApps } from '../apps/new-apps.js';
import { nothingDeployed, type Releases } from './releases.js';
import type { Serving } from '../serving/serving.js';
import type { StoredBranches } from '../apps/stored-branches.js';

export interface PlatformOptions {
  store: AppStore;
  paths: Paths;
  git: Git;
  deploys: Deploys;
  serving: Serving;
  configs: Configs;
  files: AppFiles;
  newApps: NewApps;
  branches: StoredBranches;
  releases: Releases;
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
    return this.get(await this.#options.newApps.create(input));
  }

  async describe(id: string, input: AppFacts): Promise<AppStatus> {
    const name = input.name === undefined ? undefined : demandName(input.name);
    const before = this.#options.store.get(id);
    const told =
      (name ?? before.name) !== before.name ||
      (input.description ?? before.description).replace(/\r\n/g, '\n') !== before.description;
    if (told) demandRepository(before, 'change its name and description in config.json and run refresh');
    if (name !== undefined) this.#options.newApps.demandFreeName(name, id);
    if (input.previews !== undefined && this.#options.store.get(id).preview !== undefined) {
      throw new Refusal('conflict', 'preview-of-preview', `${id} is a preview, and has none itself.`, {
        field: 'previews_on',
      });
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

  storedBranches(id: string): Promise<string[]> {
    return this.#options.branches.list(id);
  }

  preview(id: string, branch: string, by: string): Promise<Deploy> {
    return this.#options.branches.preview(id, branch, by);
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

  redeploy(id: string, by: string): Promise<Deploy> {
    return this.#options.releases.redeploy(id, by);
  }

  rollback(id: string, release: number, by: string): Promise<Deploy> {
    return this.#options.releases.rollback(id, release, by);
  }

  diff(id: string, release: number): Promise<ReleaseDiff> {
    return this.#options.releases.diff(id, release);
  }

  openPages(id: string): ReadonlyMap<number, number> {
    return this.#options.serving.openPages(id);
  }

  retire(id: string, release: number): Promise<Release> {
    return this.#options.releases.retire(id, release);
  }

  async cancel(id: string, release: number): Promise<Release> {
    return this.#options.deploys.cancel(id, release);
  }

  async remove(id: string): Promise<void> {
    demandRepository(
      this.#options.store.get(id),
      'take it out of config.json, and its folder out of the folder of apps, and run refresh, which leaves its files alone',
    );
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
        await store.letGo(id);
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

  async #want(id: string, wanted: App['wanted']): Promise<App> {
    return this.#options.store.update(id, (app) =>
      app.wanted === wanted && !app.asleep ? app : { ...app, wanted, asleep: false },
    );
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
              memoryLimit: process.spec.memoryLimit,
            },
    };
  }
}
