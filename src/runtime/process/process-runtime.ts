import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { NO_CAGE } from '../../domain/app/process-cage.js';
import { removeOrLater } from '../../lib/remove-or-later.js';
import { LogFile } from '../../logs/log-file.js';
import type { BeginSpec, Instance, InstanceRecord, Lease, Runtime, Usage } from '../runtime.js';
import { AppPort } from './app-port.js';
import type { Cage } from './cage/cage.js';
import { Child, identityOf, PROCESS, type ChildSpec } from './child.js';
import { Listener, socketPath } from './listener.js';
import { endMarked } from './marked.js';
import type { ControlGroup, ControlGroups } from './control-groups.js';
import type { Ports } from './ports.js';
import { isRunning, livesIn, usageOf, usageOfGroups } from './proc.js';

export interface ProcessRuntimeOptions {
  /** What the marks of this data folder's own processes begin with. */
  mark: string;
  /** The data folder, without links in its path. */
  data: string;
  ports: Ports;
  /** For the output of what has no log yet; on the same file system as the logs. */
  tmp: string;
  /** For the sockets that instances are handed. */
  sockets: string;
  /** What instances with confines are put into; nothing where there is none. */
  cage?: Pick<Cage, 'wrap' | 'kind'> | undefined;
  /** Where the machine lets us make some: what holds instances to their limits. */
  groups?: ControlGroups | undefined;
}

/**
 * Runs apps as processes of this machine. Each leads a group of its own, answers on a socket that it is handed or a
 * port of the loopback interface, writes to its log by itself, and outlives this server.
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

  async begin({ log, confines, listener: wanted, ...spec }: BeginSpec): Promise<Instance> {
    const { tmp, cage, groups } = this.#options;
    const mark = `${this.#options.mark}/${spec.app}/${spec.release}/${randomUUID()}`;
    const draft = log === undefined ? join(tmp, `output-${randomUUID()}`) : undefined;
    const output = await (log ?? new LogFile(draft ?? '')).openForChild();
    let listener: Listener | undefined;
    let group: ControlGroup | undefined;
    try {
      if (wanted === true) listener = await Listener.open(this.#socketOf(mark));
      group = groups?.create(nameOf(mark));
      const caged: Pick<ChildSpec, 'cage' | 'wrap'> =
        confines === undefined || cage === undefined
          ? { cage: NO_CAGE }
          : {
              cage: { kind: cage.kind, ownUser: confines.uid !== undefined, network: confines.network !== false },
              wrap: (what) => cage.wrap({ ...confines, ...what }),
            };
      const child = await Child.start({ ...spec, mark, output: output.fd, draft, ...caged, listener, group });
      await listener?.handOver();
      return this.#own(child);
    } catch (error) {
      await listener?.discard();
      await group?.end();
      if (draft !== undefined) await removeOrLater(draft);
      throw error;
    } finally {
      await output.close();
    }
  }

  adopt(record: InstanceRecord): Promise<Instance | undefined> {
    const socket = this.#socketOf(record.mark);
    const child = Child.adopt(
      record,
      existsSync(socket) ? { socket } : undefined,
      this.#options.groups?.find(nameOf(record.mark)),
    );
    return Promise.resolve(child === undefined ? undefined : this.#own(child));
  }

  /** Nothing is known of it but its mark, which is its alone. */
  async discard({ runtime, mark }: InstanceRecord): Promise<void> {
    if (runtime !== this.kind) return;
    await endMarked(mark, new Set());
    await this.#options.groups?.find(nameOf(mark))?.end();
    await removeOrLater(this.#socketOf(mark));
  }

  async isForeign(record: InstanceRecord): Promise<boolean> {
    const { mark, data } = this.#options;
    const identity = identityOf(record);
    if (identity === undefined || record.mark.startsWith(`${mark}/`) || !isRunning(identity)) return false;
    return !(await livesIn(identity.pid, data));
  }

  async sweep(keep: ReadonlySet<string>, unknown: ReadonlySet<string> = new Set()): Promise<void> {
    const { mark, groups } = this.#options;
    const isUnknown = (one: string): boolean => {
      const [, app = '', release] = one.slice(mark.length).split('/');
      return release !== undefined && unknown.has(app);
    };
    await endMarked(mark, { has: (one) => keep.has(one) || isUnknown(one) });
    if (unknown.size === 0) await this.#sweepSockets(keep);
    groups?.sweep(new Set([...keep].map(nameOf)));
  }

  usage(countsFiles = (_mark: string): boolean => false): ReadonlyMap<string, Usage> {
    const usage = new Map<string, Usage>();
    if (this.#children.size === 0) return usage;
    const groups = usageOfGroups();
    for (const [mark, child] of this.#children) {
      const group = child.use() ?? groups.get(child.identity.pid);
      if (group !== undefined) usage.set(mark, usageOf(group, countsFiles(mark)));
    }
    return usage;
  }

  /** Those of processes that ended while there was no server. */
  async #sweepSockets(keep: ReadonlySet<string>): Promise<void> {
    const { sockets } = this.#options;
    const kept = new Set([...keep].map((mark) => this.#socketOf(mark)));
    const names = await readdir(sockets).catch(() => []); // There was none yet.
    for (const path of names.map((name) => join(sockets, name))) if (!kept.has(path)) await removeOrLater(path);
  }

  #socketOf(mark: string): string {
    return socketPath(this.#options.sockets, mark);
  }

  #own(child: Child): Child {
    this.#children.set(child.mark, child);
    void child.ended.then(() => this.#children.delete(child.mark));
    return child;
  }
}

/** What tells the group of an instance from others: the end of its mark. */
function nameOf(mark: string): string {
  return mark.slice(mark.lastIndexOf('/') + 1);
}
