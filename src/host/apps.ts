import type { App, AppState } from '../domain/app/app.js';
import type { ConfigDiff } from '../domain/config/diff.js';
import type { ConfigVars, VarsPatch } from '../domain/config/vars.js';
import type { MissingKey } from '../domain/project/hints.js';
import type { ProcessState } from '../domain/app/process.js';
import type { Release } from '../domain/app/release.js';
import type { Refusal } from '../errors.js';
import type { AppConfig } from '../store/app-config.js';
import type { Rotation } from '../store/vault.js';

/** The live release's process, as a person sees it. */
export interface ProcessStatus {
  state: ProcessState;
  release: number;
  pid: number | undefined;
  port: number;
  /** ISO date. */
  startedAt: string;
  /** Starts after a crash. */
  restarts: number;
  /** The most memory that it may use, in bytes; undefined where it has no limit. */
  memoryLimit: number | undefined;
}

/** An app with what runs of it now. */
export interface AppStatus {
  app: App;
  state: AppState;
  process: ProcessStatus | undefined;
}

/** The previews of an app. */
export interface AppPreviews {
  /** True where branches that are pushed get new ones. */
  on: boolean;
  list: AppStatus[];
}

/** A file of an upload, kept on disk until it is committed. */
export interface StagedFile {
  /** Its path in the app's repository, with "/". */
  path: string;
  /** Where its bytes are. */
  file: string;
  /** Not told = as it was. */
  executable?: boolean;
}

/** A change of an app's files, which becomes one commit. */
export interface FileChange {
  set: StagedFile[];
  remove: string[];
  /** True where `set` is the whole project, so that every other file goes. */
  replace: boolean;
}

/** A file of an app's repository. */
export interface RepositoryFile {
  path: string;
  /** bytes */
  size: number;
}

/** A line of a deploy's log. */
export type LineListener = (line: string) => void;

/** A deploy that was asked for. It goes on whether or not anybody follows it. */
export interface Deploy {
  app: string;
  release: number;
  /** Hears every line so far, then every new one. @returns what ends the subscription */
  follow(listener: LineListener): () => void;
  /** The release as the deploy left it: live, failed, superseded or cancelled. Never rejects. */
  done: Promise<Release>;
}

/** What people read of an app, and where they find it; what is not told stays as it is. */
export interface AppFacts {
  name?: string;
  description?: string;
  /** As `tagsSchema` has them. */
  tags?: string[];
  /** True = not in the gallery. */
  hidden?: boolean;
  /** True = other branches that are pushed get previews. */
  previews?: boolean;
}

/** A change of an app's config; what is not told stays as it is. */
export interface ConfigChange {
  /** All vars anew, or a change of some. */
  vars?: { replace: ConfigVars } | { patch: VarsPatch };
  /** secrets.toml; empty = none. */
  secretsToml?: string;
}

/** A change that was stored, and the deploy that puts it into effect, where there is one. */
export interface ConfigChanged {
  config: AppConfig;
  deploy: Deploy | undefined;
}

/** What a release changes against the live one. */
export interface ReleaseDiff {
  /** The live release; null where there is none, and so no difference. */
  live: number | null;
  /** As `git diff --stat --patch` tells it; empty where the code is the same. */
  code: string;
  /** The names of what is different in the config, or why that cannot be told. */
  config: ConfigDiff | Refusal;
}

/** Something happened to an app: `undefined` = it was removed. */
export type AppListener = (id: string, status: AppStatus | undefined) => void;

/** Everything that can be done with apps; what API, console and git call. */
export interface Apps {
  list(): AppStatus[];
  /** @throws Refusal `app-not-found` */
  get(id: string): AppStatus;
  /**
   * Makes an app that has nothing to run yet. Without an id, a free one is made from the name.
   * @throws Refusal `app-id-invalid`, `app-id-reserved`, `app-exists`, `app-name-taken`
   */
  create(input: { id?: string; name: string; description?: string }): Promise<AppStatus>;
  /**
   * Changes what people read of an app, and whether its branches get previews; restarts nothing.
   * @throws Refusal `app-not-found`, `app-name-taken`, `preview-of-preview`
   */
  describe(id: string, input: AppFacts): Promise<AppStatus>;
  /** The previews of an app's branches. @throws Refusal `app-not-found` */
  previews(id: string): AppPreviews;
  /** The branches that were pushed and have no preview, where the app has previews. @throws Refusal `app-not-found` */
  storedBranches(id: string): Promise<string[]>;
  /** Gives a branch that was pushed before its preview. @throws Refusal `previews-off`, `branch-not-found`, `branch-deploys`, those of a commit that cannot become a release */
  preview(id: string, branch: string, by: string): Promise<Deploy>;
  /**
   * Commits a change of files to the deploy branch and deploys it.
   * @throws Refusal where the files would not make an app: nothing is written then
   */
  commit(id: string, change: FileChange, by: string, message: string): Promise<Deploy>;
  /** Starts a stopped app; resolves when its start is under way. Fine when it runs. */
  start(id: string): Promise<AppStatus>;
  /** Stops an app, and keeps it stopped. Fine when it is. */
  stop(id: string): Promise<AppStatus>;
  /** Restarts the live release beside the old process, which serves until the new one does. */
  restart(id: string): Promise<AppStatus>;
  /** Deploys the deploy branch's newest commit again. */
  redeploy(id: string, by: string): Promise<Deploy>;
  /**
   * Brings a kept release back, with its environment as it was, as a new release.
   * @throws Refusal `release-not-found`, `release-never-live`
   */
  rollback(id: string, release: number, by: string): Promise<Deploy>;
  /** What a release changes against the live one: what a rollback to it would do. @throws Refusal `release-not-found` */
  diff(id: string, release: number): Promise<ReleaseDiff>;
  /** How many pages are open now, by release: the live one and those that drain. */
  openPages(id: string): ReadonlyMap<number, number>;
  /** Ends an older release that still has open pages, which move to the live one. @throws Refusal `release-not-found`, `release-is-live` */
  retire(id: string, release: number): Promise<Release>;
  /** Cancels a deploy that is not live yet; fine when it has ended. @throws Refusal `release-not-found` */
  cancel(id: string, release: number): Promise<Release>;
  /** Stops an app and removes all of it. */
  remove(id: string): Promise<void>;
  /** A deploy that is under way, to be followed. */
  deploying(id: string, release: number): Deploy | undefined;
  /** The files of the newest commit. */
  files(id: string): Promise<RepositoryFile[]>;
  /** One file of the newest commit. @throws Refusal `file-not-found`, `too-large` */
  readFile(id: string, path: string): Promise<Buffer>;
  /** The config vars and secrets that new releases get. @throws Refusal `app-not-found`, those of the vault */
  config(id: string): Promise<AppConfig>;
  /** The keys that the newest code asks for and that are not set. @throws Refusal `app-not-found`, those of the vault */
  missing(id: string): Promise<MissingKey[]>;
  /** Changes them; where the app is live, with a deploy of the live commit as it is. @throws Refusal where it cannot be */
  configure(id: string, change: ConfigChange, by: string): Promise<ConfigChanged>;
  /** Encrypts everything anew, with a new key. @throws Refusal those of the vault */
  rotateKey(): Promise<Rotation>;
  /** Hides an app's config vars and secrets in text. @throws Refusal where they cannot be read */
  mask(id: string): Promise<(text: string) => string>;
  subscribe(listener: AppListener): () => void;
}
