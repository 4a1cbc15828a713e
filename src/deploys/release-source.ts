import type { App } from '../domain/app/app.js';
import type { Release } from '../domain/app/release.js';
import type { AppFile } from '../domain/project/app-file.js';
import type { AppConfig } from '../store/app-config.js';
import type { DeployLog } from './log.js';

/** What was found and made for a release, so that it can be started. */
export interface Built {
  /** What its record says of that. */
  facts: Partial<Release>;
  /** Its own streamlit-host.toml. */
  settings: AppFile;
}

/** What a release is made of: a commit of a repository of ours, or a folder of this machine as it is. */
export interface ReleaseSource {
  /** What the release is of, as its log begins. */
  title(release: Release): string;
  /**
   * Everything up to a release that can be started: its code, its main file and its environment.
   * @throws Refusal with the reason, in a few words for the pusher's terminal
   */
  build(app: App, release: Release, log: DeployLog, signal: AbortSignal): Promise<Built>;
  /** What its code asks for that the config does not have; one line each. */
  hints(app: App, release: Release, config: AppConfig): Promise<string[]>;
  /** The app's record once the release is live, as far as its source decides. */
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
