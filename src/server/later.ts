import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, isUnwritable, messageOf } from '../errors.js';

/** How often is tried again what could not be written, in ms. */
const RETRY_MS = 5_000;

interface Step {
  what: string;
  work: () => Promise<unknown>;
}

/**
 * The parts of a start that need room on the disk, and without which apps can be served: where there is none, the server
 * starts all the same, says what is missing, and does it as soon as it can.
 */
export class Later {
  readonly #logger: { warn(facts: object, text: string): void; info(text: string): void };
  readonly #canWrite: () => Promise<boolean>;
  readonly #steps: Step[] = [];
  #timer: NodeJS.Timeout | undefined;
  #trying: Promise<void> = Promise.resolve();

  /** @param canWrite whether the disk can be written: a program that was run may not say why it failed */
  constructor(
    logger: { warn(facts: object, text: string): void; info(text: string): void },
    canWrite: () => Promise<boolean>,
  ) {
    this.#logger = logger;
    this.#canWrite = canWrite;
  }

  /** What could not be done yet, each in a few words; empty where nothing is missing. */
  get missing(): string[] {
    return this.#steps.map(({ what }) => what);
  }

  /**
   * Does it now, or later where the disk is full or read-only. What comes after it may be tried before it.
   * @param what in a few words, such as "open the queue"
   * @throws Error where it fails for another reason
   */
  async attempt(what: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // Rights that are missing are a mistake, which waiting does not mend.
      const forbidden = hasCode(error, 'EACCES') || hasCode(error, 'EPERM');
      if (!isUnwritable(error) && (forbidden || (await this.#canWrite()))) throw error;
      this.#logger.warn({ error: messageOf(error) }, `The disk is full or read-only. Postponed: ${what}.`);
      this.#steps.push({ what, work });
      this.#timer ??= setInterval(() => {
        this.#trying = this.#trying.then(() => this.retry());
      }, RETRY_MS).unref();
    }
  }

  /** As `attempt`, for what keeps no server from running: what fails for another reason is logged. */
  async tidy(what: string, work: () => Promise<unknown>): Promise<void> {
    await this.attempt(what, work).catch((error: unknown) =>
      this.#logger.warn({ error: messageOf(error) }, `Could not ${what}. It is tried again at the next start.`),
    );
  }

  /** Tries again what is missing, in its order, until one cannot be done. */
  async retry(): Promise<void> {
    for (let [step] = this.#steps; step !== undefined; [step] = this.#steps) {
      try {
        await step.work();
      } catch {
        return; // It was told once, and is tried again.
      }
      this.#steps.shift();
    }
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#logger.info('The disk is writable again.');
  }

  /** Gives up what is missing: the next server begins it by itself. */
  async forget(): Promise<void> {
    this.#steps.length = 0;
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#trying;
  }

  async close(): Promise<void> {
    await this.forget();
  }
}

/** True where a folder is there and has room for a small file. */
export async function canWrite(folder: string): Promise<boolean> {
  const file = join(folder, `try-${randomUUID()}`);
  try {
    await writeFile(file, Buffer.alloc(16 * 1024));
    return true;
  } catch {
    return false;
  } finally {
    await rm(file, { force: true }).catch(() => undefined); // There is none on a disk that is read-only.
  }
}
