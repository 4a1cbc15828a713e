import { existsSync, realpathSync, statSync, type BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { watch, type FSWatcher } from 'chokidar';
import type { App } from '../domain/app/app.js';
import { Background } from '../lib/background.js';
import { isCode, isForeignFolder } from '../domain/in-place/place.js';

/** How long nothing may change before what changed counts, in ms: an editor, or git, writes several files. */
const QUIET_MS = 400;
/** How often it is looked whether a folder is still the one that is watched, in ms. */
const LOOK_MS = 1_000;
/** The identity of a folder that cannot be found. */
const NOT_THERE = '';

/** Called when the code of an app has changed; its errors are logged. */
export type ChangeListener = (app: string) => Promise<void>;

export interface WatcherOptions {
  logger: { warn(facts: object, text: string): void };
}

/** The folders of the apps in place that are to be deployed at each change of their code. */
export class Watcher {
  readonly #options: WatcherOptions;
  readonly #watched = new Map<string, { dir: string; identity: string; watcher: FSWatcher }>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #listeners = new Set<ChangeListener>();
  readonly #work: Background;
  readonly #looks: NodeJS.Timeout;
  #looking = false;
  #closed = false;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#work = new Background((error) =>
      options.logger.warn({ err: error }, 'a change in a watched folder could not be deployed'),
    );
    this.#looks = setInterval(() => this.#work.own(this.#look()), LOOK_MS);
    this.#looks.unref();
  }

  /** Watches the apps that want it, and no others. */
  follow(apps: readonly App[]): void {
    if (this.#closed) return;
    const wanted = new Map(apps.flatMap((app) => (app.place?.watch === true ? [[app.id, app.place.dir]] : [])));
    for (const [id, { dir }] of this.#watched) if (wanted.get(id) !== dir) this.#leave(id);
    for (const [id, dir] of wanted) if (!this.#watched.has(id)) this.#begin(id, dir);
  }

  /** @returns what ends the subscription */
  subscribe(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends all watching, and waits for what it has begun. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#looks);
    for (const id of [...this.#watched.keys()]) this.#leave(id);
    await this.#work.settled();
  }

  #begin(id: string, dir: string): void {
    const { root, identity } = folderAt(dir);
    const watcher = watch(root, {
      ignoreInitial: true,
      followSymlinks: false,
      ignored: (path, facts) => isIgnored(root, path, facts),
    });
    watcher.on('all', () => this.#seen(id));
    // What was changed while it was being looked over is told by nothing else.
    watcher.on('ready', () => this.#seen(id));
    watcher.on('error', (error) =>
      this.#options.logger.warn({ app: id, err: error }, 'only part of a folder can be watched'),
    );
    this.#watched.set(id, { dir, identity, watcher });
  }

  /** Starts again where a folder was put in another's place: the system goes on telling of the one that was there. */
  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      for (const [id, { dir, identity, watcher }] of [...this.#watched]) {
        const now = await stat(dir, { bigint: true }).then(identityOf, () => NOT_THERE);
        if (now === identity || this.#watched.get(id)?.watcher !== watcher) continue;
        this.#leave(id);
        this.#begin(id, dir);
      }
    } finally {
      this.#looking = false;
    }
  }

  #leave(id: string): void {
    const found = this.#watched.get(id);
    this.#watched.delete(id);
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    if (found !== undefined) this.#work.own(found.watcher.close());
  }

  #seen(id: string): void {
    clearTimeout(this.#timers.get(id));
    if (!this.#watched.has(id)) return;
    this.#timers.set(
      id,
      setTimeout(() => {
        this.#timers.delete(id);
        for (const listener of this.#listeners) this.#work.own(listener(id));
      }, QUIET_MS),
    );
  }
}

/** A folder by its own path, since a link to it would be watched for itself alone. */
function folderAt(dir: string): { root: string; identity: string } {
  try {
    return { root: realpathSync(dir), identity: identityOf(statSync(dir, { bigint: true })) };
  } catch {
    return { root: dir, identity: NOT_THERE }; // The next look tries again.
  }
}

/** What tells a folder from others that stood in its place, also from one to which the disk has given its number again. */
function identityOf({ dev, ino, birthtimeNs }: BigIntStats): string {
  return `${dev} ${ino} ${birthtimeNs}`;
}

/** @param facts what is known of the path, where it is */
function isIgnored(
  dir: string,
  path: string,
  facts: { isFile(): boolean; isDirectory(): boolean } | undefined,
): boolean {
  const way = relative(dir, path).split(sep).join('/');
  if (way === '') return false;
  if (facts?.isFile() === true) return !isCode(way) || way.split('/').slice(0, -1).some(isForeignFolder);
  if (way.split('/').some(isForeignFolder)) return true;
  return facts?.isDirectory() === true && existsSync(join(path, 'pyvenv.cfg'));
}
