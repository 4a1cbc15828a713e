import { memoryOfGroups, usageOf } from './proc.js';

/** The kernel counts processor time in hundredths of a second (USER_HZ, https://man7.org/linux/man-pages/man7/time.7.html). */
const TICKS_PER_S = 100;
/** Two looks closer together than this (ms) would tell more of chance than of use. */
const MIN_GAP_MS = 500;
/** A process that nobody looked at for this long (ms) is forgotten. */
const FORGET_MS = 10 * 60_000;
/** For how long (ms) one look at the memory of all groups is told. */
const FRESH_MS = 1_000;

interface Look {
  at: number;
  ticks: number;
  cpu: number | undefined;
}

/** What processes use now: their processor share is measured between two looks. */
export class UsageMeter {
  readonly #looks = new Map<number, Look>();
  #memory = new Map<number, number>();
  #memoryAt = -Infinity;

  /**
   * Resident memory, in bytes, of the group that a process leads, at most a second old; undefined where there is none.
   * All groups are read at once: a list of many apps costs one look.
   */
  memoryOf(leader: number): number | undefined {
    if (performance.now() - this.#memoryAt > FRESH_MS) {
      this.#memory = memoryOfGroups();
      this.#memoryAt = performance.now();
    }
    return this.#memory.get(leader);
  }

  /** Resident memory in bytes, and the share of one core (1 = a whole one) once it was looked at twice; undefined for no process. */
  async of(pid: number): Promise<{ memory: number; cpu: number | undefined } | undefined> {
    const now = Date.now();
    for (const [known, look] of this.#looks) if (now - look.at > FORGET_MS) this.#looks.delete(known);
    const usage = await usageOf(pid);
    if (usage === undefined) {
      this.#looks.delete(pid);
      return undefined;
    }
    // As the API tells it, which the command line shows.
    const memory = this.memoryOf(pid) ?? usage.memory;
    const before = this.#looks.get(pid);
    if (before !== undefined && now - before.at < MIN_GAP_MS) return { memory, cpu: before.cpu };
    const cpu =
      before === undefined
        ? undefined
        : Math.max(0, (usage.ticks - before.ticks) / TICKS_PER_S / ((now - before.at) / 1000));
    this.#looks.set(pid, { at: now, ticks: usage.ticks, cpu });
    return { memory, cpu };
  }
}
