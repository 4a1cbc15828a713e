import type { Principal } from '../domain/access/principal.js';
import type { App } from '../domain/app/app.js';
import type { Deploy } from '../deploys/ongoing.js';

/** A file of an app's project. */
export interface ProjectFile {
  path: string;
  /** bytes */
  size: number;
}

/**
 * What an app is deployed from, with everything that depends on it: its repository, or a folder on this machine.
 * `ReleaseSource` makes releases of it.
 */
export interface AppSource {
  /** Lists the files that people see. */
  files(app: App): Promise<ProjectFile[]>;
  /** Reads one of them. @throws Refusal `file-not-found`, `file-too-large` */
  read(app: App, path: string): Promise<Buffer>;
  /** Returns the commit that people see and edit; undefined if there is none. */
  newest(app: App): Promise<string | undefined>;
  /** Starts the app for a person; resolves when the start is in progress. @throws Refusal `nothing-deployed` */
  start(app: App, by: Principal): Promise<void>;
  /** Cancels a start in progress, because the app is being stopped. */
  callOffStart(app: App): Promise<void>;
  /** Restarts the app next to its old process, and waits for it. @throws Refusal `nothing-deployed`, `not-restarted` */
  restart(app: App, by: Principal): Promise<void>;
  /** Deploys the newest version again. @param fresh whether to install all packages again @throws Refusal `nothing-deployed` */
  redeploy(app: App, by: Principal, fresh: boolean): Promise<Deploy>;
}

/** Finds the source of an app, which can change during the app's life. */
export class AppSources {
  readonly #kinds: { readonly repository: AppSource; readonly folder: AppSource };

  constructor(kinds: { repository: AppSource; folder: AppSource }) {
    this.#kinds = kinds;
  }

  of(app: App): AppSource {
    return app.place === undefined ? this.#kinds.repository : this.#kinds.folder;
  }
}
