import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AppSource, ProjectFile } from '../apps/source.js';
import { MAX_SHOWN } from '../apps/repository-source.js';
import type { Deploys } from '../deploys/deploys.js';
import type { Deploy } from '../deploys/ongoing.js';
import type { Principal } from '../domain/access/principal.js';
import { pendingRelease, type App } from '../domain/app/app.js';
import { transition, type Release } from '../domain/app/release.js';
import { hasCode, Refusal } from '../errors.js';
import type { Serving } from '../serving/serving.js';
import type { AppStore } from '../store/apps.js';
import { digestOf, filesIn } from '../store/folder.js';
import { NO_COMMIT } from '../store/repository.js';

export interface FolderSourceOptions {
  store: AppStore;
  deploys: Pick<Deploys, 'request' | 'find' | 'abandon'>;
  serving: Pick<Serving, 'process' | 'stop'>;
  logger: { warn(facts: object, text: string): void };
}

/**
 * The apps that run where their files are. Each of their starts is a release of its own, made by the ordinary deploy, so
 * that it is checked, starts beside the old process, and leaves that one serving where it fails.
 */
export class FolderSource implements AppSource {
  readonly #options: FolderSourceOptions;

  constructor(options: FolderSourceOptions) {
    this.#options = options;
  }

  async files({ place }: App): Promise<ProjectFile[]> {
    if (place === undefined) return [];
    const files = await filesIn(place.dir).catch(() => []); // A folder that is gone has none.
    return files.map(({ path, size }) => ({ path, size }));
  }

  async read(app: App, path: string): Promise<Buffer> {
    const dir = app.place?.dir;
    const found = (await this.files(app)).find((file) => file.path === path);
    if (dir === undefined || found === undefined) {
      throw new Refusal('not-found', 'file-not-found', `${app.id} has no file "${path}".`, { field: 'path' });
    }
    if (found.size > MAX_SHOWN) {
      const sentence = `${path} is too large to show. Open it in ${dir}.`;
      throw new Refusal('too-large', 'file-too-large', sentence, { field: 'path' });
    }
    return readFile(join(dir, path));
  }

  /** None: the folder is not a repository of ours. */
  async newest(): Promise<undefined> {
    return undefined;
  }

  async start({ id, wanted }: App, by: Principal): Promise<void> {
    const state = this.#options.serving.process(id)?.state;
    if (wanted === 'stopped' || state === undefined || state === 'crashed') await this.bringUp(id, by, 'started');
  }

  async callOffStart({ id }: App): Promise<void> {
    // A start that is under way is a deploy, which would make it run after all.
    await this.#options.deploys.abandon(id);
  }

  async restart({ id }: App, by: Principal): Promise<void> {
    const runs = this.#options.serving.process(id)?.state === 'ready';
    const deploy = await (runs ? this.deploy(id, by, 'restarted') : this.bringUp(id, by, 'restarted'));
    const release = await deploy.done;
    if (release.state !== 'failed') return;
    const sentence = `${id} was not restarted: ${release.reason ?? 'its deploy failed'}.`;
    throw new Refusal('conflict', 'not-restarted', sentence);
  }

  async redeploy({ id }: App, by: Principal, fresh: boolean): Promise<Deploy> {
    return this.deploy(id, by, 'deployed again', fresh);
  }

  /** Deploys the folder of an app as it is now. @param why in a few words @throws Refusal `not-in-place` */
  async deploy(id: string, by: Principal, why: string, fresh = false): Promise<Deploy> {
    const { store, deploys, logger } = this.#options;
    const { place } = store.get(id);
    if (place === undefined) {
      const sentence = `${id} does not run in place. It is deployed from its repository.`;
      throw new Refusal('conflict', 'not-in-place', sentence);
    }
    const commit = (await codeOf(id, store)) ?? NO_COMMIT;
    const folder = { dir: place.dir, why };
    const deploy = await deploys.request({ app: id, commit, branch: 'folder', by, source: 'folder', folder, fresh });
    void deploy.done.then(({ number, state, reason }) => {
      // Nobody may wait for it: the server's log is where its owner looks.
      if (state === 'failed') {
        logger.warn({ app: id, release: number }, `an in-place app was not started: ${reason ?? ''}`);
      }
    });
    return deploy;
  }

  /**
   * Starts an app of which nothing runs. What was live is history: its folder may hold something else by now, so that only
   * the deploy can tell whether it runs. @returns the one that is under way already, where there is one
   */
  async bringUp(id: string, by: Principal, why: string): Promise<Deploy> {
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

  /** True where the code in the folder is another than a release was made of; false where it cannot be told. */
  async hasChanged(app: App, release: Release): Promise<boolean> {
    const now = await codeOf(app.id, this.#options.store);
    return now !== undefined && now !== release.commit;
  }
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
