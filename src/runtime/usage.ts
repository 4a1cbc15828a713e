import type { Runtime, Usage } from './runtime.js';

/** How long (ms) a reading of all instances is reused. */
const FRESH_MS = 1_000;
/** A reading older than this (ms) says nothing about the current use. */
const FORGET_MS = 10 * 60_000;

/** The current use of an instance. */
export interface Consumption {
  /** Resident memory with its children, in bytes. */
  memory: number;
  /** The share of one core, 1 = a whole one; undefined until it was read twice. */
  cpu: number | undefined;
}

interface Look {
  at: number;
  usage: ReadonlyMap<string, Usage>;
}

/**
 * Measures what instances use, by their marks. A list of many apps costs one reading of the runtime, and the processor share
 * is measured between two readings.
 */
export class UsageMeter {
  readonly #runtime: Pick<Runtime, 'usage'>;
  #before: Look | undefined;
  #last: Look | undefined;

  constructor(runtime: Pick<Runtime, 'usage'>) {
    this.#runtime = runtime;
  }

  /** Returns a value of at most a second ago; undefined for an instance that does not run. */
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
