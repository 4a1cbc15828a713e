import type { App } from '../domain/app/app.js';
import type { Release } from '../domain/app/release.js';
import type { AppFile } from '../domain/project/app-file.js';
import type { AppConfig } from '../store/app-config.js';
import type { DeployLog } from './log.js';

/** A release that is ready to start. */
export interface Built {
  /** The facts for its record. */
  facts: Partial<Release>;
  /** Its own streamlit-host.toml. */
  settings: AppFile;
}

/** Where a release comes from: a commit of its repository, or a folder of this machine as it is. */
export interface ReleaseSource {
  /** Describes the release in the first line of its log. */
  title(release: Release): string;
  /**
   * Prepares everything that a start needs: the code, the main file and the environment.
   * @throws Refusal with the reason, in a few words for the pusher's terminal
   */
  build(app: App, release: Release, log: DeployLog, signal: AbortSignal): Promise<Built>;
  /** Returns a line for each key that the code reads and the config lacks. */
  hints(app: App, release: Release, config: AppConfig): Promise<string[]>;
  /** Returns what changes in the app's record when the release goes live. */
  applied(app: App, settings: AppFile): App;
}

/** Finds the source of a release, which never changes. */
export class ReleaseSources {
  readonly #kinds: { readonly repository: ReleaseSource; readonly folder: ReleaseSource };

  constructor(kinds: { repository: ReleaseSource; folder: ReleaseSource }) {
    this.#kinds = kinds;
  }

  of(release: Release): ReleaseSource {
    return release.folder === undefined ? this.#kinds.repository : this.#kinds.folder;
  }
}
