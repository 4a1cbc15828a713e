import { readdir, readFile, readlink } from 'node:fs/promises';

/** A process of the machine, as far as it concerns a run. */
export interface Seen {
  pid: number;
  parent: number;
  state: string;
  command: string;
  /** What a server has marked it with, without the server's own part; undefined where it has none. */
  mark: string | undefined;
}

/**
 * The processes that have to do with a data folder: they carry its mark, stand in it, name it, or are a zombie of a server.
 * @param mark what the marks of the folder begin with @param servers the pids of its servers
 */
export async function processesOf(data: string, mark: string, servers: number[]): Promise<Seen[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const found = await Promise.all(names.map((name) => look(Number(name), data, mark, servers)));
  return found.flatMap((one) => one ?? []);
}

async function look(pid: number, data: string, mark: string, servers: number[]): Promise<Seen | undefined> {
  const read = (file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '');
  const [environment, command, cwd, stat] = await Promise.all([
    read('environ'),
    read('cmdline'),
    readlink(`/proc/${pid}/cwd`).catch(() => ''),
    read('stat'),
  ]);
  const [state = '', parent = '0'] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (stat === '') return undefined; // It ended meanwhile.
  const own = new RegExp(`STREAMLIT_HOST_CHILD=${mark}/([^\\0]*)`).exec(environment)?.[1];
  const zombie = state === 'Z' && servers.includes(Number(parent));
  if (own === undefined && !zombie && ![command, cwd].some((text) => text.includes(data))) return undefined;
  return { pid, parent: Number(parent), state, command: command.replaceAll('\0', ' ').trim(), mark: own };
}

/** True where a process runs. */
export function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** True where a signal has stopped a process (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html). */
export async function isStopped(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => ''); // It ended meanwhile.
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
}

/** Sends a signal to processes that may have ended. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids)
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended.
    }
}
