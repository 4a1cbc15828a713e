import { readdirSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Deadline } from '../../lib/deadline.js';
import { Slots } from '../../lib/slots.js';
import { groupOf, startTimeOf, unlessAbsent, type ProcessIdentity } from './proc.js';

/** The environment variable by which a child is known as ours, whatever happened to our notes about it. */
export const MARK = 'STREAMLIT_HOST_CHILD';

/** For how long (ms) what was killed is looked for again, since a process may hang in the kernel; and how long apart. */
const LIMIT_MS = 5_000;
const ROUND_MS = 10;
/** How often nothing must be found: one look misses what was started behind its back while its parent ended. */
const QUIET_ROUNDS = 3;
/** How often one look lists the processes again at most: others may start some all the time. */
const MAX_LISTS = 50;

/** How many processes are looked at at once. */
const AT_ONCE = 8;

/** A running process that carries a mark. */
export interface MarkedProcess extends ProcessIdentity {
  mark: string;
}

/**
 * Every running process whose mark begins like this, and what those started in turn: by it a server that was killed
 * between a spawn and its note finds what it left behind.
 */
export async function findMarked(prefix: string): Promise<MarkedProcess[]> {
  const found: MarkedProcess[] = [];
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const look = async (name: string): Promise<void> => {
    const pid = Number(name);
    if (pid === process.pid) return;
    const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(unlessAbsent);
    const mark = markOf(environment, prefix);
    const startTime = mark === undefined ? undefined : startTimeOf(pid);
    if (mark !== undefined && startTime !== undefined) found.push({ pid, startTime, mark });
  };
  // All at once would open as many files as there are processes.
  const slots = new Slots(AT_ONCE);
  await Promise.all(names.map((name) => slots.take(name, () => look(name))));
  return found;
}

/**
 * Ends every process whose mark begins like this, except those whose whole mark is to be kept, and waits for their end.
 * @returns how many there were
 */
export async function endMarked(prefix: string, keep: Pick<ReadonlySet<string>, 'has'>): Promise<number> {
  if (prefix === '') throw new Error('without a mark, every child of every server would be ended');
  const ended = new Set<number>();
  for (const stray of await findMarked(prefix)) if (!keep.has(stray.mark)) end(stray, ended);
  const deadline = new Deadline(LIMIT_MS);
  for (let quiet = 0; ;) {
    quiet = endAtSight(prefix, keep, ended) ? 0 : quiet + 1;
    if (quiet >= (ended.size === 0 ? 1 : QUIET_ROUNDS) || deadline.isOver) break;
    await sleep(ROUND_MS);
  }
  return ended.size;
}

/**
 * One look at all processes in which each stray is ended in the moment it is seen: what starts another one every few
 * milliseconds is gone before a list of it is whole. What has come while the others were looked at is looked at as well,
 * until there is nothing new: on a busy machine a stray may have ended by then, and left another in its place.
 * @returns whether there was any
 */
function endAtSight(prefix: string, keep: Pick<ReadonlySet<string>, 'has'>, ended: Set<number>): boolean {
  let any = false;
  const seen = new Set([process.pid]);
  for (let lists = 0; lists < MAX_LISTS; lists += 1) {
    const fresh = readdirSync('/proc').flatMap((name) =>
      /^\d+$/.test(name) && !seen.has(Number(name)) ? Number(name) : [],
    );
    if (fresh.length === 0) break;
    // The newest first: it has the least time left.
    for (const pid of fresh.sort((a, b) => b - a)) {
      seen.add(pid);
      const mark = markOf(environmentOf(pid), prefix);
      const startTime = mark === undefined || keep.has(mark) ? undefined : startTimeOf(pid);
      if (mark === undefined || startTime === undefined) continue;
      any = true;
      end({ pid, startTime, mark }, ended);
    }
  }
  return any;
}

/** The whole group at once, where it is not our own: what it starts in this very moment belongs to it. */
function end(stray: MarkedProcess, ended: Set<number>): void {
  ended.add(stray.pid);
  const group = groupOf(stray.pid);
  try {
    if (startTimeOf(stray.pid) !== stray.startTime) return;
    process.kill(group === undefined || group === groupOf(process.pid) ? stray.pid : -group, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile.
  }
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch (error) {
    return unlessAbsent(error);
  }
}

function markOf(environment: string, prefix: string): string | undefined {
  const entry = environment.split('\0').find((variable) => variable.startsWith(`${MARK}=${prefix}`));
  return entry?.slice(MARK.length + 1);
}
