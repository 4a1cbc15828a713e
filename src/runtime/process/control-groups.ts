import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Deadline } from '../../lib/deadline.js';
import type { Limits } from '../runtime.js';
import { groupOf, parentOf, type GroupUsage } from './proc.js';

/** The share of the machine's memory that all apps together may have; the rest is the server's and the system's. */
const MEMORY_SHARE = 0.9;
/** The weight of an app when the processor is short, and of all together for each core: the server has 1,024. */
const WEIGHTS = { app: 1_024, all: 2_048 };
/** The period of a processor limit, in µs. */
const PERIOD = 100_000;
/** How long what was killed is waited for, in ms. */
const KILL_MS = 5_000;

/** What a group uses. */
export interface GroupUse extends GroupUsage {
  /** What cannot be dropped: memory of its processes, and files that they keep in memory; in bytes. */
  memory: number;
  /** How many of its processes the system has ended because their memory was used up. */
  kills: number;
  /** How often it was kept from starting another process or thread. */
  refusals: number;
}

/** The kernel's controllers that are used, by the folders in which their groups are made: of version 2, one for all. */
interface Hierarchy {
  version: 1 | 2;
  folders: { memory: string; pids: string; cpu: string; cpuacct: string };
}

/**
 * The control groups of a server (https://man7.org/linux/man-pages/man7/cgroups.7.html): one for each instance of an app, with
 * all that it starts, wherever that goes. Of version 1 or 2, where the server may make some.
 */
export class ControlGroups {
  readonly #hierarchy: Hierarchy;

  private constructor(hierarchy: Hierarchy) {
    this.#hierarchy = hierarchy;
  }

  /**
   * @param name tells the groups of this server from those of others
   * @param isOwn whether a process that shares the server's group is the server's, and may be moved with it
   * @returns undefined where none can be made
   */
  static open(name: string, proc = '/proc/self', isOwn = isOfServer): ControlGroups | undefined {
    try {
      const found = findHierarchy(proc);
      if (found === undefined) return undefined;
      if (found.version === 2) delegate(found.folders.memory, isOwn);
      const own = mapFolders(found, (folder) => join(folder, `streamlit-host-${name}`));
      for (const folder of foldersOf(own)) makeFolder(folder);
      if (own.version === 2) enable(own.folders.memory);
      const groups = new ControlGroups(own);
      limit(own, { memory: Math.floor(totalmem() * MEMORY_SHARE) });
      weigh(own, WEIGHTS.all * availableParallelism());
      return groups;
    } catch {
      // A container, or a user that may not: limits are watched instead.
      return undefined;
    }
  }

  /** Makes the group of an instance. @returns undefined where it cannot be made, such as for want of memory */
  create(name: string): ControlGroup | undefined {
    try {
      const made = this.#make(name);
      weigh(made, WEIGHTS.app);
      return new ControlGroup(made);
    } catch {
      return undefined;
    }
  }

  /** The group of what an earlier server began. @returns undefined where it has none */
  find(name: string): ControlGroup | undefined {
    const found = mapFolders(this.#hierarchy, (folder) => join(folder, name));
    return existsSync(found.folders.memory) ? new ControlGroup(found) : undefined;
  }

  /** Removes all groups, when nothing of this server runs any more. */
  remove(): void {
    this.sweep(new Set());
    for (const folder of foldersOf(this.#hierarchy)) removeFolder(folder);
  }

  /** Removes the groups that nothing runs in. @param keep their names */
  sweep(keep: ReadonlySet<string>): void {
    for (const folder of foldersOf(this.#hierarchy))
      for (const entry of readdirSync(folder, { withFileTypes: true }))
        if (entry.isDirectory() && !keep.has(entry.name)) removeFolder(join(folder, entry.name));
  }

  #make(name: string): Hierarchy {
    const made = mapFolders(this.#hierarchy, (folder) => join(folder, name));
    for (const folder of foldersOf(made)) makeFolder(folder);
    return made;
  }
}

/** The group of one instance. */
export class ControlGroup {
  readonly #hierarchy: Hierarchy;
  readonly #all: readonly string[];

  constructor(hierarchy: Hierarchy) {
    this.#hierarchy = hierarchy;
    this.#all = foldersOf(hierarchy);
  }

  /** The group in which a process is that somebody else has put there, to be read. @returns undefined where it cannot be found */
  static of(pid: number): ControlGroup | undefined {
    try {
      const found = findHierarchy('/proc/self', `/proc/${pid}`);
      return found && new ControlGroup(found);
    } catch {
      return undefined; // It has ended, or is out of sight.
    }
  }

  /** Sets what it may use. A limit that cannot be set, such as one below what is in use, is watched instead. */
  limit(limits: Limits): void {
    try {
      limit(this.#hierarchy, limits);
    } catch {
      // The watch ends it.
    }
  }

  /** Puts a process into it, with all that it will start. Does nothing for one that has ended. */
  add(pid: number): void {
    for (const folder of this.#all) {
      try {
        writeFileSync(join(folder, 'cgroup.procs'), String(pid));
      } catch {
        // It has ended, or is not ours to move: it is watched like one without a group.
      }
    }
  }

  /** @returns undefined where it is gone */
  use(): GroupUse | undefined {
    try {
      const { version, folders } = this.#hierarchy;
      const { memory, cpu, cpuacct, pids } = folders;
      const stat = readFileSync(join(memory, 'memory.stat'), 'utf8');
      const first = version === 1;
      const events = readFileSync(join(memory, first ? 'memory.oom_control' : 'memory.events'), 'utf8');
      return {
        memory: numberIn(stat, first ? 'rss' : 'anon') + numberIn(stat, 'shmem'),
        pids: this.#pids(),
        cpuSeconds: first
          ? Number(readFileSync(join(cpuacct, 'cpuacct.usage'), 'utf8')) / 1e9
          : numberIn(readFileSync(join(cpu, 'cpu.stat'), 'utf8'), 'usage_usec') / 1e6,
        kills: numberIn(events, 'oom_kill'),
        refusals: numberIn(readFileSync(join(pids, 'pids.events'), 'utf8'), 'max'),
      };
    } catch {
      return undefined;
    }
  }

  /** Ends all that is in it, which can start nothing more, and removes it. */
  async end(): Promise<void> {
    // What forks in a loop would be ahead of every list of it.
    this.limit({ tasks: 0 });
    for (const deadline = new Deadline(KILL_MS); !deadline.isOver; await sleep(10)) {
      const pids = this.#pids();
      if (pids.length === 0) break;
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It ended in this moment.
        }
      }
    }
    for (const folder of this.#all) removeFolder(folder);
  }

  #pids(): number[] {
    try {
      return readFileSync(join(this.#hierarchy.folders.memory, 'cgroup.procs'), 'utf8')
        .split('\n')
        .filter(Boolean)
        .map(Number);
    } catch {
      return []; // It is gone.
    }
  }
}

/**
 * The groups in which a process is, where all that is needed can be had.
 * @param proc the server itself
 * @param of the process
 */
function findHierarchy(proc: string, of = proc): Hierarchy | undefined {
  const own = new Map<string, string>();
  // Version 2 is the line without a name.
  for (const [, names = '', path = ''] of readFileSync(join(of, 'cgroup'), 'utf8').matchAll(/^\d+:([^:]*):(.*)$/gm))
    for (const name of names.split(',')) own.set(name, path);
  const mounts = readFileSync(join(proc, 'mountinfo'), 'utf8').split('\n');
  const mounted = (controller: string): string | undefined => {
    for (const line of mounts) {
      const [, mount = '', type, options = ''] = /^(?:\S+ ){4}(\S+) .* - (cgroup2?) \S+ (\S+)$/.exec(line) ?? [];
      const fits =
        controller === '' ? type === 'cgroup2' : type === 'cgroup' && options.split(',').includes(controller);
      if (!fits) continue;
      // In a container, its own group may be what is mounted.
      const below = join(mount, own.get(controller) ?? '/');
      return existsSync(below) ? below : of === proc ? mount : undefined;
    }
    return undefined;
  };
  const [memory, pids, cpu, cpuacct] = ['memory', 'pids', 'cpu', 'cpuacct'].map(mounted);
  if (memory !== undefined && pids !== undefined && cpu !== undefined && cpuacct !== undefined)
    return { version: 1, folders: { memory, pids, cpu, cpuacct } };
  const within = mounted('');
  if (within === undefined) return undefined;
  const one = above(within);
  const controllers = readFileSync(join(one, 'cgroup.controllers'), 'utf8').trim().split(' ');
  if (!CONTROLLERS.every((name) => controllers.includes(name))) return undefined;
  return { version: 2, folders: { memory: one, pids: one, cpu: one, cpuacct: one } };
}

const CONTROLLERS = ['memory', 'pids', 'cpu'];

/** The name of the group in which a server puts itself. */
const SERVER = 'server';

/** The group above the one in which an earlier server, such as the one before a reload, has put itself and so its child. */
function above(folder: string): string {
  const parent = dirname(folder);
  if (basename(folder) !== SERVER || !existsSync(join(parent, 'cgroup.procs'))) return folder;
  return readFileSync(join(parent, 'cgroup.procs'), 'utf8').trim() === '' ? parent : folder;
}

/**
 * A group of version 2 that has groups below it has no processes of its own, unless it is the machine's first one. Those in it
 * are moved, if all are the server's: started from a terminal, it shares the group of everything else there.
 * @throws Error where others are in it
 */
function delegate(folder: string, isOwn: (pid: number) => boolean): void {
  try {
    enable(folder);
  } catch {
    const pids = readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
    if (!pids.every((pid) => isOwn(Number(pid)))) throw new Error(`${folder} is not of this server alone`);
    const server = join(folder, SERVER);
    makeFolder(server);
    for (const pid of pids) writeFileSync(join(server, 'cgroup.procs'), pid);
    enable(folder);
  }
}

/**
 * Returns whether a process is this one, a child of it or of its children, or what has started it and waits for it, such as npm
 * or a script, which are in its process group, or a container's first process.
 */
export function isOfServer(pid: number): boolean {
  if (pid === 1 || groupOf(pid) === groupOf(process.pid)) return true;
  for (let above = parentOf(pid); above !== undefined && above > 1; above = parentOf(above))
    if (above === process.pid) return true;
  return false;
}

function enable(folder: string): void {
  writeFileSync(join(folder, 'cgroup.subtree_control'), CONTROLLERS.map((name) => `+${name}`).join(' '));
}

function mapFolders({ version, folders }: Hierarchy, map: (folder: string) => string): Hierarchy {
  const { memory, pids, cpu, cpuacct } = folders;
  return { version, folders: { memory: map(memory), pids: map(pids), cpu: map(cpu), cpuacct: map(cpuacct) } };
}

function foldersOf({ folders }: Hierarchy): string[] {
  return [...new Set(Object.values(folders))];
}

function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true });
}

function removeFolder(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Something runs in it still, or it is gone: the next sweep finds it.
  }
}

function numberIn(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
}

function set(folder: string, file: string, value: string | number): void {
  writeFileSync(join(folder, file), String(value));
}

function limit({ version, folders }: Hierarchy, { memory, tasks, cpu }: Limits): void {
  const quota = cpu === undefined ? undefined : Math.max(1_000, Math.round(cpu * PERIOD));
  if (memory !== undefined) set(folders.memory, version === 1 ? 'memory.limit_in_bytes' : 'memory.max', memory);
  if (tasks !== undefined) set(folders.pids, 'pids.max', tasks);
  if (quota === undefined) return;
  if (version === 2) return set(folders.cpu, 'cpu.max', `${quota} ${PERIOD}`);
  set(folders.cpu, 'cpu.cfs_period_us', PERIOD);
  set(folders.cpu, 'cpu.cfs_quota_us', quota);
}

function weigh({ version, folders }: Hierarchy, weight: number): void {
  if (version === 1) return set(folders.cpu, 'cpu.shares', weight);
  // 100 is what 1024 shares are in version 1, and 10,000 the most.
  set(folders.cpu, 'cpu.weight', Math.min(10_000, Math.max(1, Math.round((weight * 100) / 1_024))));
}
