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
 * What an app is deployed from, and all that follows from it: today a repository of ours, or a folder of this machine.
 * What is made of it, a release, is `ReleaseSource`'s.
 */
export interface AppSource {
  /** The files that people see. */
  files(app: App): Promise<ProjectFile[]>;
  /** One of them. @throws Refusal `file-not-found`, `file-too-large` */
  read(app: App, path: string): Promise<Buffer>;
  /** The commit that people see and edit; undefined where there is none. */
  newest(app: App): Promise<string | undefined>;
  /** Starts it for a person; resolves when its start is under way. @throws Refusal `nothing-deployed` */
  start(app: App, by: Principal): Promise<void>;
  /** Ends a start that is under way, since the app is being stopped. */
  callOffStart(app: App): Promise<void>;
  /** Restarts it beside the old process, and waits for it. @throws Refusal `nothing-deployed`, `not-restarted` */
  restart(app: App, by: Principal): Promise<void>;
  /** Deploys what is newest again. @throws Refusal `nothing-deployed` */
  redeploy(app: App, by: Principal): Promise<Deploy>;
}

/** Finds the source of an app, which may change while the app lives. */
export class AppSources {
  readonly #kinds: { readonly repository: AppSource; readonly folder: AppSource };

  constructor(kinds: { repository: AppSource; folder: AppSource }) {
    this.#kinds = kinds;
  }

  of(app: App): AppSource {
    return app.place === undefined ? this.#kinds.repository : this.#kinds.folder;
  }
}
