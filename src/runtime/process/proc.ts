import { readdir, readFile, readlink } from 'node:fs/promises';
import { opendirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { hasCode } from '../../errors.js';
import type { Usage } from '../runtime.js';

/** A process that cannot be mistaken for another: pids are reused, a pid with its start time is not. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks since boot, field 22 of /proc/<pid>/stat. */
  startTime: string;
}

/** True where a file of /proc could not be read because its process has ended, or is not ours to look at. */
export function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].some((code) => hasCode(error, code));
}

/**
 * The start time of a running process; undefined where there is none, or only a zombie.
 * @throws Error where it cannot be read, such as when too many files are open: that says nothing of the process
 */
export function startTimeOf(pid: number): string | undefined {
  return statOf(pid)?.[19];
}

/** The fields of /proc/<pid>/stat from the third one on; undefined where nothing runs (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html). */
function statOf(pid: number): string[] | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    // A process that was taken for ended because no more files could be opened would never be ended itself.
    if (isAbsent(error)) return undefined;
    throw error;
  }
  // The command's name may hold spaces and brackets, so the fields are counted from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields;
}

/** For a file of /proc that is read as text: nothing, where its process has ended. */
export function unlessAbsent(error: unknown): string {
  if (isAbsent(error)) return '';
  throw error;
}

/** True where a process is in a control group whose path has the name. Of another machine, or out of sight, it is not. */
export function isInGroup(pid: number, name: string): boolean {
  let groups: string;
  try {
    groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  } catch (error) {
    groups = unlessAbsent(error);
  }
  return groups.includes(name);
}

/** This very process. */
export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, startTime: startTimeOf(process.pid) ?? '' };
}

/** The process that has started a running process, or has taken it over since. */
export function parentOf(pid: number): number | undefined {
  const parent = statOf(pid)?.[1];
  return parent === undefined ? undefined : Number(parent);
}

/** The process group of a running process. */
export function groupOf(pid: number): number | undefined {
  const group = statOf(pid)?.[2];
  return group === undefined ? undefined : Number(group);
}

/**
 * True where a process stands in a folder, or writes to a file in it. The kernel tells where that is now, so it holds
 * for a folder that was moved meanwhile, and not for the copy of one.
 * @param folder without links in its path
 */
export async function livesIn(pid: number, folder: string): Promise<boolean> {
  const places = await Promise.all(
    // Unreadable: another user's, or gone.
    ['cwd', 'fd/1', 'fd/2'].map((link) => readlink(`/proc/${pid}/${link}`).catch(() => '')),
  );
  return places.some((place) => place === folder || place.startsWith(`${folder}/`));
}

/** Where the kernel lists the children of a process that has a single thread (https://man7.org/linux/man-pages/man5/proc_tid_children.5.html). */
export function childrenOf(pid: number): string {
  return `/proc/${pid}/task/${pid}/children`;
}

/**
 * The process that another one has started, and so on.
 * @param generations how often that is asked
 * @returns undefined where it runs no more
 */
export async function descendantOf(pid: number, generations: number): Promise<number | undefined> {
  if (generations === 0) return pid;
  const children = await readFile(childrenOf(pid), 'utf8').catch(unlessAbsent);
  const [first] = children.split(' ').filter((one) => one !== '');
  return first === undefined ? undefined : descendantOf(Number(first), generations - 1);
}

/** True while this very process runs. @throws Error where that cannot be read now */
export function isRunning(process: ProcessIdentity): boolean {
  return startTimeOf(process.pid) === process.startTime;
}

/** What a process group uses. */
export interface GroupUsage {
  /** Resident memory of all its members, in bytes; pages that they share are counted for each of them. */
  memory: number;
  /** Its members. */
  pids: number[];
  /** The processor time that its leader has had, in seconds. */
  cpuSeconds: number;
}

/** What a group uses as what an instance uses. @param files whether its open files are counted */
export function usageOf<Group extends GroupUsage>({ pids, ...group }: Group, files: boolean): Usage {
  const usage = { ...group, processes: pids.length };
  return files ? { ...usage, openFiles: pids.reduce((sum, pid) => sum + openFilesOf(pid), 0) } : usage;
}

/** The most open files of a process that are counted one by one. */
const MAX_FILES = 10_000;

/** How many files and sockets a process has open; 0 where it has ended or is not ours to look at. */
export function openFilesOf(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  try {
    // Since Linux 6.2, the size of the folder tells (https://man7.org/linux/man-pages/man5/proc_pid_fd.5.html).
    const { size } = statSync(folder);
    return size > 0 ? size : countEntries(folder);
  } catch (error) {
    if (isAbsent(error)) return 0;
    throw error;
  }
}

function countEntries(folder: string): number {
  const entries = opendirSync(folder, { bufferSize: 256 });
  try {
    let count = 0;
    while (count < MAX_FILES && entries.readSync() !== null) count += 1;
    return count;
  } finally {
    entries.closeSync();
  }
}

/**
 * What every process group uses, by the group's number, in one look at /proc. Read without waiting: a few hundred small
 * files of the kernel take less time than as many turns of the event loop.
 * @throws Error where /proc cannot be read now
 */
export function usageOfGroups(): Map<number, GroupUsage> {
  const page = pageSize();
  const groups = new Map<number, GroupUsage>();
  for (const name of readdirSync('/proc')) {
    const fields = /^\d+$/.test(name) ? statOf(Number(name)) : undefined;
    if (fields === undefined) continue;
    const group = Number(fields[2]);
    const { memory, pids, cpuSeconds } = groups.get(group) ?? { memory: 0, pids: [], cpuSeconds: 0 };
    pids.push(Number(name));
    groups.set(group, {
      pids,
      memory: memory + Number(fields[21]) * page,
      cpuSeconds: Number(name) === group ? (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S : cpuSeconds,
    });
  }
  return groups;
}

/** The kernel counts processor time in hundredths of a second (USER_HZ, https://man7.org/linux/man-pages/man7/time.7.html). */
const TICKS_PER_S = 100;

let pageBytes: number | undefined;

/** The size of a page of memory, in bytes, as the kernel told this process (https://man7.org/linux/man-pages/man3/getauxval.3.html). */
function pageSize(): number {
  return (pageBytes ??= readPageSize());
}

function readPageSize(): number {
  const [AT_PAGESZ, usual] = [6n, 4096];
  try {
    const vector = readFileSync('/proc/self/auxv');
    for (let at = 0; at + 16 <= vector.length; at += 16) {
      if (vector.readBigUInt64LE(at) === AT_PAGESZ) return Number(vector.readBigUInt64LE(at + 8));
    }
  } catch {
    // Not readable here; what nearly every machine has is taken.
  }
  return usual;
}

/**
 * True where the process itself holds a listening socket on the port: an answer on a port proves nothing of who gave it.
 * (https://man7.org/linux/man-pages/man5/proc_pid_net.5.html)
 */
export async function listensOn(pid: number, port: number): Promise<boolean> {
  // The kernel takes some ms for either table, and what we start listens on IPv4.
  for (const table of TABLES) {
    const wanted = await listeningInodes(pid, port, [table]);
    if (wanted.size === 0) continue;
    for (const link of await socketsOf(pid)) if (wanted.has(link)) return true;
  }
  return false;
}

/** The ports on which the process listens: for the sentence that says where an app listens instead. */
export async function listeningPorts(pid: number): Promise<number[]> {
  const sockets = await socketsOf(pid);
  const ports = new Set<number>();
  for (const row of await listenRows(pid)) if (sockets.has(row.inode)) ports.add(row.port);
  return [...ports].sort((a, b) => a - b);
}

/** The process that listens on a port, where that is visible: those of other users are not. */
export async function holderOf(port: number): Promise<{ pid: number; name: string } | undefined> {
  const wanted = await listeningInodes(process.pid, port);
  if (wanted.size === 0) return undefined;
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    for (const inode of await socketsOf(Number(entry))) {
      if (!wanted.has(inode)) continue;
      const name = await readFile(`/proc/${entry}/comm`, 'utf8').catch(() => ''); // It ended in this moment.
      return { pid: Number(entry), name: name.trim() || 'a program' };
    }
  }
  return undefined;
}

/** The kernel's tables of sockets, by the kind of address. */
const TABLES = ['tcp', 'tcp6'] as const;

async function listeningInodes(pid: number, port: number, tables: readonly string[] = TABLES): Promise<Set<string>> {
  return new Set((await listenRows(pid, tables)).filter((row) => row.port === port).map((row) => row.inode));
}

async function listenRows(pid: number, tables: readonly string[] = TABLES): Promise<{ port: number; inode: string }[]> {
  const rows: { port: number; inode: string }[] = [];
  for (const table of tables) {
    let text: string;
    try {
      text = await readFile(`/proc/${pid}/net/${table}`, 'utf8');
    } catch {
      continue; // The process ended, or the machine has no IPv6.
    }
    for (const line of text.split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      const port = Number.parseInt(fields[1]?.split(':')[1] ?? '', 16);
      // 0A is LISTEN.
      if (fields[3] === '0A' && fields[9] !== undefined && Number.isInteger(port))
        rows.push({ port, inode: fields[9] });
    }
  }
  return rows;
}

async function socketsOf(pid: number): Promise<Set<string>> {
  const inodes = new Set<string>();
  let names: string[];
  try {
    names = await readdir(`/proc/${pid}/fd`);
  } catch {
    return inodes; // It ended.
  }
  await Promise.all(
    names.map(async (name) => {
      const target = await readlink(`/proc/${pid}/fd/${name}`).catch(() => ''); // Closed meanwhile.
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode !== undefined) inodes.add(inode);
    }),
  );
  return inodes;
}
