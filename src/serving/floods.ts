import type { LogFile } from '../logs/log-file.js';

/** How often a log is looked at that had to be rotated, in ms: at the rate of a disk, it grows by some MB meanwhile. */
const FLOOD_MS = 50;
/** How much of its end is kept then, in bytes: more would only be copied again and again. */
const KEPT = 1024 * 1024;
/** How long it counts as flooded after that, in ms. */
const CALM_MS = 10_000;

/** Looks more often at logs that grow fast, so that none of them fills the disk between two looks. */
export class Floods {
  readonly #own: (work: Promise<unknown>) => void;
  readonly #until = new Map<LogFile, number>();
  #timer: NodeJS.Timeout | undefined;
  #looking = false;

  /** @param own takes over work for which nobody waits */
  constructor(own: (work: Promise<unknown>) => void) {
    this.#own = own;
  }

  /** Rotates a log where it is too large, and looks at it often from then on. To be called every second. */
  async look(log: LogFile): Promise<void> {
    if (this.#until.has(log) || !(await log.rotateIfLarge())) return;
    await log.append('The log grows fast. Of what the app prints, only a part is kept.').catch(() => undefined); // A full disk.
    this.#until.set(log, performance.now() + CALM_MS);
    this.#timer ??= setInterval(() => this.#own(this.#look()), FLOOD_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      for (const [log, until] of this.#until) {
        if (await log.rotateIfLarge({ most: KEPT })) this.#until.set(log, performance.now() + CALM_MS);
        else if (performance.now() > until) this.#until.delete(log);
      }
      if (this.#until.size === 0) this.close();
    } finally {
      this.#looking = false;
    }
  }
}
