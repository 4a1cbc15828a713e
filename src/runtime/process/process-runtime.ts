import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { LogFile } from '../../logs/log-file.js';
import type { BeginSpec, Instance, InstanceRecord, Lease, Runtime, Usage } from '../runtime.js';
import { AppPort } from './app-port.js';
import type { Cage } from './cage/cage.js';
import { Child, identityOf, PROCESS, type ChildSpec } from './child.js';
import { endMarked } from './marked.js';
import type { Ports } from './ports.js';
import { isRunning, livesIn, usageOfGroups } from './proc.js';

export interface ProcessRuntimeOptions {
  /** What the marks of this data folder's own processes begin with. */
  mark: string;
  /** The data folder, without links in its path. */
  data: string;
  ports: Ports;
  /** For the output of what has no log yet; on the same file system as the logs. */
  tmp: string;
  /** What instances with confines are put into; nothing where there is none. */
  cage?: Pick<Cage, 'wrap'> | undefined;
}

/**
 * Runs apps as processes of this machine. Each leads a group of its own, answers on a port of the loopback interface,
 * writes to its log by itself, and outlives this server.
 */
export class ProcessRuntime implements Runtime {
  readonly kind = PROCESS;
  readonly #options: ProcessRuntimeOptions;
  /** What it has begun or adopted and what still runs, by the marks. */
  readonly #children = new Map<string, Child>();

  constructor(options: ProcessRuntimeOptions) {
    this.#options = options;
  }

  lease(port?: number): Lease {
    return new AppPort(this.#options.ports, port);
  }

  async begin({ log, confines, ...spec }: BeginSpec): Promise<Instance> {
    const { mark, tmp, cage } = this.#options;
    const draft = log === undefined ? join(tmp, `output-${randomUUID()}`) : undefined;
    const output = await (log ?? new LogFile(draft ?? '')).openForChild();
    try {
      const wrap: ChildSpec['cage'] =
        confines === undefined || cage === undefined ? undefined : (what) => cage.wrap({ ...confines, ...what });
      return this.#own(await Child.start({ ...spec, mark, output: output.fd, draft, cage: wrap }));
    } finally {
      await output.close();
    }
  }

  adopt(record: InstanceRecord): Promise<Instance | undefined> {
    const child = Child.adopt(record);
    return Promise.resolve(child === undefined ? undefined : this.#own(child));
  }

  /** Nothing is known of it but its mark, which is its alone. */
  async discard({ runtime, mark }: InstanceRecord): Promise<void> {
    if (runtime === this.kind) await endMarked(mark, new Set());
  }

  async isForeign(record: InstanceRecord): Promise<boolean> {
    const { mark, data } = this.#options;
    const identity = identityOf(record);
    if (identity === undefined || record.mark.startsWith(`${mark}/`) || !isRunning(identity)) return false;
    return !(await livesIn(identity.pid, data));
  }

  async sweep(keep: ReadonlySet<string>, unknown: ReadonlySet<string> = new Set()): Promise<void> {
    const { mark } = this.#options;
    const isUnknown = (one: string): boolean => {
      const [, app = '', release] = one.slice(mark.length).split('/');
      return release !== undefined && unknown.has(app);
    };
    await endMarked(mark, { has: (one) => keep.has(one) || isUnknown(one) });
  }

  usage(): ReadonlyMap<string, Usage> {
    const usage = new Map<string, Usage>();
    if (this.#children.size === 0) return usage;
    const groups = usageOfGroups();
    for (const [mark, { identity }] of this.#children) {
      const group = groups.get(identity.pid);
      if (group !== undefined) usage.set(mark, group);
    }
    return usage;
  }

  #own(child: Child): Child {
    this.#children.set(child.mark, child);
    void child.ended.then(() => this.#children.delete(child.mark));
    return child;
  }
}
