import type { Runtime, Usage } from './runtime.js';

/** For how long (ms) one look at all instances is good. */
const FRESH_MS = 1_000;
/** A look that is older than this (ms) tells nothing of the use now. */
const FORGET_MS = 10 * 60_000;

/** What an instance uses now. */
export interface Consumption {
  /** Resident, in bytes, with all that it has started. */
  memory: number;
  /** The share of one core, 1 = a whole one; undefined until it was looked at twice. */
  cpu: number | undefined;
}

interface Look {
  at: number;
  usage: ReadonlyMap<string, Usage>;
}

/**
 * What instances use now, by their marks. A list of many apps costs one look at the runtime, and the processor share is
 * measured between two looks.
 */
export class UsageMeter {
  readonly #runtime: Pick<Runtime, 'usage'>;
  #before: Look | undefined;
  #last: Look | undefined;

  constructor(runtime: Pick<Runtime, 'usage'>) {
    this.#runtime = runtime;
  }

  /** At most a second old; undefined for an instance that does not run. */
  of(mark: string): Consumption | undefined {
    const look = this.#look();
    const usage = look.usage.get(mark);
    if (usage === undefined) return undefined;
    return { memory: usage.memory, cpu: this.#share(mark, usage.cpuSeconds, look.at) };
  }

  #share(mark: string, cpuSeconds: number, at: number): number | undefined {
    const before = this.#before;
    const usage = before?.usage.get(mark);
    if (before === undefined || usage === undefined || at - before.at > FORGET_MS) return undefined;
    return Math.max(0, (cpuSeconds - usage.cpuSeconds) / ((at - before.at) / 1_000));
  }

  #look(): Look {
    const now = performance.now();
    if (this.#last !== undefined && now - this.#last.at <= FRESH_MS) return this.#last;
    this.#before = this.#last;
    this.#last = { at: now, usage: this.#runtime.usage() };
    return this.#last;
  }
}
