import { findRelease, type App } from '../domain/app/app.js';
import { processKey, type ProcessRecord } from '../domain/app/process.js';
import type { Release } from '../domain/app/release.js';
import type { AppProcess } from '../runtime/app-process.js';
import { endForSure } from '../runtime/end-for-sure.js';
import type { Runtime } from '../runtime/runtime.js';
import type { ProcessConfig } from '../app-config/process-config.js';
import type { Background } from '../lib/background.js';
import type { Paths } from '../store/paths.js';

/** How long the server waits at its start for an adopted process to answer, in ms. */
const ADOPT_MS = 2_000;

/** A process that was adopted, and the release that it runs. */
export interface Adopted {
  process: AppProcess;
  release: Release;
}

export interface AdoptionOptions {
  paths: Pick<Paths, 'environmentOf'>;
  runtime: Pick<Runtime, 'discard'>;
  /** Removes the secrets that a process was given. */
  config: Pick<ProcessConfig, 'clear'>;
  prepare: (app: string, release: Release) => Promise<AppProcess | undefined>;
  background: Pick<Background, 'own'>;
  /** True once the server ends, or another one takes over. */
  isClosed: () => boolean;
  logger: { warn(facts: object, text: string): void };
}

/** Takes over the processes that an earlier server left running, and cleans up after those that do not run any more. */
export class Adoption {
  readonly #options: AdoptionOptions;

  constructor(options: AdoptionOptions) {
    this.#options = options;
  }

  /** Returns those of an app that still run. Each has had a moment to answer. */
  async of(app: App): Promise<Adopted[]> {
    const adopted = await Promise.all(app.processes.map((record) => this.#adopt(app, record)));
    return adopted.filter((one) => one !== undefined);
  }

  async #adopt(app: App, record: ProcessRecord): Promise<Adopted | undefined> {
    const { paths, prepare, background, logger } = this.#options;
    try {
      const release = findRelease(app, record.release);
      const process =
        release === undefined || paths.environmentOf(release) === undefined
          ? undefined
          : await prepare(app.id, release);
      if (release === undefined || process === undefined || !(await process.adopt(record))) {
        await this.#sweep(app.id, record);
        return undefined;
      }
      await process.whenReady({ timeoutMs: ADOPT_MS }).catch(() => undefined);
      return { process, release };
    } catch (error) {
      logger.warn({ app: app.id, err: error }, 'an app process could not be adopted');
      // Nobody knows it any more.
      background.own(this.#sweepForSure(app.id, record), { app: app.id });
      return undefined;
    }
  }

  /** Cleans up after a process that has ended or no longer belongs to a release. */
  async #sweep(app: string, record: ProcessRecord): Promise<void> {
    const { runtime, config } = this.#options;
    if (record.mark.includes(`/${app}/${record.release}/`)) await runtime.discard(record);
    await config.clear({ app, release: record.release, key: processKey(record) });
  }

  /** What fails for now, such as where no more files can be opened, is tried again, until the next server does it. */
  #sweepForSure(app: string, record: ProcessRecord): Promise<void> {
    return endForSure({ end: () => this.#sweep(app, record) }, 0, this.#options.isClosed);
  }
}
