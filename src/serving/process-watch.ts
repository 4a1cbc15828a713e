import type { Background } from '../lib/background.js';
import type { AppProcess } from '../runtime/app-process.js';
import type { Runtime } from '../runtime/runtime.js';
import { Floods } from './floods.js';

/** How often the logs and the memory of processes are checked, in ms: an app in a loop can fill a lot in a second. */
const LOOK_MS = 1_000;
/** How often live processes are asked whether they still answer, in ms. */
const CHECK_MS = 15_000;

/** What is watched of a process. */
export type WatchedProcess = Pick<AppProcess, 'mark' | 'holdToLimits' | 'checkHealth'> & {
  readonly spec: Pick<AppProcess['spec'], 'log' | 'memoryLimit' | 'taskLimit'>;
};

/** Keeps processes from filling the disk or the memory, and has those that hang ended. */
export class ProcessWatch {
  readonly #runtime: Pick<Runtime, 'usage'>;
  readonly #background: Background;
  readonly #processes = new Set<WatchedProcess>();
  readonly #floods: Floods;
  readonly #timers: readonly NodeJS.Timeout[];

  /** @param background owns what is done to processes */
  constructor(runtime: Pick<Runtime, 'usage'>, background: Background) {
    this.#runtime = runtime;
    this.#background = background;
    this.#floods = new Floods((work) => background.own(work));
    this.#timers = [
      setInterval(() => background.run(() => this.#look()), LOOK_MS).unref(),
      setInterval(() => background.run(() => this.#checkHealth()), CHECK_MS).unref(),
    ];
  }

  add(process: WatchedProcess): void {
    this.#processes.add(process);
  }

  delete(process: WatchedProcess): void {
    this.#processes.delete(process);
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#floods.close();
  }

  #look(): void {
    const limited = [...this.#processes].some(
      ({ spec }) => spec.memoryLimit !== undefined || spec.taskLimit !== undefined,
    );
    const usage = limited ? this.#runtime.usage() : undefined;
    for (const process of this.#processes) {
      this.#background.own(this.#floods.look(process.spec.log));
      const used = usage?.get(process.mark ?? '');
      if (used !== undefined) this.#background.own(process.holdToLimits(used));
    }
  }

  #checkHealth(): void {
    if (this.#processes.size === 0) return;
    const usage = this.#runtime.usage();
    for (const process of this.#processes)
      this.#background.own(process.checkHealth(usage.get(process.mark ?? '')?.cpuSeconds));
  }
}
