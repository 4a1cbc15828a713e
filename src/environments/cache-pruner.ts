import { realpath } from 'node:fs/promises';
import { uvPrune } from '../domain/project/commands.js';
import { openCaches } from './caches.js';
import type { Variables } from './indexes.js';
import type { PythonFacts } from './pythons.js';
import { Workshop, type BuildCage } from './workshop.js';

/** How long after a build it begins, in ms: another build may follow, and would wait for it. */
const REST_MS = 60_000;
/** How long it may take, in ms: it waits for builds that run, and those that begin meanwhile wait for it. */
const LIMIT_MS = 5 * 60_000;

export interface CachePrunerOptions {
  /** What installers keep between builds. */
  cache: string;
  /** For work in progress. */
  tmp: string;
  uv: string | undefined;
  python: () => Promise<PythonFacts>;
  /** What builds are put into. */
  cage?: (() => Promise<BuildCage | undefined>) | undefined;
  /** PATH, HOME and the mark of builds. */
  env: Variables;
  /** How long after a build it begins, in ms; a minute unless told. */
  restMs?: number;
  logger: { warn(facts: object, text: string): void };
}

/**
 * Removes what uv keeps and never uses again: packages that `redeploy --fresh` has downloaded once more, and what builds that were
 * killed had begun to download (https://docs.astral.sh/uv/concepts/cache/#clearing-the-cache). An operator's own cache is left alone.
 */
export class CachePruner {
  readonly #options: CachePrunerOptions;
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(options: CachePrunerOptions) {
    this.#options = options;
  }

  /** Prunes soon: once for all builds that are asked for meanwhile. */
  soon(): void {
    const { uv, env, restMs = REST_MS } = this.#options;
    if (uv === undefined || env.UV_CACHE_DIR !== undefined || this.#closing.signal.aborted) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#working = this.#working.then(() => this.#prune(uv));
    }, restMs).unref();
  }

  /** Interrupts it: the next server begins again. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#timer);
    await this.#working;
  }

  async #prune(program: string): Promise<void> {
    const { cache, tmp, python, cage, env, logger } = this.#options;
    const { signal } = this.#closing;
    try {
      if (signal.aborted) return;
      const uv = await realpath(program);
      const prefix = 'cache-';
      const { executable } = await python();
      const workshop = await Workshop.open({ root: tmp, prefix, cage: await cage?.(), python: executable, env });
      try {
        await workshop.give();
        const { variables, folders } = await openCaches(cache, env, workshop);
        await workshop.run(
          {
            argv: uvPrune(uv),
            cwd: workshop.folder,
            env: { LC_ALL: 'C.UTF-8', UV_NO_CONFIG: '1', ...env, ...variables },
            timeoutMs: LIMIT_MS,
            // As a build, not below: one may wait for the cache's lock.
            rank: 'build',
            signal,
          },
          { readOnly: [uv], writable: [workshop.folder, ...folders] },
        );
      } finally {
        await workshop.close();
      }
    } catch (error) {
      // Nothing depends on it, and it is tried again after the next build.
      if (!signal.aborted) logger.warn({ err: error }, "uv's cache could not be pruned");
    }
  }
}
