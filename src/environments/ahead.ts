import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isCancelled } from './failures.js';
import { hasCode, messageOf } from '../errors.js';
import type { Environments } from './environments.js';

/** What almost every first app lists. */
const FIRST = { file: 'requirements.txt', text: 'streamlit\n' };

/** How long (ms) it stays as it is at first: a push that has joined its build is starting an app, and needs the processor more. */
const REST_MS = 10_000;

export interface AheadOptions {
  /** Where environments are. */
  root: string;
  environments: Pick<Environments, 'ensure'>;
  /** Compiles it once it is there. */
  compiler: { add(hash: string): void };
  /** Throws where the disk has too little room left for what can wait. */
  demandRoom: () => Promise<void>;
  /** How long (ms) it is not compiled at first; 10 s unless told. */
  restMs?: number;
  logger: { info(facts: object, text: string): void; warn(facts: object, text: string): void };
}

/**
 * Builds an environment with Streamlit on a server that has none yet, so that the first push does not wait for the download: it
 * takes this one, joins its build, or finds the packages in the cache. Any other build ends it.
 */
export class Ahead {
  readonly #options: AheadOptions;
  readonly #closing = new AbortController();
  #working: Promise<void> | undefined;

  constructor(options: AheadOptions) {
    this.#options = options;
  }

  /** Starts in the background. Nothing depends on it. */
  begin(): void {
    this.#working ??= this.#work();
  }

  /** Resolves when it is there, or was given up. */
  async settled(): Promise<void> {
    await this.#working;
  }

  /** Gives it up. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#working;
  }

  async #work(): Promise<void> {
    const { root, environments, compiler, demandRoom, restMs = REST_MS, logger } = this.#options;
    const { signal } = this.#closing;
    try {
      if (signal.aborted || (await names(root)).length > 0) return;
      await demandRoom();
      const { hash, ms } = await environments.ensure({
        dependencies: FIRST,
        sourceDir: root,
        localKey: '',
        yields: true,
        signal,
        onLine: () => undefined,
      });
      logger.info({ environment: hash, ms: Math.round(ms) }, 'built an environment with Streamlit for the first app');
      await sleep(restMs, undefined, { signal, ref: false });
      compiler.add(hash);
    } catch (error) {
      // The next server goes on with what is still to be compiled.
      if (isCancelled(error) || signal.aborted) return;
      logger.warn(
        { error: messageOf(error) },
        'Could not install Streamlit ahead of the first push, which will try again.',
      );
    }
  }
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT')) throw error;
    return [];
  });
}
