import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pendingRelease, type App } from '../domain/app/app.js';
import type { Place } from '../domain/in-place/place.js';
import { transition, type Release } from '../domain/app/release.js';
import { hasCode, Refusal } from '../errors.js';
import type { AppStore } from '../store/apps.js';
import { digestOf, filesIn } from '../store/folder.js';
import { NO_COMMIT } from '../store/repository.js';
import type { Deploy, RepositoryFile } from '../host/apps.js';
import type { Deploys } from '../deploys/deploys.js';
import type { Serving } from '../serving/serving.js';

/** Who starts and restarts, where no more is known of them. */
const OPERATOR = 'an operator';

export interface InPlaceOptions {
  store: AppStore;
  deploys: Pick<Deploys, 'request' | 'find' | 'abandon'>;
  serving: Pick<Serving, 'process' | 'stop'>;
  logger: { warn(facts: object, text: string): void };
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
    const { store, deploys, logger } = this.#options;
    const { place } = store.get(id);
    if (place === undefined)
      throw new Refusal('conflict', 'not-in-place', `${id} does not run in place: it is deployed from its repository.`);
    const commit = (await codeOf(id, store)) ?? NO_COMMIT;
    const deploy = await deploys.request({
      app: id,
      commit,
      branch: 'folder',
      by,
      source: 'folder',
      folder: { dir: place.dir, why },
    });
    void deploy.done.then(({ number, state, reason }) => {
      // Nobody may wait for it: the server's log is where its owner looks.
      if (state === 'failed')
        logger.warn({ app: id, release: number }, `an app in place was not started: ${reason ?? ''}`);
    });
    return deploy;
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
      releases: current.releases.map((release) =>
        release.state === 'live' ? transition(release, 'retired') : release,
      ),
    }));
    return this.deploy(id, by, why);
  }

  /** Starts an app for a person; fine where it runs, or is about to. */
  async wake(id: string): Promise<void> {
    const { wanted } = this.#options.store.get(id);
    const state = this.#options.serving.process(id)?.state;
    if (wanted === 'stopped' || state === undefined || state === 'crashed') await this.start(id, OPERATOR, 'started');
  }

  /** Starts an app anew for a person, and waits for it. @throws Refusal `not-restarted` with what is wrong; what ran goes on then */
  async restart(id: string): Promise<void> {
    const runs = this.#options.serving.process(id)?.state === 'ready';
    const deploy = await (runs ? this.deploy(id, OPERATOR, 'restarted') : this.start(id, OPERATOR, 'restarted'));
    const release = await deploy.done;
    if (release.state === 'failed')
      throw new Refusal(
        'conflict',
        'not-restarted',
        `${id} was not restarted: ${release.reason ?? 'its deploy failed'}.`,
      );
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

/** What of an app's own folder can be looked at. */
export async function filesInPlace({ dir }: Place): Promise<RepositoryFile[]> {
  const files = await filesIn(dir).catch(() => []); // A folder that is gone has none.
  return files.map(({ path, size }) => ({ path, size }));
}

/** One of these files, up to so many bytes. @throws Refusal `file-not-found`, `file-too-large` */
export async function readInPlace(id: string, place: Place, path: string, most: number): Promise<Buffer> {
  const found = (await filesInPlace(place)).find((file) => file.path === path);
  if (found === undefined)
    throw new Refusal('not-found', 'file-not-found', `${id} has no file "${path}".`, { field: 'path' });
  if (found.size > most)
    throw new Refusal('too-large', 'file-too-large', `${path} is too large to be shown: look at it in ${place.dir}.`, {
      field: 'path',
    });
  return readFile(join(place.dir, path));
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
