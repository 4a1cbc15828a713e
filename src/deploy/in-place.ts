import { pendingRelease, type App } from '../domain/app.js';
import { transition, type Release } from '../domain/release.js';
import { hasCode, Refusal } from '../errors.js';
import type { AppStore } from '../store/apps.js';
import { digestOf } from '../store/folder.js';
import { NO_COMMIT } from '../store/repository.js';
import type { Deploy } from './apps.js';
import type { Deploys } from './deploys.js';
import type { Serving } from './serving.js';

export interface InPlaceOptions {
  store: AppStore;
  deploys: Pick<Deploys, 'request' | 'find' | 'abandon'>;
  serving: Pick<Serving, 'process' | 'stop'>;
}

/**
 * The apps that run where their files are. Each of their starts is a release of its own, made by the ordinary deploy, so
 * that it is checked, starts beside the old process, and leaves that one serving where it fails.
 */
export class InPlace {
  readonly #options: InPlaceOptions;

  constructor(options: InPlaceOptions) {
    this.#options = options;
  }

  /** Deploys the folder of an app as it is now. @param why in a few words */
  async deploy(id: string, by: string, why: string): Promise<Deploy> {
    const { store, deploys } = this.#options;
    const { place } = store.get(id);
    if (place === undefined) throw new Refusal('conflict', 'not-in-place', `${id} does not run in place: it is deployed from its repository.`);
    const commit = (await codeOf(id, store)) ?? NO_COMMIT;
    return deploys.request({ app: id, commit, branch: 'folder', by, source: 'folder', folder: { dir: place.dir, why } });
  }

  /**
   * Starts an app of which nothing runs. What was live is history: its folder may hold something else by now, so that only
   * the deploy can tell whether it runs. One that is under way already is answered with.
   */
  async start(id: string, by: string, why: string): Promise<Deploy> {
    const { store, deploys, serving } = this.#options;
    const app = store.get(id);
    const pending = pendingRelease(app);
    const underWay = pending === undefined ? undefined : deploys.find(id, pending.number);
    if (underWay !== undefined && app.wanted === 'running') return underWay;
    // What has crashed has a route and a place in the records still.
    if (serving.process(id) !== undefined) await serving.stop(id);
    await store.update(id, (current) => ({
      ...current,
      wanted: 'running',
      asleep: false,
      live: null,
      releases: current.releases.map((release) => (release.state === 'live' ? transition(release, 'retired') : release)),
    }));
    return this.deploy(id, by, why);
  }

  /** True where the code in the folder is another than a release was made of; false where it cannot be told. */
  async hasChanged(app: App, release: Release): Promise<boolean> {
    const now = await codeOf(app.id, this.#options.store);
    return now !== undefined && now !== release.commit;
  }
}

/** @throws Refusal `app-in-place` where an app's files are not ours to change */
export function demandRepository(app: App, what: string): void {
  if (app.place === undefined) return;
  throw new Refusal(
    'conflict',
    'app-in-place',
    `${app.id} runs in place, from ${app.place.dir}: ${what}, or make it an app with a repository of its own: streamlit-host adopt ${app.id}`,
  );
}

/** A digest of the code; undefined where the folder is not there, of which the deploy itself tells. */
async function codeOf(id: string, store: AppStore): Promise<string | undefined> {
  const { place } = store.get(id);
  if (place === undefined) return undefined;
  return digestOf(place.dir, place.main).catch((error: unknown) => {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].some((code) => hasCode(error, code))) return undefined;
    throw error;
  });
}
