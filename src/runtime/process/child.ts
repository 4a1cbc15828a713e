import { existsSync } from 'node:fs';
import type { ChildProcess } from 'node:child_process';
import type { Duplex, Writable } from 'node:stream';
import type { ProcessCage } from '../../domain/app/process-cage.js';
import { hasCode, messageOf, Refusal } from '../../errors.js';
import type { Address, SocketAddress } from '../../lib/address.js';
import { lower } from '../../lib/priority.js';
import { removeOrLater } from '../../lib/remove-or-later.js';
import { becomeLog } from '../draft-log.js';
import { exitWithin } from '../exit-code.js';
import type { BeginSpec, Exit, Instance, InstanceRecord, Limits, Order } from '../runtime.js';
import { DESCRIPTOR, giveOrder } from './cage/order.js';
import type { Caged, CageSpec } from './cage/spec.js';
import type { ControlGroup, GroupUse } from './control-groups.js';
import { endGroup } from './group.js';
import { endMarked, MARK } from './marked.js';
import type { Listener } from './listener.js';
import { descendantOf, isRunning, listeningPorts, listensOn, startTimeOf, type ProcessIdentity } from './proc.js';
import { spawn } from '../../lib/spawn.js';

/** What the records of processes of this machine are tagged with. */
export const PROCESS = 'process';

/** The descriptor of the socket that a process is handed. In a cage, its last step puts it there. */
const HANDED = 3;

/** How often a process that is not our child is looked at, in ms. */
const WATCH_MS = 500;

/** What is started. */
export interface ChildSpec extends Omit<BeginSpec, 'log' | 'confines' | 'listener' | 'limits'> {
  /** Its mark. */
  mark: string;
  /** The socket that it is handed. */
  listener?: Listener | undefined;
  /** What its stdout and stderr are: an open file. */
  output: number;
  /** The place of that file where it is to become the log that its order names. */
  draft?: string | undefined;
  /** What it runs in. */
  cage: ProcessCage;
  /** Puts it there; nothing where there is no cage. */
  wrap?: ((what: Pick<CageSpec, 'command' | 'cwd' | 'environment' | 'listener'>) => Caged) | undefined;
  /** What it is put into with all that it starts, where the machine has that. */
  group?: ControlGroup | undefined;
}

/**
 * One running process of an app, from its start to its end. It leads a process group of its own and carries a mark, so it
 * outlives this server, and whatever it starts is found. Once started it waits for its order; where the server ends before
 * it gives one, it ends as well.
 */
export class Child implements Instance {
  readonly identity: ProcessIdentity;
  readonly mark: string;
  readonly cage: ProcessCage | undefined;
  readonly environment: Readonly<Record<string, string>>;
  readonly address: SocketAddress | undefined;
  readonly ended: Promise<Exit>;
  readonly #stdin: Writable | undefined;
  readonly #draft: string | undefined;
  readonly #group: ControlGroup | undefined;
  #watched = true;

  private constructor(parts: {
    identity: ProcessIdentity;
    mark: string;
    cage: ProcessCage | undefined;
    environment?: ChildSpec['environment'];
    address?: SocketAddress | undefined;
    stdin?: Writable;
    draft?: string | undefined;
    ended?: Promise<Exit>;
    group?: ControlGroup | undefined;
  }) {
    this.identity = parts.identity;
    this.mark = parts.mark;
    this.cage = parts.cage;
    this.environment = parts.environment ?? {};
    this.address = parts.address;
    this.#stdin = parts.stdin;
    this.#draft = parts.draft;
    this.#group = parts.group;
    this.ended = (parts.ended ?? this.#watch()).then((exit) =>
      (this.#group?.use()?.kills ?? 0) > 0 && (exit.signal === 'SIGKILL' || exit.code === null)
        ? { ...exit, outOfMemory: true }
        : exit,
    );
  }

  /** @throws Refusal `app-not-started` where the command cannot be run */
  static async start(spec: ChildSpec): Promise<Child> {
    const { mark, listener } = spec;
    const environment = { ...spec.environment, [MARK]: mark };
    const caged = spec.wrap?.({
      command: spec.command,
      cwd: spec.cwd,
      environment,
      listener: listener !== undefined,
    });
    const [program = ''] = spec.command;
    const [command = '', ...args] = caged?.command ?? spec.command;
    const gone = `${program} does not exist. Run "streamlit-host rollback ${spec.app} ${spec.release}" to build it again.`;
    if (caged !== undefined && !existsSync(program)) throw new Refusal('unavailable', 'app-not-started', gone);
    const child = spawn(command, args, {
      cwd: spec.cwd,
      // What surrounds a cage has the server's rights, and obeys no variable of an app's.
      env: caged === undefined ? environment : { [MARK]: mark },
      detached: true,
      stdio: [
        ...['pipe' as const, spec.output, spec.output],
        ...(caged === undefined ? [] : ['pipe' as const]),
        ...(listener === undefined ? [] : [listener.descriptor]),
      ],
    });
    lower(child.pid, 'app');
    const ended = new Promise<Exit>((resolve) =>
      child.once('exit', (code, signal) => resolve(caged?.around === 2 ? exitWithin(code, signal) : { code, signal })),
    );
    const failure = await new Promise<unknown>((resolve) => {
      child.once('spawn', () => resolve(undefined));
      child.once('error', resolve);
    });
    if (failure !== undefined || child.pid === undefined || child.stdin === null) {
      throw new Refusal(
        'unavailable',
        'app-not-started',
        hasCode(failure, 'ENOENT') ? gone : `Could not start ${command}: ${messageOf(failure)}.`,
      );
    }
    spec.group?.add(child.pid);
    // It may end before it has heard its order: its end tells more than the broken pipe.
    child.stdin.on('error', () => undefined);
    child.unref();
    let identity: ProcessIdentity;
    try {
      identity = await settle(child, child.pid, caged);
    } catch (error) {
      // What is not known cannot be looked after. What is within a cage survives this, and ends as no order can come any more.
      child.kill('SIGKILL');
      for (const stream of child.stdio) stream?.destroy();
      await spec.group?.end();
      if (error instanceof Refusal) throw error;
      throw new Refusal('unavailable', 'app-not-started', `Could not start ${command}: ${messageOf(error)}.`);
    }
    // What surrounds it may have started it before it was lowered itself.
    if (identity.pid !== child.pid) {
      lower(identity.pid, 'app');
      spec.group?.add(identity.pid);
    }
    const { draft, cage, environment: begun, group } = spec;
    const address = listener && { socket: listener.path };
    return new Child({ identity, mark, cage, environment: begun, address, stdin: child.stdin, draft, ended, group });
  }

  /** Takes over what an earlier server started. @param address where the socket is reached that it was handed @returns undefined where it does not run any more; nothing was touched then */
  static adopt(
    record: InstanceRecord,
    address: SocketAddress | undefined,
    group: ControlGroup | undefined,
  ): Child | undefined {
    const identity = identityOf(record);
    if (identity === undefined || !isRunning(identity)) return undefined;
    lower(identity.pid, 'app');
    return new Child({ identity, mark: record.mark, cage: record.cage, address, group });
  }

  get record(): InstanceRecord {
    return { runtime: PROCESS, mark: this.mark, ...this.identity, ...(this.cage && { cage: this.cage }) };
  }

  get running(): boolean {
    return isRunning(this.identity);
  }

  limit(limits: Limits): void {
    this.#group?.limit(limits);
  }

  /** What is in its group uses; undefined where it has none. */
  use(): GroupUse | undefined {
    return this.#group?.use();
  }

  /** Sends only what it did not start with, so that nothing that changed since is undone. */
  async tell({ argv, cwd, environment, log }: Order): Promise<void> {
    if (this.#draft !== undefined) await becomeLog(this.#draft, log);
    const late = Object.entries(environment).filter(([name, value]) => this.environment[name] !== value);
    // Where it ends before it has read this, its end reports the failure.
    const listener = this.address === undefined ? {} : { listener: HANDED };
    this.#stdin?.end(JSON.stringify({ argv, cwd, environment: Object.fromEntries(late), ...listener }));
  }

  /** Of a socket, nobody else has a descriptor. */
  owns(address: Address): Promise<boolean> {
    if ('socket' in address) return Promise.resolve(address.socket === this.address?.socket);
    return listensOn(this.identity.pid, address.port);
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
    if (this.#draft !== undefined) await removeOrLater(this.#draft);
  }

  /** What left its group (a daemon that an app started), or outlived its crash, is found by its mark and ended. */
  async sweep(): Promise<void> {
    // The group first: from then on, nothing in it can start anything.
    await this.#group?.end();
    await endMarked(this.mark, new Set());
    if (this.address !== undefined) await removeOrLater(this.address.socket);
  }

  /** What cannot be looked at now (no more files can be opened) is taken to run, and looked at again. */
  #mayRun(): boolean {
    try {
      return this.running;
    } catch {
      return true;
    }
  }

  /** A process that an earlier server started is nobody's child here, so its end is seen by looking. */
  #watch(): Promise<Exit> {
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        if (this.#watched && this.#mayRun()) return;
        clearInterval(timer);
        // Of one that was let go of, nobody wants to know.
        if (this.#watched) resolve({ code: null, signal: null });
      }, WATCH_MS);
      timer.unref();
    });
  }
}

/** Waits until a process is in its cage, where it has one. @returns which one it is @throws Refusal `app-not-started` */
async function settle(child: ChildProcess, pid: number, caged: Caged | undefined): Promise<ProcessIdentity> {
  if (caged === undefined) return identify(pid, 0);
  if (!(await giveOrder(child.stdio[DESCRIPTOR] as Duplex, caged.order)))
    throw new Refusal('unavailable', 'app-not-started', "The app's cage could not be set up. The app's log says why.");
  return identify(pid, caged.around);
}

/** What was started, within what surrounds it. A process that is gone already has no start time, and nothing is ever signalled without one. */
async function identify(child: number, around: number): Promise<ProcessIdentity> {
  const pid = (await descendantOf(child, around)) ?? child;
  return { pid, startTime: startTimeOf(pid) ?? '0' };
}

/** The process that a record names; undefined where it names none of this machine. */
export function identityOf({ runtime, pid, startTime }: InstanceRecord): ProcessIdentity | undefined {
  return runtime !== PROCESS || pid === undefined || startTime === undefined ? undefined : { pid, startTime };
}
