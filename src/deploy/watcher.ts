import { existsSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { watch, type FSWatcher } from 'chokidar';
import type { App } from '../domain/app.js';
import { isCode, isForeignFolder } from '../domain/place.js';

/** How long nothing may change before what changed counts, in ms: an editor, or git, writes several files. */
const QUIET_MS = 400;

export interface WatcherOptions {
  /** Hears that the code of an app has changed. */
  changed: (app: string) => Promise<void>;
  logger: { warn(facts: object, text: string): void };
}

/** The folders of the apps in place that are to be deployed at each change of their code. */
export class Watcher {
  readonly #options: WatcherOptions;
  readonly #watched = new Map<string, { dir: string; watcher: FSWatcher }>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #working = new Set<Promise<void>>();
  #closed = false;

  constructor(options: WatcherOptions) {
    this.#options = options;
  }

  /** Watches the apps that want it, and no others. */
  follow(apps: readonly App[]): void {
    if (this.#closed) return;
    const wanted = new Map(apps.flatMap((app) => (app.place?.watch === true ? [[app.id, app.place.dir]] : [])));
    for (const [id, { dir }] of this.#watched) if (wanted.get(id) !== dir) this.#leave(id);
    for (const [id, dir] of wanted) if (!this.#watched.has(id)) this.#begin(id, dir);
  }

  /** Ends all watching, and waits for what it has begun. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const id of [...this.#watched.keys()]) this.#leave(id);
    while (this.#working.size > 0) await Promise.all(this.#working);
  }

  #begin(id: string, dir: string): void {
    const watcher = watch(dir, { ignoreInitial: true, followSymlinks: false, ignored: (path, facts) => isIgnored(dir, path, facts) });
    watcher.on('all', () => this.#seen(id));
    // What was changed while it was being looked over is told by nothing else.
    watcher.on('ready', () => this.#seen(id));
    watcher.on('error', (error) => this.#options.logger.warn({ app: id, err: error }, 'a folder can be watched in part only'));
    this.#watched.set(id, { dir, watcher });
  }

  #leave(id: string): void {
    const found = this.#watched.get(id);
    this.#watched.delete(id);
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    if (found !== undefined) this.#own(found.watcher.close());
  }

  #seen(id: string): void {
    clearTimeout(this.#timers.get(id));
    if (!this.#watched.has(id)) return;
    this.#timers.set(
      id,
      setTimeout(() => {
        this.#timers.delete(id);
        this.#own(this.#options.changed(id));
      }, QUIET_MS),
    );
  }

  #own(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => this.#options.logger.warn({ err: error }, 'a change of a watched folder could not be deployed'))
      .finally(() => this.#working.delete(tracked));
    this.#working.add(tracked);
  }
}

/** @param facts what is known of the path, where it is */
function isIgnored(dir: string, path: string, facts: { isFile(): boolean; isDirectory(): boolean } | undefined): boolean {
  const way = relative(dir, path).split(sep).join('/');
  if (way === '') return false;
  if (facts?.isFile() === true) return !isCode(way) || way.split('/').slice(0, -1).some(isForeignFolder);
  if (way.split('/').some(isForeignFolder)) return true;
  return facts?.isDirectory() === true && existsSync(join(path, 'pyvenv.cfg'));
}
