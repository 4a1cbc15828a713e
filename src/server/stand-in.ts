import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning } from '../runtime/process/proc.js';
import { readServerRecord, type ServerRecord } from '../store/lock.js';

/** How often the server is looked at, in ms. */
const LOOK_MS = 500;

/**
 * Stays for a server that has taken over from this process, because the program that started this process (a service manager,
 * a container, a terminal) takes its end for the server's. A request to stop is passed on.
 * @param file the server record
 * @returns the exit code: 1 if the server ended without having been stopped
 */
export async function standIn(file: string, asked: AbortSignal): Promise<number> {
  let last: ServerRecord | undefined;
  let told = 0;
  for (;;) {
    const now = await readServerRecord(file);
    last = now ?? last;
    if (last === undefined || !isRunning(last)) return now === undefined ? 0 : 1;
    if (asked.aborted && told !== last.pid) {
      told = last.pid;
      process.kill(last.pid, 'SIGTERM');
    }
    const stopped = asked.aborted ? undefined : asked;
    await sleep(LOOK_MS, undefined, stopped && { signal: stopped }).catch(() => undefined); // Asked to stop.
  }
}
