import type { Address } from '../lib/address.js';
import { ask } from '../lib/ask.js';
import { howItEnded } from './describe.js';
import { HangWatch } from './hang.js';
import type { ProcessSpec } from './process-spec.js';
import { StormWatch } from './storm.js';
import type { Exit, Instance, Usage } from './runtime.js';

/** How long a process that serves may take to answer its health check, in ms. */
const HEALTH_MS = 10_000;

export interface InstanceWatchOptions {
  instance: Pick<Instance, 'end'>;
  spec: Pick<ProcessSpec, 'memoryLimit' | 'taskLimit' | 'healthPath'>;
  /** Logs for people. */
  say: (text: string) => Promise<void>;
  /** True as long as it is the process's instance, and nobody wants it to end. */
  wanted: () => boolean;
}

/** Ends one running instance of an app where it exceeds its limits, forks in a loop or hangs, and knows afterwards why it ended. */
export class InstanceWatch {
  readonly #options: InstanceWatchOptions;
  readonly #hang = new HangWatch();
  readonly #storm = new StormWatch();
  /** Why it was ended; empty if it was not. */
  #excess = '';
  /** What its log says already of what the system kept it from. */
  #told = { kills: 0, refusals: 0 };
  #asking = false;

  constructor(options: InstanceWatchOptions) {
    this.#options = options;
  }

  /** Ends it at once if it exceeds its limits or forks in a loop, and logs what the system kept it from. */
  async holdToLimits({ memory: used, processes, kills = 0, refusals = 0 }: Usage): Promise<void> {
    const { instance, spec, say, wanted } = this.#options;
    const { memoryLimit, taskLimit } = spec;
    if (kills > this.#told.kills) await say('a process of the app was ended because the app used up its memory');
    if (refusals > this.#told.refusals)
      await say(`the app has reached its limit of ${taskLimit} processes and threads and could not start another`);
    this.#told = { kills, refusals: refusals > 0 ? Infinity : 0 };
    const storms = this.#storm.seen(refusals, performance.now());
    let excess = '';
    if (memoryLimit !== undefined && used > memoryLimit)
      excess = `the app used ${megabytes(used)} of memory; its limit is ${megabytes(memoryLimit)}`;
    // Only where the system does not hold it to that.
    else if (taskLimit !== undefined && processes > taskLimit)
      excess = `the app had ${processes} processes; its limit is ${taskLimit}`;
    else if (storms)
      excess = `the app kept trying to exceed its limit of ${taskLimit} processes and threads and was stopped`;
    if (excess === '' || !wanted()) return;
    this.#excess = excess;
    await instance.end(0);
  }

  /**
   * Asks whether it still serves, and ends it where it hangs.
   * @param address where it answers
   * @param cpuSeconds the processor time that it has had since its start
   */
  async checkHealth(address: Address, cpuSeconds: number | undefined): Promise<void> {
    const { instance, spec, wanted } = this.#options;
    if (!wanted() || this.#asking) return;
    this.#asking = true;
    const askedAt = performance.now();
    // Whatever it answers: it does not hang.
    const answered = await ask(address, spec.healthPath, HEALTH_MS).then(
      () => true,
      () => false,
    );
    this.#asking = false;
    if (answered || !wanted()) return this.#hang.reset();
    const hung = this.#hang.missed(askedAt, performance.now(), cpuSeconds);
    if (hung === undefined) return;
    this.#hang.reset();
    this.#excess = `the app did not respond for ${Math.round(hung / 1_000)} s and was stopped`;
    await instance.end(0);
  }

  /** Returns why it ended, in words. */
  reason(exit: Exit): string {
    if (this.#excess !== '') return this.#excess;
    const limit = this.#options.spec.memoryLimit;
    const of = exit.outOfMemory === true && limit !== undefined ? ` limit of ${megabytes(limit)}` : '';
    return `${howItEnded(exit)}${of}`;
  }
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1_000_000)} MB`;
}
