import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { Writable } from 'node:stream';
import { hasCode, messageOf, Refusal } from '../../errors.js';
import type { Address } from '../../lib/address.js';
import type { BeginSpec, Exit, Instance, InstanceRecord, Order } from '../runtime.js';
import { endGroup } from './group.js';
import { endMarked, MARK } from './marked.js';
import { isRunning, listeningPorts, listensOn, startTimeOf, type ProcessIdentity } from './proc.js';

/** What the records of processes of this machine are tagged with. */
export const PROCESS = 'process';

/** How often a process that is not our child is looked at, in ms. */
const WATCH_MS = 500;

/** What is started. */
export interface ChildSpec extends Omit<BeginSpec, 'log'> {
  /** What its mark begins with. */
  mark: string;
  /** What its stdout and stderr are: an open file, or nothing until its order names one. */
  output: number | 'ignore';
}

/**
 * One running process of an app, from its start to its end. It leads a process group of its own and carries a mark, so it
 * outlives this server, and whatever it starts is found. Once started it waits for its order; where the server ends before
 * it gives one, it ends as well.
 */
export class Child implements Instance {
  readonly identity: ProcessIdentity;
  readonly mark: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly ended: Promise<Exit>;
  readonly #stdin: Writable | undefined;
  #watched = true;

  private constructor(parts: {
    identity: ProcessIdentity;
    mark: string;
    environment?: ChildSpec['environment'];
    stdin?: Writable;
    ended?: Promise<Exit>;
  }) {
    this.identity = parts.identity;
    this.mark = parts.mark;
    this.environment = parts.environment ?? {};
    this.#stdin = parts.stdin;
    this.ended = parts.ended ?? this.#watch();
  }

  /** @throws Refusal `app-not-started` where the command cannot be run */
  static async start(spec: ChildSpec): Promise<Child> {
    const [command = '', ...args] = spec.command;
    const mark = `${spec.mark}/${spec.app}/${spec.release}/${randomUUID()}`;
    const child = spawn(command, args, {
      cwd: spec.cwd,
      env: { ...spec.environment, [MARK]: mark },
      detached: true,
      stdio: ['pipe', spec.output, spec.output],
    });
    const ended = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    const failure = await new Promise<unknown>((resolve) => {
      child.once('spawn', () => resolve(undefined));
      child.once('error', resolve);
    });
    if (failure !== undefined || child.pid === undefined || child.stdin === null) {
      const gone = `${command} does not exist. Run "streamlit-host rollback ${spec.app} ${spec.release}" to build it again.`;
      throw new Refusal(
        'unavailable',
        'app-not-started',
        hasCode(failure, 'ENOENT') ? gone : `Could not start ${command}: ${messageOf(failure)}.`,
      );
    }
    // It may end before it has heard its order: its end tells more than the broken pipe.
    child.stdin.on('error', () => undefined);
    child.unref();
    // A process that is gone already has no start time, and nothing is ever signalled without one.
    const identity = { pid: child.pid, startTime: startTimeOf(child.pid) ?? '0' };
    return new Child({ identity, mark, environment: spec.environment, stdin: child.stdin, ended });
  }

  /** Takes over what an earlier server started. @returns undefined where it does not run any more; nothing was touched then */
  static adopt(record: InstanceRecord): Child | undefined {
    const identity = identityOf(record);
    return identity !== undefined && isRunning(identity) ? new Child({ identity, mark: record.mark }) : undefined;
  }

  get record(): InstanceRecord {
    return { runtime: PROCESS, mark: this.mark, ...this.identity };
  }

  get running(): boolean {
    return isRunning(this.identity);
  }

  /** Sends only what it did not start with, so that nothing that changed since is undone. */
  tell(order: Order): Promise<void> {
    const late = Object.entries(order.environment).filter(([name, value]) => this.environment[name] !== value);
    this.#stdin?.end(JSON.stringify({ ...order, environment: Object.fromEntries(late) }));
    // Where it ends before it has read this, its end reports the failure.
    return Promise.resolve();
  }

  owns({ port }: Address): Promise<boolean> {
    return listensOn(this.identity.pid, port);
  }

  listening(): Promise<number[]> {
    return listeningPorts(this.identity.pid);
  }

  leave(): void {
    this.#watched = false;
  }

  /** Its group gets TERM, then KILL, and whatever carries its mark is ended with it. */
  async end(graceMs: number): Promise<void> {
    await endGroup(this.identity, graceMs);
    await this.sweep();
  }

  /** What left its group (a daemon that an app started), or outlived its crash, is found by its mark and ended. */
  async sweep(): Promise<void> {
    await endMarked(this.mark, new Set());
  }

  /** A process that an earlier server started is nobody's child here, so its end is seen by looking. */
  #watch(): Promise<Exit> {
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        if (this.#watched && this.running) return;
        clearInterval(timer);
        // Of one that was let go of, nobody wants to know.
        if (this.#watched) resolve({ code: null, signal: null });
      }, WATCH_MS);
      timer.unref();
    });
  }
}

/** The process that a record names; undefined where it names none of this machine. */
export function identityOf({ runtime, pid, startTime }: InstanceRecord): ProcessIdentity | undefined {
  return runtime !== PROCESS || pid === undefined || startTime === undefined ? undefined : { pid, startTime };
}
