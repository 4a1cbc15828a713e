import { join } from 'node:path';
import type { Release } from '../domain/app/release.js';
import { LFS_FOLDER } from './lfs-objects.js';

/** Where everything is below the data folder; the only place that knows. */
export class Paths {
  readonly data: string;

  /** @param data the data folder, absolute */
  constructor(data: string) {
    this.data = data;
  }

  get apps(): string {
    return join(this.data, 'apps');
  }
  get environments(): string {
    return join(this.data, 'environments');
  }
  /** The exact packages of environments. */
  get locks(): string {
    return join(this.data, 'locks');
  }
  lock(key: string): string {
    return join(this.locks, `${key}.txt`);
  }
  /** What is known of the images of environments. */
  get images(): string {
    return join(this.data, 'images');
  }
  /** Work in progress; emptied at every start. */
  get tmp(): string {
    return join(this.data, 'tmp');
  }
  get run(): string {
    return join(this.data, 'run');
  }
  get redis(): string {
    return join(this.data, 'redis');
  }
  get tools(): string {
    return join(this.data, 'tools');
  }
  /** What was measured of the apps and the machine. */
  get metrics(): string {
    return join(this.data, 'metrics');
  }
  /** The exceptions that apps have printed. */
  get metricErrors(): string {
    return join(this.metrics, 'errors');
  }
  /** What is wrong, who was told, and where the machine's alerts are sent. */
  get alerts(): string {
    return join(this.data, 'alerts');
  }
  /** How far the logs of apps were sent to their drains. */
  get drainOffsets(): string {
    return join(this.data, 'drains.json');
  }
  /**
   * What package installers keep between builds, and environments in the making: in one folder, so that a build can link files
   * from one to the other in its cage.
   */
  get builds(): string {
    return join(this.data, 'builds');
  }
  /** Environments in the making; emptied at every start. */
  get drafts(): string {
    return join(this.builds, 'drafts');
  }
  /** What the gateway has prepared of files that it serves. */
  get cache(): string {
    return join(this.data, 'cache');
  }
  /** The unix socket on which git's hooks reach the server. */
  get hookSocket(): string {
    return join(this.run, 'hooks.sock');
  }
  /** The unix sockets on which apps answer. Short, since the path of a socket may have 107 bytes only. */
  get appSockets(): string {
    return join(this.run, 'app');
  }
  /** What the keys of instances on other machines follow from. */
  get swarmKey(): string {
    return join(this.run, 'swarm.key');
  }
  /** Which server works on this folder. */
  get server(): string {
    return join(this.run, 'server.json');
  }
  /** An empty repository, served before the first push to an app that does not exist yet. */
  get emptyRepository(): string {
    return join(this.run, 'empty.git');
  }
  /** Who did what. */
  get audit(): string {
    return join(this.data, 'audit');
  }
  /** The accounts of people, and their open invitations. */
  get users(): string {
    return join(this.data, 'users.json');
  }
  /** What they were before the last change. */
  get lastUsers(): string {
    return join(this.data, 'users.last-good.json');
  }
  /** The hashes of the tokens of people and apps. */
  get tokens(): string {
    return join(this.data, 'tokens.json');
  }
  /** What they were before the last change. */
  get lastTokens(): string {
    return join(this.data, 'tokens.last-good.json');
  }
  /** The console's sessions. */
  get sessions(): string {
    return join(this.data, 'sessions.json');
  }
  /** A repository that is ready to be pushed. */
  get example(): string {
    return join(this.data, 'examples', 'hello');
  }
  get adminToken(): string {
    return join(this.data, 'admin-token');
  }
  /** The key of whatever is encrypted. */
  get vaultKey(): string {
    return join(this.data, 'vault.key');
  }
  /** The secrets of the processes that run. */
  get secrets(): string {
    return join(this.run, 'secrets');
  }
  /** Those of an app's processes. */
  secretsOf(app: string): string {
    return join(this.secrets, app);
  }
  /** @param key tells a process from others of its release */
  secretsFile(app: string, release: number, key: string): string {
    return join(this.secretsOf(app), String(release), key, 'secrets.toml');
  }

  /** The last valid config.json of apps in place. */
  get lastConfig(): string {
    return join(this.data, 'config.last-good.json');
  }

  app(id: string): string {
    return join(this.apps, id);
  }
  meta(id: string): string {
    return join(this.app(id), 'meta.json');
  }
  /** The previous version of the record. */
  lastMeta(id: string): string {
    return join(this.app(id), 'meta.last-good.json');
  }
  repository(id: string): string {
    return join(this.app(id), 'repo.git');
  }
  /** What a release prints, with the lines of its starts and stops: each its own, so that two that run at once do not mix. */
  runLog(id: string, release: number): string {
    return join(this.release(id, release), 'run.log');
  }
  /** A link to the live release's run.log. */
  currentRunLog(id: string): string {
    return join(this.app(id), 'run.log');
  }
  /** What the app looked like after its last deploy, for the gallery. */
  picture(id: string): string {
    return join(this.app(id), 'picture.jpg');
  }
  /** What Git LFS stores for the app and its previews. */
  lfs(id: string): string {
    return join(this.app(id), LFS_FOLDER);
  }
  /** There while a push has made the app, and only Git LFS has stored something for it; its time is that of the last request. */
  unpushed(id: string): string {
    return join(this.app(id), 'unpushed');
  }
  /** The app's own persistent files. */
  storage(id: string): string {
    return join(this.app(id), 'storage');
  }
  releases(id: string): string {
    return join(this.app(id), 'releases');
  }
  release(id: string, number: number): string {
    return join(this.releases(id), String(number));
  }
  source(id: string, number: number): string {
    return join(this.release(id, number), 'source');
  }
  /** The folder in which a release runs. */
  sourceOf(id: string, release: Pick<Release, 'number' | 'folder' | 'root'>): string {
    return release.folder?.dir ?? join(this.source(id, release.number), release.root ?? '');
  }
  /** The environment of a release; undefined until it has one. */
  environmentOf({ folder, environment }: Pick<Release, 'folder' | 'environment'>): string | undefined {
    return folder?.venv ?? (environment === undefined ? undefined : this.environment(environment));
  }
  buildLog(id: string, number: number): string {
    return join(this.release(id, number), 'build.log');
  }
  environment(hash: string): string {
    return join(this.environments, hash);
  }
}
