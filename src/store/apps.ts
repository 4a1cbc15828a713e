import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import writeFileAtomic from 'write-file-atomic';
import { APP_ID, appSchema, type App } from '../domain/app/app.js';
import { Turns } from '../lib/turns.js';
import { hasCode, messageOf, Refusal } from '../errors.js';
import type { Paths } from './paths.js';

/** A change to an app: returns the new record. It must not keep or alter the one it was given. */
export type Change = (app: App) => App;

/** Called with every change, after it is on disk; `undefined` = removed. */
export type StoreListener = (id: string, app: App | undefined) => void;

/**
 * The apps, in memory and in `meta.json`, which is the truth. Reads are from memory; a change is on disk before anyone
 * sees it, and the changes of one app happen one after the other.
 */
export class AppStore {
  readonly #paths: Paths;
  readonly #apps = new Map<string, App>();
  readonly #turns = new Turns();
  readonly #listeners = new Set<StoreListener>();
  readonly #leftAlone = new Set<string>();
  /** The apps whose records are gone from the disk, and which are to follow them. */
  readonly #going = new Set<string>();

  constructor(paths: Paths) {
    this.#paths = paths;
  }

  /**
   * Reads every app from disk.
   * @returns one sentence for each folder whose meta.json cannot be read; such an app is left alone
   */
  async load(): Promise<string[]> {
    const problems: string[] = [];
    await mkdir(this.#paths.apps, { recursive: true });
    for (const entry of await readdir(this.#paths.apps, { withFileTypes: true })) {
      if (!entry.isDirectory() || !APP_ID.test(entry.name)) continue;
      try {
        const parsed = appSchema.parse(JSON.parse(await readFile(this.#paths.meta(entry.name), 'utf8')));
        if (parsed.id !== entry.name) throw new Error(`it has the id "${parsed.id}"`);
        this.#apps.set(parsed.id, parsed);
      } catch (error) {
        // A folder without meta.json is the rest of a creation or removal that was interrupted.
        if (hasCode(error, 'ENOENT')) await rm(this.#paths.app(entry.name), { recursive: true, force: true });
        else {
          this.#leftAlone.add(entry.name);
          problems.push(`cannot read ${this.#paths.meta(entry.name)}, so the app is skipped: ${messageOf(error)}`);
        }
      }
    }
    return problems;
  }

  /** The apps whose records could not be read: what these need is not known, and what they have is not ours to remove. */
  get leftAlone(): ReadonlySet<string> {
    return this.#leftAlone;
  }

  /** @throws Refusal `app-exists`, `app-unreadable` where a new app cannot have this id */
  demandFree(id: string): void {
    if (this.#apps.has(id))
      throw new Refusal('conflict', 'app-exists', `An app "${id}" already exists.`, { field: 'name' });
    if (!this.#leftAlone.has(id)) return;
    const sentence = `Cannot read ${this.#paths.meta(id)}, the record of the app "${id}". Restore it from a backup and restart the server, or move the folder away.`;
    throw new Refusal('unavailable', 'app-unreadable', sentence, { field: 'name' });
  }

  /** All apps, by id. */
  list(): App[] {
    return [...this.#apps.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  find(id: string): App | undefined {
    return this.#apps.get(id);
  }

  /** @throws Refusal `app-not-found` */
  get(id: string): App {
    const app = this.#apps.get(id);
    if (app === undefined) throw new Refusal('not-found', 'app-not-found', `There is no app "${id}".`);
    return app;
  }

  /** @throws Refusal `app-exists`, `app-unreadable` */
  async create(app: App): Promise<App> {
    return this.#turns.take(app.id, async () => {
      this.demandFree(app.id);
      await mkdir(this.#paths.storage(app.id), { recursive: true });
      return this.#write(app);
    });
  }

  /**
   * Changes an app. The change is computed from the newest record, in its turn.
   * @throws Refusal `app-not-found`
   */
  async update(id: string, change: Change): Promise<App> {
    return this.#turns.take(id, async () => {
      const before = this.get(id);
      const after = change(before);
      if (after === before) return before;
      return this.#write({ ...after, updatedAt: new Date().toISOString() });
    });
  }

  /** Writes down whether an app is to run. An app that sleeps is awake from here on. @throws Refusal `app-not-found` */
  async want(id: string, wanted: App['wanted']): Promise<App> {
    return this.update(id, (app) => (app.wanted === wanted && !app.asleep ? app : { ...app, wanted, asleep: false }));
  }

  /**
   * Begins the removal of an app: its record goes first, and what is left of an interrupted removal is then swept up at the
   * next start. What still changes of it is not written down any more: it is removed to make room on a full disk, too.
   */
  async letGo(id: string): Promise<void> {
    await this.#turns.take(id, async () => {
      await rm(this.#paths.meta(id), { force: true });
      this.#going.add(id);
    });
  }

  /** Removes an app and everything of it; removing one that is gone is fine. */
  async remove(id: string): Promise<void> {
    await this.letGo(id);
    await this.#turns.take(id, async () => {
      await rm(this.#paths.app(id), { recursive: true, force: true, maxRetries: 3 });
      // Its id is taken until nothing of it is left, or a new app of that name could lose what it was just given.
      this.#apps.delete(id);
      this.#going.delete(id);
      this.#tell(id, undefined);
    });
  }

  /** @returns what ends the subscription */
  subscribe(listener: StoreListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #write(app: App): Promise<App> {
    if (!this.#going.has(app.id))
      await writeFileAtomic(this.#paths.meta(app.id), `${JSON.stringify(app, null, 2)}\n`, { mode: 0o600 });
    this.#apps.set(app.id, app);
    this.#tell(app.id, app);
    return app;
  }

  #tell(id: string, app: App | undefined): void {
    for (const listener of this.#listeners) listener(id, app);
  }
}
