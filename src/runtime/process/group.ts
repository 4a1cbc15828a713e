import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../../errors.js';
import { Deadline } from '../../lib/deadline.js';
import { descendantOf, groupOf, startTimeOf } from './proc.js';

/** How long what was killed is waited for, in ms: it may hang in the kernel, and waiting longer would change nothing. */
const KILL_MS = 5_000;

/** The process that leads a group, whose number is its pid. */
export interface Leader {
  pid: number;
  /** Where it is told, nothing is signalled but a group whose leader is this very process; not told for one just started. */
  startTime?: string;
}

/**
 * Ends a process group: TERM, time to finish, then KILL for what is left of it. Resolves once nothing of it runs.
 * @param graceMs how long it may take to end by itself
 */
export async function endGroup({ pid, startTime }: Leader, graceMs: number): Promise<void> {
  const now = startTimeOf(pid);
  if (startTime !== undefined && now !== startTime) return;
  if (!signal(pid, 'SIGTERM')) return;
  if (await isGone(pid, now, graceMs)) return;
  signal(pid, 'SIGKILL');
  await isGone(pid, now, KILL_MS);
}

/**
 * Ends what was put into a cage. What bubblewrap has put around it ends with it, and does not receive TERM.
 * @param around how many processes that is
 */
export async function endCaged(leader: Leader, around: number, graceMs: number): Promise<void> {
  const within = around === 0 ? undefined : await descendantOf(leader.pid, around);
  if (within !== undefined) await endGroup({ pid: within }, graceMs);
  await endGroup(leader, graceMs);
}

/** @returns whether there was anybody to be signalled */
function signal(group: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(-group, name);
    return true;
  } catch (error) {
    // It ended in this moment, or it is another user's, such as what sudo runs, which ends as it likes.
    if (hasCode(error, 'ESRCH') || hasCode(error, 'EPERM')) return false;
    throw error;
  }
}

async function isGone(group: number, leader: string | undefined, withinMs: number): Promise<boolean> {
  const deadline = new Deadline(withinMs);
  // The system tells nobody when a group is gone, so it is looked at.
  for (let pause = 5; await runs(group, leader); pause = Math.min(2 * pause, 100)) {
    if (deadline.isOver) return false;
    await sleep(pause);
  }
  return true;
}

/**
 * True where anything of a group runs. Orphans that have ended remain in it until the machine's first process notices,
 * which in a container may be never, so it does not help to signal it.
 * @param leader when its leader started; a number is given to no other process before the last one of its group has gone
 */
async function runs(group: number, leader: string | undefined): Promise<boolean> {
  const start = startTimeOf(group);
  if (start !== undefined) return start === leader;
  return (await readdir('/proc')).some((name) => /^\d+$/.test(name) && groupOf(Number(name)) === group);
}
