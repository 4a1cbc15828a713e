import { setTimeout as sleep } from 'node:timers/promises';
import { refusalOf } from '../errors.js';

/** How long an answer is kept, in ms: anybody may ask, as often as they like. */
const KEEP_MS = 1_000;
/** How long one part may take to answer, in ms. */
const LIMIT_MS = 1_000;

/** Something that keeps deploys from being run. */
export interface Trouble {
  /** The part of the server, in one word. */
  part: string;
  /** What is wrong, in full sentences without names of hosts or files. */
  message: string;
}

/** Looks at one part. @returns what is wrong, in full sentences; undefined where nothing is */
export type Look = () => Promise<string | undefined> | string | undefined;

/**
 * What the server needs in order to deploy, and what of it is missing. Each part is added by who owns it, and is looked at
 * when somebody asks.
 */
export class Readiness {
  readonly #parts = new Map<string, Look>();
  #answer: Promise<Trouble[]> | undefined;
  #until = 0;
  readonly #logger: { error(facts: object, text: string): void };

  constructor(logger: { error(facts: object, text: string): void }) {
    this.#logger = logger;
  }

  /** Adds a part, after those that were added before. */
  watch(part: string, look: Look): void {
    this.#parts.set(part, look);
    this.#answer = undefined;
  }

  /** Returns what is wrong now, or was within the last second. Takes no longer than about a second, and never rejects. */
  async troubles(): Promise<readonly Trouble[]> {
    if (this.#answer === undefined || performance.now() > this.#until) {
      this.#answer = this.#look();
      this.#until = Infinity;
      const { length } = await this.#answer;
      // What has just gone wrong may be over at once: it is looked at again sooner.
      this.#until = performance.now() + (length === 0 ? KEEP_MS : KEEP_MS / 2);
    }
    return this.#answer;
  }

  /** Returns the first thing that is wrong, in full sentences. */
  async why(): Promise<string | undefined> {
    return (await this.troubles())[0]?.message;
  }

  async #look(): Promise<Trouble[]> {
    const found = await Promise.all(
      [...this.#parts].map(async ([part, look]) => {
        const message = await inTime(look).catch((error: unknown) => this.#unknown(part, error));
        return message === undefined ? [] : [{ part, message }];
      }),
    );
    return found.flat();
  }

  /** Anybody may read the answer, and an error may name hosts and files. */
  #unknown(part: string, error: unknown): string {
    const refusal = refusalOf(error);
    if (refusal === undefined) this.#logger.error({ part, err: error }, 'A readiness check failed.');
    return refusal?.message ?? 'The check failed; see the server log.';
  }
}

async function inTime(look: Look): Promise<string | undefined> {
  const done = new AbortController();
  const late = sleep(LIMIT_MS, 'It does not answer in time.', { signal: done.signal }).catch(
    () => undefined, // The part was faster.
  );
  try {
    return await Promise.race([Promise.resolve().then(look), late]);
  } finally {
    done.abort();
  }
}
