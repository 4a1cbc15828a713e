import { access, constants, lstat, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureFolder } from '../lib/ensure-folder.js';
import { findRelease, type App } from '../domain/app/app.js';
import { hasCode, messageOf } from '../errors.js';
import { LogFile } from '../logs/log-file.js';
import type { AppStore } from './apps.js';
import { link } from './links.js';
import type { Paths } from './paths.js';

/** How often the size of our own logs is looked at, in ms. */
const ROTATE_MS = 5_000;

/** The names that are taken by our own logs. */
const OWN = ['controller', 'website'];

/**
 * The logs as people expect to find them: `controller.log` is the server's own, `website.log` has a line for each request,
 * and `<key>.log` leads to what an app prints; while nothing of it is live, to the log of its newest deploy.
 */
export class LogFolder {
  readonly path: string;
  readonly controller: LogFile;
  readonly website: LogFile;
  readonly #rotation: NodeJS.Timeout;
  readonly #targets = new Map<string, { name: string; target: string }>();
  #working: Promise<void> = Promise.resolve();

  private constructor(path: string) {
    this.path = path;
    this.controller = new LogFile(join(path, 'controller.log'));
    this.website = new LogFile(join(path, 'website.log'));
    this.#rotation = setInterval(() => {
      // Logs are for people: that they cannot be rotated (a full disk) must not end the server.
      for (const file of [this.controller, this.website]) file.rotateIfLarge().catch(() => undefined);
    }, ROTATE_MS);
    this.#rotation.unref();
  }

  /** The folder, made where it is missing; or one sentence on why it cannot be written. */
  static async open(path: string): Promise<LogFolder | string> {
    try {
      await ensureFolder(path);
      await access(path, constants.W_OK);
      return new LogFolder(path);
    } catch (error) {
      return `cannot write the folder ${path}, so it has no logs: ${messageOf(error)}`;
    }
  }

  /** Keeps the links to the apps' logs true from now on. @returns what ends that */
  follow(store: AppStore, paths: Paths, warn: (text: string) => void): () => void {
    const tell = (error: unknown): void => warn(`a link in ${this.path} could not be renewed: ${messageOf(error)}`);
    const renew = (id: string, app: App | undefined): void => {
      this.#working = this.#working.then(() => this.#renew(id, app, paths)).catch(tell);
    };
    for (const app of store.list()) renew(app.id, app);
    return store.subscribe(renew);
  }

  async close(): Promise<void> {
    clearInterval(this.#rotation);
    await this.#working;
  }

  async #renew(id: string, app: App | undefined, paths: Paths): Promise<void> {
    const before = this.#targets.get(id);
    const target = app === undefined ? undefined : targetOf(app, paths);
    const name = app === undefined || target === undefined ? undefined : join(this.path, `${nameOf(app)}.log`);
    if (before !== undefined && before.name !== name) {
      this.#targets.delete(id);
      await rm(before.name, { force: true });
    }
    if (name === undefined || target === undefined || (before?.name === name && before.target === target)) return;
    await makeRoom(name);
    await link(name, target);
    this.#targets.set(id, { name, target });
  }
}

function targetOf(app: App, paths: Paths): string | undefined {
  const release = findRelease(app, app.live) ?? app.releases.at(-1);
  if (release === undefined) return undefined;
  return release.number === app.live ? paths.runLog(app.id, release.number) : paths.buildLog(app.id, release.number);
}

/** The key, as people know the app by; the id where the key is not a valid file name or is taken. */
function nameOf({ id, place }: App): string {
  const name = place !== undefined && /^[\w][\w.-]{0,99}$/.test(place.key) ? place.key : id;
  return OWN.includes(name) ? `app-${name}` : name;
}

/** A log that another system has left under this name is kept. */
async function makeRoom(path: string): Promise<void> {
  try {
    if (!(await lstat(path)).isSymbolicLink()) await rename(path, `${path}.old`);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}
