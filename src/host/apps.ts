import { demandName, type NewApp, type NewApps } from '../apps/new-apps.js';
import type { Previews } from '../apps/previews.js';
import type { Removal } from '../apps/removal.js';
import type { AppSources } from '../apps/source.js';
import type { Principal } from '../domain/access/principal.js';
import { appState, demandRepository, printable, type App, type AppState } from '../domain/app/app.js';
import type { ProcessState } from '../domain/app/process.js';
import type { ProcessCage } from '../domain/app/process-cage.js';
import { replicasOf, withReplicas } from '../domain/app/replicas.js';
import { demandBranchName } from '../domain/app/push.js';
import { changeLayout, type LayoutChange } from '../domain/project/layout.js';
import { messageOf, Refusal } from '../errors.js';
import { asClause } from '../lib/words.js';
import type { Turns } from '../lib/turns.js';
import type { Replica, Serving } from '../serving/serving.js';
import type { Sleeper } from '../serving/sleeper.js';
import type { AppStore } from '../store/apps.js';

/** The live release's process, for people. */
export interface ProcessStatus {
  state: ProcessState;
  release: number;
  /** The runtime's mark for what runs; undefined while nothing does. */
  mark: string | undefined;
  /** Set for a local process. */
  pid: number | undefined;
  /** Set if it listens on a port. */
  port: number | undefined;
  /** ISO date. */
  startedAt: string;
  /** The number of restarts after a crash. */
  restarts: number;
  /** The memory limit in bytes; undefined = no limit. */
  memoryLimit: number | undefined;
  /** What it runs in; undefined while nothing runs, or if an older server began it. */
  cage: ProcessCage | undefined;
}

/** One of several processes of the live release, for people. */
export interface ReplicaStatus extends ProcessStatus {
  replica: number;
  /** How many pages are open on it. */
  sessions: number;
  /** True where it gets no new pages, and ends once it has none. */
  draining: boolean;
}

/** An app with its process. */
export interface AppStatus {
  app: App;
  state: AppState;
  /** Of several, the one that is nearest to serving. */
  process: ProcessStatus | undefined;
  /** All processes of the live release, where there are several or should be. */
  replicas?: readonly ReplicaStatus[];
}

/** An app's description for visitors, and its URLs and branch; omitted fields stay unchanged. */
export interface AppFacts {
  name?: string;
  description?: string;
  /** In the format of `tagsSchema`. */
  tags?: string[];
  /** True = hidden from the gallery. */
  hidden?: boolean;
  /** True = other pushed branches get previews. */
  previews?: boolean;
  /** How many processes run it. */
  replicas?: number;
  /** The deploy branch. */
  deployBranch?: string;
  /** Where in its repository the app is. */
  layout?: LayoutChange;
}

/** Called when an app has changed; `undefined` = it was deleted. */
export type AppListener = (id: string, status: AppStatus | undefined) => void;

export interface AppsOptions {
  store: AppStore;
  serving: Pick<Serving, 'process' | 'replicas' | 'scale' | 'stop' | 'subscribe'>;
  sleeper: Pick<Sleeper, 'sleep'>;
  newApps: NewApps;
  removal: Pick<Removal, 'remove'>;
  sources: AppSources;
  previews: Pick<Previews, 'find'>;
  /** Changes the deploy branch. */
  chooseBranch: (id: string, branch: string) => Promise<void>;
  /** Serialises the work on each app. */
  turns: Turns;
}

/** Lists, creates, describes, starts, stops, restarts and deletes apps. */
export class Apps {
  readonly #options: AppsOptions;
  readonly #listeners = new Set<AppListener>();

  constructor(options: AppsOptions) {
    this.#options = options;
    options.store.subscribe((id) => this.#publish(id));
    // The record does not change with the state of a process.
    options.serving.subscribe((id) => {
      if (options.store.find(id) !== undefined) this.#publish(id);
    });
  }

  /** Lists all apps by id. */
  list(): AppStatus[] {
    return this.#options.store.list().map((app) => this.#status(app));
  }

  /** @throws Refusal `app-not-found` */
  get(id: string): AppStatus {
    return this.#status(this.#options.store.get(id));
  }

  /**
   * Creates an empty app. Without an id, a free one is derived from the name.
   * @throws Refusal `app-id-invalid`, `app-id-reserved`, `app-exists`, `app-name-missing`, `app-name-taken`
   */
  async create(input: NewApp): Promise<AppStatus> {
    return this.get(await this.#options.newApps.create(input));
  }

  /**
   * Changes an app's description, its deploy branch, whether other branches get previews, and how many processes run it.
   * Restarts and deploys nothing.
   * @throws Refusal `app-not-found`, `app-name-taken`, `preview-of-preview`, `app-in-place`, and those of a branch:
   *   `branch-invalid`, `branch-fixed`, `branch-has-preview`, `layout-invalid` and `not-scaled`
   */
  async describe(id: string, { deployBranch, layout, replicas, ...input }: AppFacts): Promise<AppStatus> {
    const { store, newApps } = this.#options;
    const name = input.name === undefined ? undefined : demandName(input.name);
    const before = store.get(id);
    const told =
      (name ?? before.name) !== before.name ||
      (input.description ?? before.description).replace(/\r\n/g, '\n') !== before.description;
    if (told)
      demandRepository(before, 'Change its name and description in config.json and run "streamlit-host refresh"');
    if (name !== undefined) newApps.demandFreeName(name, id);
    if (input.previews !== undefined && before.preview !== undefined) {
      throw new Refusal('conflict', 'preview-of-preview', `${id} is a preview, and previews cannot have previews.`, {
        field: 'previews_on',
      });
    }
    const branch = deployBranch === before.deployBranch ? undefined : deployBranch;
    if (branch !== undefined) this.#demandBranch(before, branch);
    if (layout !== undefined) {
      demandRepository(before, 'Name its main file in config.json');
      changeLayout({}, layout);
    }
    await store.update(id, (app) => ({ ...app, ...input, ...(name === undefined ? {} : { name }) }));
    if (layout !== undefined) await store.changeLayout(id, layout);
    if (branch !== undefined) await this.#options.chooseBranch(id, branch);
    if (replicas !== undefined) await this.#scale(id, replicas);
    return this.get(id);
  }

  /** Changes how many processes run an app, and waits until they do. One that does not run has them at its next start. */
  async #scale(id: string, replicas: number): Promise<void> {
    await this.#options.turns.take(id, async () => {
      const { store, serving } = this.#options;
      const before = replicasOf(store.get(id));
      await store.update(id, (app) => withReplicas(app, replicas));
      try {
        await serving.scale(id);
      } catch (error) {
        await store.update(id, (app) => (replicasOf(app) === replicas ? withReplicas(app, before) : app));
        throw new Refusal('conflict', 'not-scaled', `${id} was not scaled: ${asClause(messageOf(error))}.`);
      }
    });
  }

  /** Starts a stopped app; resolves when the start is in progress. Does nothing if it is running. @throws Refusal `nothing-deployed` */
  async start(id: string, by: Principal): Promise<AppStatus> {
    return this.#options.turns.take(id, async () => {
      const app = this.#options.store.get(id);
      await this.#options.sources.of(app).start(app, by);
      return this.get(id);
    });
  }

  /** Stops an app, and keeps it stopped. Does nothing if it is stopped. */
  async stop(id: string): Promise<AppStatus> {
    return this.#options.turns.take(id, async () => {
      const { store, sources, serving } = this.#options;
      const app = await store.want(id, 'stopped');
      await sources.of(app).callOffStart(app);
      await serving.stop(id);
      return this.get(id);
    });
  }

  /**
   * Ends an app's processes until somebody uses it. Does nothing if it sleeps.
   * @throws Refusal `app-not-found`, `app-not-running`
   */
  async sleep(id: string): Promise<AppStatus> {
    return this.#options.turns.take(id, async () => {
      await this.#options.sleeper.sleep(id);
      return this.get(id);
    });
  }

  /** Restarts the live release next to the old process, which serves until the new one does. @throws Refusal `nothing-deployed` */
  async restart(id: string, by: Principal): Promise<AppStatus> {
    return this.#options.turns.take(id, async () => {
      const app = this.#options.store.get(id);
      await this.#options.sources.of(app).restart(app, by);
      return this.get(id);
    });
  }

  /** Stops an app and deletes everything of it, including its previews. @throws Refusal `app-not-found`, `app-in-place` */
  async remove(id: string): Promise<void> {
    const { store, removal } = this.#options;
    demandRepository(
      store.get(id),
      'To delete it, remove it from config.json and its folder from the apps folder, and run "streamlit-host refresh"',
    );
    await removal.remove(id);
  }

  /** @returns what ends the subscription */
  subscribe(listener: AppListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @throws Refusal where a branch cannot be the one that deploys */
  #demandBranch(app: App, branch: string): void {
    demandBranchName(branch);
    demandRepository(app, 'Deploy it from its folder');
    const refuse = (code: 'branch-fixed' | 'branch-has-preview', sentence: string): Refusal =>
      new Refusal('conflict', code, sentence, { field: 'deploy_branch' });
    if (app.preview !== undefined)
      throw refuse(
        'branch-fixed',
        `${app.id} is the preview of ${printable(app.preview.branch)} and follows that branch.`,
      );
    const preview = this.#options.previews.find(app.id, branch);
    if (preview !== undefined)
      throw refuse('branch-has-preview', `${printable(branch)} has a preview, ${preview.id}. Delete that first.`);
  }

  #publish(id: string): void {
    const app = this.#options.store.find(id);
    const status = app === undefined ? undefined : this.#status(app);
    for (const listener of this.#listeners) listener(id, status);
  }

  #status(app: App): AppStatus {
    const { serving } = this.#options;
    const process = serving.process(app.id);
    const replicas = serving.replicas(app.id);
    return {
      app,
      state: appState(app, process?.state),
      process: process && processStatus(process),
      ...((replicas.length > 1 || replicasOf(app) > 1) && { replicas: replicas.map(replicaStatus) }),
    };
  }
}

function processStatus(process: Replica['process']): ProcessStatus {
  return {
    state: process.state,
    release: process.release,
    mark: process.mark,
    pid: process.pid,
    port: process.port,
    startedAt: process.startedAt.toISOString(),
    restarts: process.restarts,
    memoryLimit: process.spec.memoryLimit,
    cage: process.cage,
  };
}

function replicaStatus({ process, sessions, draining }: Replica): ReplicaStatus {
  return { ...processStatus(process), replica: process.replica, sessions, draining };
}
