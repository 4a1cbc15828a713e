import type { App } from '../domain/app/app.js';
import { isIdle, isPreviewId, newPreview, previewId, previewsOn, usedAt } from '../domain/app/preview.js';
import { Turns } from '../lib/turns.js';
import { Refusal } from '../errors.js';
import type { RouteTable } from '../gateway/routes.js';
import type { AppStore } from '../store/apps.js';
import type { NewApps } from './new-apps.js';
import type { Removal } from './removal.js';

/** The minimum time between two records of a visit, in ms. */
const NOTE_MS = 3_600_000;
/** The maximum time between two checks of the previews, in ms. */
const LOOK_MS = 600_000;

/** When branches get previews, and when previews are deleted. */
export interface PreviewSettings {
  /** The default for apps without a setting of their own. */
  on: boolean;
  /** The time (ms) without pushes and visitors after which a preview is deleted; 0 = never. */
  idleMs: number;
}

export interface PreviewsOptions {
  store: AppStore;
  routes: Pick<RouteTable, 'use'>;
  newApps: Pick<NewApps, 'make' | 'demandBranch'>;
  removal: Pick<Removal, 'remove'>;
  settings: PreviewSettings;
  logger: { info(facts: object, text: string): void; error(facts: object, text: string): void };
}

/**
 * Manages previews: creates them for pushes, and deletes them with their branch or when unused. A preview is an app
 * like any other; deleting an app deletes its previews too.
 */
export class Previews {
  readonly #options: PreviewsOptions;
  /** By app, so that no preview is deleted between being found for a push and that push. */
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

  /** Returns whether pushed branches of this app get previews. */
  isOn(app: App): boolean {
    return previewsOn(app, this.#options.settings.on);
  }

  /** Returns the preview of a branch, if it has one. */
  find(app: string, branch: string): App | undefined {
    return this.#options.store.list().find(({ preview }) => preview?.of === app && preview.branch === branch);
  }

  /**
   * Returns the preview for a push to a branch, and creates it if necessary.
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

  /** Deletes the preview of a deleted branch. @returns its id; undefined where there is none any more */
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

  /** Records visits, and deletes unused previews. Errors are logged, and the next check tries again. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look());
    return this.#looking;
  }

  /** Waits for work in progress. */
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

  /** Records a visit, so that a server restart does not forget it. */
  async #note(id: string): Promise<void> {
    const { store, routes, settings } = this.#options;
    const visited = routes.use(id)?.visitedAt ?? 0;
    const every = settings.idleMs > 0 ? Math.min(NOTE_MS, settings.idleMs / 4) : NOTE_MS;
    const known = Date.parse(store.find(id)?.preview?.lastUsedAt ?? '');
    if (visited - known >= every) await store.update(id, (current) => usedAt(current, visited));
  }

  async #removeIdle(id: string): Promise<void> {
    const { store, routes, settings, removal, logger } = this.#options;
    const app = store.find(id);
    if (app === undefined || !isIdle(usedAt(app, routes.use(id)?.visitedAt ?? 0), settings.idleMs, Date.now())) return;
    await removal.remove(id);
    logger.info({ app: id }, 'removed an unused preview');
  }
}
