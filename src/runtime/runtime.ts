import type { ProcessRecord } from '../domain/app/process.js';
import type { Address, HostAddress } from '../lib/address.js';
import type { LogFile } from '../logs/log-file.js';
import type { Confines } from './process/cage/spec.js';

/**
 * What runs apps: the processes of this machine, or containers. The rest of the server knows an instance of an app by its
 * mark and by where it answers, and leaves to the runtime how it is started, found again and ended.
 */
export interface Runtime {
  /** What its records are tagged with. A record with another tag is nothing that it could adopt or end. */
  readonly kind: string;
  /**
   * A port for the instances of one process, one after the other, from its first start to its end.
   * @param port the one that it gets where that is free
   */
  lease(port?: number): Lease;
  /**
   * Begins an interpreter, which waits for its order. It carries a mark of its own, so it is found again even where the
   * server ends before it has written that down.
   * @throws Refusal `app-not-started` where the command cannot be run
   */
  begin(spec: BeginSpec): Promise<Instance>;
  /**
   * Makes an environment known where it will be used, so that no start waits for that; nothing to do on this machine.
   * @param environment its folder; to be called again when its bytecode has been added
   * @returns a sentence on what was done; nothing where there was nothing to do
   * @throws Refusal `registry-unavailable`, `app-not-started`
   */
  provide?(environment: string): Promise<string | undefined>;
  /** Forgets an environment that was deleted. */
  forget?(environment: string): Promise<void>;
  /** Takes over what an earlier server began. @returns undefined where that does not run any more; nothing was touched then */
  adopt(record: InstanceRecord): Promise<Instance | undefined>;
  /** Ends what is left of an instance that is not to be adopted. */
  discard(record: InstanceRecord): Promise<void>;
  /** True where a record names what runs for another server: the data folder is a copy of that server's. */
  isForeign(record: InstanceRecord): Promise<boolean>;
  /**
   * Ends all that is ours and in no record.
   * @param keep the marks of what is in one
   * @param unknown the apps whose records cannot be read: what runs for them may well be wanted
   */
  sweep(keep: ReadonlySet<string>, unknown?: ReadonlySet<string>): Promise<void>;
  /**
   * What its instances use now, by their marks. One look for all of them, which takes some ms: not to be asked for each.
   * @param countsFiles of which of them the open files are counted too, by their marks; of none unless given
   */
  usage(countsFiles?: (mark: string) => boolean): ReadonlyMap<string, Usage>;
}

/** What is begun. */
export interface BeginSpec {
  app: string;
  release: number;
  /** argv */
  command: readonly string[];
  cwd: string;
  /** Its whole environment, except its mark. */
  environment: Readonly<Record<string, string>>;
  /** Where its output goes; to the log that its order names, where it is not told. */
  log?: LogFile;
  /** All that it may reach; where it is not told, whatever the server can. */
  confines?: Confines | undefined;
  /** True where it is handed a listening socket, which gives it an address of its own. */
  listener?: boolean;
  /** The files and folders of the release that it will be told to run; nothing where that is not known yet. */
  files?: readonly string[];
  /** What it will be limited to (`limit`), as far as that is known: the runtime may set it from the start. */
  limits?: Limits;
}

/** What an instance may use; omitted = no limit. */
export interface Limits {
  /** In bytes. */
  memory?: number | undefined;
  /** Processes and threads. */
  tasks?: number | undefined;
  /** Cores. */
  cpu?: number | undefined;
}

/** One running interpreter of an app, from its start to its end. */
export interface Instance {
  readonly record: InstanceRecord;
  /** What it began with, except its mark; empty where an earlier server began it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where the socket that it was handed is reached; undefined where it was handed none. */
  readonly address: Address | undefined;
  readonly running: boolean;
  /** Resolves once it has ended by itself or was ended. */
  readonly ended: Promise<Exit>;
  /** Sets what it may use, as far as the runtime can hold it to that. */
  limit(limits: Limits): void;
  /** Tells it what to run: once, and one that was adopted was told before. */
  tell(order: Order): Promise<void>;
  /** True where it is this one that answers at the address: an answer proves nothing of who gave it. */
  owns(address: Address): Promise<boolean>;
  /** The ports on which it listens: for the sentence that says where an app listens instead. */
  listening(): Promise<number[]>;
  /**
   * Ends it with all that it has started.
   * @param graceMs how long it may take to end by itself, in ms
   */
  end(graceMs: number): Promise<void>;
  /** Ends what has outlived it. */
  sweep(): Promise<void>;
  /** Lets go of it without ending it: the next server adopts it. */
  leave(): void;
}

/** What its runtime must know to find an instance again. */
export type InstanceRecord = Pick<ProcessRecord, 'runtime' | 'mark' | 'pid' | 'startTime' | 'cage'>;

/** What an interpreter is told to run, as `python/launch.py` reads it. */
export interface Order {
  argv: readonly string[];
  cwd: string;
  /** All that its environment is to have. */
  environment: Readonly<Record<string, string>>;
  /** The file for all its output from now on. */
  log: string;
  /** The files and folders that it needs for that, where the machine that it runs on may not have them. */
  files?: readonly string[];
}

/** How an instance ended; both null where nobody saw it, since an earlier server had begun it. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** True where it was ended because its memory was used up. */
  outOfMemory?: boolean;
}

/** What an instance uses. */
export interface Usage {
  /** Resident, with all that it has started, in bytes. */
  memory: number;
  /** How many processes it has, itself included. */
  processes: number;
  /** The processor time that it has had since its start, in seconds of one core. */
  cpuSeconds: number;
  /** The files and sockets that its processes have open, where that was asked for. */
  openFiles?: number;
  /** How many of its processes the system has ended for want of memory, and how many more it kept it from starting. */
  kills?: number;
  refusals?: number;
}

/** A port where the instances of one process answer: kept over its restarts for as long as nobody else takes it. */
export interface Lease {
  /** Port 0 before it was taken for the first time. */
  readonly address: HostAddress;
  /** One sentence on why it is another address than the one that was wanted; empty where it is that. */
  readonly note: string;
  /** Has the port of an instance that runs already. */
  hold(port: number): void;
  /** Sees to it that it is free. @returns true where it is another one than before @throws Refusal `ports-used-up` */
  take(): Promise<boolean>;
  /** True where an instance that has ended did not get it, since somebody else had taken it. @param log what the instance said */
  wasLost(log: LogFile): Promise<boolean>;
  /** Others may have it now; it remains what the process is known by. */
  giveBack(): void;
}
