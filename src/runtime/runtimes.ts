import type { BeginSpec, Instance, InstanceRecord, Lease, Runtime, Usage } from './runtime.js';

export interface RuntimesOptions {
  /** Runs what has no confines (apps in place), and gives ports to it. */
  processes: Runtime;
  /** Runs what has confines. */
  confined: Runtime;
  /** What an earlier server may have used as well, to adopt and end what it left. */
  others?: readonly Runtime[];
}

/** Several runtimes as one: each instance is begun by the one that it is for, and known to the one that its record names. */
export class Runtimes implements Runtime {
  readonly kind: string;
  readonly #options: RuntimesOptions;
  readonly #all: readonly Runtime[];

  constructor(options: RuntimesOptions) {
    this.#options = options;
    this.kind = options.confined.kind;
    this.#all = [...new Set([options.processes, options.confined, ...(options.others ?? [])])];
  }

  lease(port?: number): Lease {
    return this.#options.processes.lease(port);
  }

  begin(spec: BeginSpec): Promise<Instance> {
    const { processes, confined } = this.#options;
    return (spec.confines === undefined ? processes : confined).begin(spec);
  }

  async provide(environment: string): Promise<string | undefined> {
    return this.#options.confined.provide?.(environment);
  }

  async forget(environment: string): Promise<void> {
    for (const one of this.#all) await one.forget?.(environment);
  }

  async adopt(record: InstanceRecord): Promise<Instance | undefined> {
    return this.#of(record)?.adopt(record);
  }

  async discard(record: InstanceRecord): Promise<void> {
    await this.#of(record)?.discard(record);
  }

  async isForeign(record: InstanceRecord): Promise<boolean> {
    return (await this.#of(record)?.isForeign(record)) ?? false;
  }

  async sweep(keep: ReadonlySet<string>, unknown?: ReadonlySet<string>): Promise<void> {
    for (const one of this.#all) await one.sweep(keep, unknown);
  }

  usage(countsFiles?: (mark: string) => boolean): ReadonlyMap<string, Usage> {
    return new Map(this.#all.flatMap((one) => [...one.usage(countsFiles)]));
  }

  #of({ runtime }: InstanceRecord): Runtime | undefined {
    return this.#all.find(({ kind }) => kind === runtime);
  }
}
