import { ensureFolder } from '../lib/ensure-folder.js';
import { changeLayout, type Layout, type LayoutChange } from '../domain/project/layout.js';
import { readdir, readFile, rm } from 'node:fs/promises';
import { APP_ID, appSchema, type App } from '../domain/app/app.js';
import { replaceFile, sweepDrafts } from '../lib/replace-file.js';
import { Turns } from '../lib/turns.js';
import { hasCode, isUnwritable, messageOf, Refusal } from '../errors.js';
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
  /** The apps whose meta.json cannot be read, and which are as the copy has them. */
  readonly #fromLast = new Set<string>();
  /** The apps of which the disk has an older record, since it was full. */
  readonly #late = new Set<string>();
  /** The apps whose records are gone from the disk, and which are to follow them. */
  readonly #going = new Set<string>();
  #handedOver = false;

  constructor(paths: Paths) {
    this.#paths = paths;
  }

  /**
   * Reads every app from disk.
   * @returns one sentence for each folder whose meta.json cannot be read. The previous version takes its place;
   *   without that, the app is left alone
   */
  async load(): Promise<string[]> {
    const problems: string[] = [];
    await ensureFolder(this.#paths.apps);
    for (const entry of await readdir(this.#paths.apps, { withFileTypes: true })) {
      if (!entry.isDirectory() || !APP_ID.test(entry.name)) continue;
      try {
        this.#apps.set(entry.name, await readRecord(this.#paths.meta(entry.name), entry.name));
        await sweepDrafts(this.#paths.app(entry.name)).catch(() => undefined); // The next start does it.
      } catch (error) {
        const problem = await this.#instead(entry.name, error);
        if (problem !== undefined) problems.push(problem);
      }
    }
    return problems;
  }

  /** Takes what an app was before the change that cannot be read. @returns what to tell the operator */
  async #instead(id: string, error: unknown): Promise<string | undefined> {
    const path = this.#paths.meta(id);
    const last = await readRecord(this.#paths.lastMeta(id), id).catch(() => undefined);
    if (last !== undefined) {
      // A number that was given out meanwhile must not be given out again.
      const folders = await readdir(this.#paths.releases(id)).catch(() => []);
      const lastRelease = Math.max(last.lastRelease, ...folders.map(Number).filter(Number.isInteger));
      this.#apps.set(id, { ...last, lastRelease });
      this.#fromLast.add(id);
      return `cannot read ${path}, so the previous version of its record is used: ${messageOf(error)}`;
    }
    if (!hasCode(error, 'ENOENT')) {
      this.#leftAlone.add(id);
      return `cannot read ${path}, so the app is skipped: ${messageOf(error)}`;
    }
    // A folder without meta.json is the rest of a creation or removal that was interrupted.
    await rm(this.#paths.app(id), { recursive: true, force: true }).catch((failure: unknown) => {
      if (!isUnwritable(failure)) throw failure; // The next start does it.
    });
    return undefined;
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

  /** Where an app is in its repository, as far as a person has said so: a preview's own words go before its app's. */
  layout(id: string): Layout | undefined {
    const app = this.#apps.get(id);
    const layout = { ...this.#apps.get(app?.preview?.of ?? '')?.layout, ...app?.layout };
    return Object.keys(layout).length === 0 ? undefined : layout;
  }

  /** Changes where an app is in its repository; the next deploy looks there. @throws Refusal `app-not-found`, `layout-invalid` */
  async changeLayout(id: string, change: LayoutChange): Promise<App> {
    return this.update(id, ({ layout = {}, ...app }) => {
      const changed = changeLayout(layout, change);
      return Object.keys(changed).length === 0 ? app : { ...app, layout: changed };
    });
  }

  /** @throws Refusal `app-exists`, `app-unreadable` */
  async create(app: App): Promise<App> {
    return this.#turns.take(app.id, async () => {
      this.demandFree(app.id);
      await ensureFolder(this.#paths.storage(app.id));
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

  /**
   * Changes an app as `update` does, for what is true whether or not it can be written: on a full disk it counts from now
   * on, and is written by `writeLate` once there is room.
   * @throws Refusal `app-not-found`
   */
  async note(id: string, change: Change): Promise<App> {
    return this.#turns.take(id, async () => {
      const before = this.get(id);
      const after = change(before);
      if (after === before) return before;
      const app = { ...after, updatedAt: new Date().toISOString() };
      return this.#write(app).catch((error: unknown) => {
        if (!isUnwritable(error)) throw error;
        this.#late.add(id);
        return this.#keep(app);
      });
    });
  }

  /** Writes what could not be written when it happened. @throws Error if there is still no room */
  async writeLate(): Promise<void> {
    for (const id of this.#late) {
      await this.#turns.take(id, async () => {
        const app = this.#apps.get(id);
        if (app !== undefined && this.#late.has(id)) await this.#write(app);
      });
    }
  }

  /**
   * Writes down whether an app is to run. An app that sleeps is awake from here on. Stopping needs no room on the disk: the
   * app may be what fills it.
   * @throws Refusal `app-not-found`
   */
  async want(id: string, wanted: App['wanted']): Promise<App> {
    const change: Change = (app) => (app.wanted === wanted && !app.asleep ? app : { ...app, wanted, asleep: false });
    return wanted === 'stopped' ? this.note(id, change) : this.update(id, change);
  }

  /**
   * Begins the removal of an app: its record goes first, and what is left of an interrupted removal is then swept up at the
   * next start. What still changes of it is not written down any more: it is removed to make room on a full disk, too.
   */
  async letGo(id: string): Promise<void> {
    await this.#turns.take(id, async () => {
      this.#demandOurs();
      for (const path of [this.#paths.lastMeta(id), this.#paths.meta(id)]) await rm(path, { force: true });
      this.#going.add(id);
    });
  }

  /** The apps whose removal has begun and is not over: it is under way, or was interrupted. */
  get going(): ReadonlySet<string> {
    return this.#going;
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

  /** Changes nothing from now on: another server owns the records. Resolves once what was being written is on disk. */
  async handOver(): Promise<void> {
    this.#handedOver = true;
    await Promise.all([...this.#apps.keys()].map((id) => this.#turns.take(id, () => Promise.resolve())));
  }

  /** @throws Refusal `handed-over` */
  #demandOurs(): void {
    if (!this.#handedOver) return;
    throw new Refusal('unavailable', 'handed-over', 'The server was just reloaded. Try again.');
  }

  /** @returns what ends the subscription */
  subscribe(listener: StoreListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #write(app: App): Promise<App> {
    this.#demandOurs();
    if (!this.#going.has(app.id)) {
      await replaceFile(this.#paths.meta(app.id), `${JSON.stringify(app, null, 2)}\n`, {
        mode: 0o600,
        last: this.#fromLast.has(app.id) ? undefined : this.#paths.lastMeta(app.id),
      });
      this.#fromLast.delete(app.id);
    }
    this.#late.delete(app.id);
    return this.#keep(app);
  }

  #keep(app: App): App {
    this.#apps.set(app.id, app);
    this.#tell(app.id, app);
    return app;
  }

  #tell(id: string, app: App | undefined): void {
    for (const listener of this.#listeners) listener(id, app);
  }
}

/** @throws Error where the file is not there, or does not hold the record of this app */
async function readRecord(path: string, id: string): Promise<App> {
  const app = appSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  if (app.id !== id) throw new Error(`it has the id "${app.id}"`);
  return app;
}
