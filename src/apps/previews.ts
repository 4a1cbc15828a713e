import type { App } from '../domain/app/app.js';
import { isIdle, isPreviewId, newPreview, previewId, previewsOn, usedAt } from '../domain/app/preview.js';
import { Turns } from '../lib/turns.js';
import { Refusal } from '../errors.js';
import type { RouteTable } from '../gateway/routes.js';
import type { AppStore } from '../store/apps.js';
import type { NewApps } from './new-apps.js';
import type { Removal } from './removal.js';

/** A visit is written down at most this often, in ms. */
const NOTE_MS = 3_600_000;
/** How often previews are looked at, in ms, at the most. */
const LOOK_MS = 600_000;

/** When branches get previews, and when these go. */
export interface PreviewSettings {
  /** True where apps that say nothing themselves have them. */
  on: boolean;
  /** After this long (ms) without a push and without a visitor; 0 = never. */
  idleMs: number;
}

export interface PreviewsOptions {
  store: AppStore;
  routes: Pick<RouteTable, 'live'>;
  newApps: Pick<NewApps, 'make' | 'demandBranch'>;
  removal: Pick<Removal, 'remove'>;
  settings: PreviewSettings;
  logger: { info(facts: object, text: string): void; error(facts: object, text: string): void };
}

/**
 * The previews of all apps: made for a push, removed with their branch or when nobody uses them. A preview is an app like
 * any other; that it goes with its app is seen to where apps are removed.
 */
export class Previews {
  readonly #options: PreviewsOptions;
  /** By app, so that no preview is removed between the moment it is found for a push and that push. */
  readonly #turns = new Turns();
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: PreviewsOptions) {
    this.#options = options;
    const { idleMs } = options.settings;
    this.#timer = setInterval(
      () => void this.look(),
      idleMs > 0 ? Math.max(250, Math.min(LOOK_MS, idleMs / 4)) : LOOK_MS,
    );
    this.#timer.unref();
  }

  /** True where branches of this app that are pushed get previews. */
  isOn(app: App): boolean {
    return previewsOn(app, this.#options.settings.on);
  }

  /** The preview of a branch, where it has one. */
  find(app: string, branch: string): App | undefined {
    return this.#options.store.list().find(({ preview }) => preview?.of === app && preview.branch === branch);
  }

  /**
   * The preview that a push to a branch goes to, made where there is none.
   * @returns its id
   * @throws Refusal `app-not-found`, `branch-in-the-way`
   */
  async ensure(app: string, branch: string): Promise<string> {
    const { store, removal, newApps } = this.#options;
    return this.#turns.take(app, async () => {
      // It would go live, and then could not be moved.
      await newApps.demandBranch(app, branch);
      const known = this.find(app, branch);
      if (known !== undefined) return (await store.update(known.id, (current) => usedAt(current, Date.now()))).id;
      const id = previewId(app, branch, (other) => store.find(other) !== undefined);
      await newApps.make(newPreview(id, store.get(app), branch, new Date()));
      if (store.find(app) === undefined) {
        // Its app was removed meanwhile, and this one was not there yet to go with it.
        await removal.remove(id);
        throw new Refusal('not-found', 'app-not-found', `There is no app "${app}".`);
      }
      return id;
    });
  }

  /** Removes the preview of a branch that goes. @returns its id; undefined where there is none any more */
  async removeOf(app: string, branch: string): Promise<string | undefined> {
    return this.#turns.take(app, async () => {
      const preview = this.find(app, branch);
      if (preview !== undefined) await this.#options.removal.remove(preview.id);
      return preview?.id;
    });
  }

  /** @throws Refusal `preview-not-pushable`, `app-id-reserved` or `app-unreadable` where nobody can push to this id */
  demandPushable(id: string): void {
    const { store } = this.#options;
    const app = store.find(id);
    if (app === undefined) store.demandFree(id);
    if (app?.preview !== undefined) {
      const { of, branch } = app.preview;
      throw new Refusal('conflict', 'preview-not-pushable', `${id} is a preview. Push ${branch} to ${of} instead.`);
    }
    if (app === undefined && isPreviewId(id)) {
      const sentence = `The app id "${id}" is reserved: only previews have "--" in their ids. Push the branch to its app, or choose another id.`;
      throw new Refusal('invalid', 'app-id-reserved', sentence, { field: 'id' });
    }
  }

  /** Notes who was visited, and removes what nobody uses. Errors are logged: the next look tries again. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look());
    return this.#looking;
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { store, logger } = this.#options;
    for (const { id, preview } of store.list()) {
      if (preview === undefined) continue;
      try {
        await this.#note(id);
        await this.#turns.take(preview.of, () => this.#removeIdle(id));
      } catch (error) {
        logger.error({ app: id, err: error }, 'an unused preview could not be removed');
      }
    }
  }

  /** Writes down a visit, so that a restart of the server does not forget it. */
  async #note(id: string): Promise<void> {
    const { store, routes, settings } = this.#options;
    const visited = routes.live(id)?.visitedAt ?? 0;
    const every = settings.idleMs > 0 ? Math.min(NOTE_MS, settings.idleMs / 4) : NOTE_MS;
    const known = Date.parse(store.find(id)?.preview?.lastUsedAt ?? '');
    if (visited - known >= every) await store.update(id, (current) => usedAt(current, visited));
  }

  async #removeIdle(id: string): Promise<void> {
    const { store, routes, settings, removal, logger } = this.#options;
    const app = store.find(id);
    if (app === undefined || !isIdle(usedAt(app, routes.live(id)?.visitedAt ?? 0), settings.idleMs, Date.now())) return;
    await removal.remove(id);
    logger.info({ app: id }, 'removed an unused preview');
  }
}
