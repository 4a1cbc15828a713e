import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address, SocketAddress } from '../../lib/address.js';
import { becomeLog } from '../draft-log.js';
import { exitWithin } from '../exit-code.js';
import { ControlGroup, type GroupUse } from '../process/control-groups.js';
import {
  descendantOf,
  isInGroup,
  isRunning,
  listeningPorts,
  listensOn,
  startTimeOf,
  type ProcessIdentity,
} from '../process/proc.js';
import type { Exit, Instance, InstanceRecord, Limits, Order } from '../runtime.js';
import type { Attached } from './attached.js';
import { resourcesOf } from './container-spec.js';
import type { ContainerFacts, Engine } from './engine.js';

/** How long Docker may take to end what it has killed, in ms. */
const KILL_MS = 10_000;
/** How long it is left alone when it does not answer, in ms. */
const PAUSE_MS = 500;
/** How long it may take to learn that memory was used up, in ms. */
const MEMORY_MS = 250;
/** The descriptor of the socket that an instance is handed. */
const HANDED = 3;

export interface ContainerParts {
  engine: Engine;
  /** What Docker knew of it when it ran. */
  facts: ContainerFacts;
  record: InstanceRecord;
  environment?: Readonly<Record<string, string>>;
  address: SocketAddress | undefined;
  /** Where it is given its order; nothing where it has one. */
  attached?: Attached;
  /** The place of its log where that is to become the log that its order names. */
  draft?: string | undefined;
  limits: Limits;
}

/** One container of an app, from its start to its end. It outlives this server. */
export class Container implements Instance {
  readonly record: InstanceRecord;
  readonly environment: Readonly<Record<string, string>>;
  readonly address: SocketAddress | undefined;
  readonly ended: Promise<Exit>;
  readonly #engine: Engine;
  readonly #id: string;
  /** Its first process; undefined where the server cannot see it. */
  readonly #first: ProcessIdentity | undefined;
  readonly #group: ControlGroup | undefined;
  readonly #attached: Attached | undefined;
  readonly #draft: string | undefined;
  readonly #watch = new AbortController();
  #limits: Limits;
  #limited: Promise<unknown> = Promise.resolve();
  #over = false;

  constructor(parts: ContainerParts) {
    const { engine, facts, record, environment = {}, address, attached, draft, limits } = parts;
    this.record = record;
    this.environment = environment;
    this.address = address;
    this.#engine = engine;
    this.#id = facts.Id;
    this.#first = firstOf(facts);
    this.#group = this.#first && ControlGroup.of(this.#first.pid);
    this.#attached = attached;
    this.#draft = draft;
    this.#limits = limits;
    this.ended = this.#end();
  }

  get running(): boolean {
    return !this.#over && (this.#first === undefined || isRunning(this.#first));
  }

  /** What cannot be set now, such as less memory than it has, is watched instead. */
  limit(limits: Limits): void {
    const changed = (Object.keys(limits) as (keyof Limits)[]).some((name) => limits[name] !== this.#limits[name]);
    if (!changed) return;
    this.#limits = limits;
    this.#limited = this.#engine.update(this.#id, resourcesOf(limits)).catch(() => undefined);
  }

  /** What it uses; undefined where that cannot be seen. */
  use(): GroupUse | undefined {
    return this.#group?.use();
  }

  async tell({ argv, cwd, environment, log }: Order): Promise<void> {
    if (this.#draft !== undefined) await becomeLog(this.#draft, log);
    await this.#limited;
    const late = Object.entries(environment).filter(([name, value]) => this.environment[name] !== value);
    const listener = this.address === undefined ? {} : { listener: HANDED };
    this.#attached?.end(JSON.stringify({ argv, cwd, environment: Object.fromEntries(late), ...listener }));
  }

  async owns(address: Address): Promise<boolean> {
    if ('socket' in address) return address.socket === this.address?.socket;
    const pid = await this.#main();
    return pid !== undefined && (await listensOn(pid, address.port));
  }

  async listening(): Promise<number[]> {
    const pid = await this.#main();
    return pid === undefined ? [] : listeningPorts(pid);
  }

  leave(): void {
    this.#watch.abort();
    this.#attached?.unref();
  }

  async end(graceMs: number): Promise<void> {
    if (graceMs > 0 && this.running) {
      await this.#engine.kill(this.#id, 'SIGTERM');
      await this.#within(graceMs);
    }
    if (this.running) await this.#engine.kill(this.#id, 'SIGKILL');
    // How it ended is known for as long as there is a container.
    await this.#within(KILL_MS);
    await this.sweep();
    if (this.#draft !== undefined) await rm(this.#draft, { force: true });
  }

  /** Nothing outlives a container: only itself, and the socket's name, are left. */
  async sweep(): Promise<void> {
    await this.#engine.remove(this.#id);
    if (this.address !== undefined) await rm(this.address.socket, { force: true });
  }

  /** The process that the command is: the child of what Docker puts around it. */
  #main(): Promise<number | undefined> {
    return this.#first !== undefined && this.running ? descendantOf(this.#first.pid, 1) : Promise.resolve(undefined);
  }

  async #within(limitMs: number): Promise<void> {
    const done = new AbortController();
    // The container was faster.
    const late = sleep(limitMs, undefined, { signal: done.signal }).catch(() => undefined);
    await Promise.race([this.ended, late]);
    done.abort();
  }

  /** Docker may be restarted meanwhile, and leave containers running. */
  async #end(): Promise<Exit> {
    const { signal } = this.#watch;
    for (;;) {
      // Where it does not answer any more, whether the container runs is asked again.
      const code = await this.#engine.wait(this.#id, signal).catch(() => null);
      const exit = signal.aborted ? undefined : await this.#exit(code).catch(() => undefined);
      if (exit !== undefined) {
        this.#over = true;
        return exit;
      }
      // Of one that was let go of, nobody wants to know.
      if (signal.aborted) return new Promise(() => undefined);
      await sleep(PAUSE_MS, undefined, { ref: false });
    }
  }

  /** @param code what it is said to have ended with; null where nobody said so @returns undefined while it runs */
  async #exit(code: number | null): Promise<Exit | undefined> {
    let facts = await this.#engine.inspect(this.#id);
    if (facts?.State.Running === true) return undefined;
    const exit = exitWithin(facts?.State.ExitCode ?? code);
    if (exit.signal !== 'SIGKILL') return exit;
    if (facts?.State.OOMKilled === false) {
      await sleep(MEMORY_MS, undefined, { ref: false });
      facts = await this.#engine.inspect(this.#id);
    }
    return facts?.State.OOMKilled === true ? { ...exit, outOfMemory: true } : exit;
  }
}

/** The number is one of Docker's: where the server sees other processes than Docker does, it may be any process's. */
function firstOf({ Id: id, State: { Pid: pid } }: ContainerFacts): ProcessIdentity | undefined {
  const startTime = isInGroup(pid, id) ? startTimeOf(pid) : undefined;
  return startTime === undefined ? undefined : { pid, startTime };
}
