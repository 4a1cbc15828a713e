import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode } from '../../errors.js';

/**
 * Ends a process group: TERM, then KILL. Resolves when nothing of it runs any more.
 * @param graceMs how long it may take to end after TERM, in ms
 */
export async function endGroup(group: number, graceMs: number): Promise<void> {
  if (!signalGroup(group, 'SIGTERM')) return;
  if (await isGone(group, graceMs)) return;
  signalGroup(group, 'SIGKILL');
  // What KILL does not end at once waits for the kernel; waiting longer than this changes nothing.
  await isGone(group, 5_000);
}

/** @returns whether there was anybody to be signalled */
function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return false;
    throw error;
  }
}

async function isGone(group: number, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  // The system tells nobody when a group is gone, so it is asked.
  for (let pause = 5; signalGroup(group, 0) && (await runs(group)); pause = Math.min(2 * pause, 100)) {
    if (performance.now() > deadline) return false;
    await delay(pause);
  }
  return true;
}

/**
 * True where anything of a group runs. Orphans that have ended stay in it until the machine's first process notices,
 * which in a container may be never (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html).
 */
async function runs(group: number): Promise<boolean> {
  let names: string[];
  try {
    names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  } catch (error) {
    // Systems other than Linux tell no more than the signal did.
    if (hasCode(error, 'ENOENT')) return true;
    throw error;
  }
  const members = await Promise.all(names.map((name) => isMember(name, group)));
  return members.includes(true);
}

async function isMember(pid: string, group: number): Promise<boolean> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
    // The name, in brackets, may hold anything; after it come state, parent and group.
    const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(pgrp) === group && state !== 'Z' && state !== 'X';
  } catch (error) {
    // It ended while we looked.
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH')) return false;
    throw error;
  }
}
