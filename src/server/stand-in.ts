import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning } from '../runtime/process/proc.js';
import { readServerRecord, type ServerRecord } from '../store/lock.js';

/** How often the server is looked at, in ms. */
const LOOK_MS = 500;
/** How many looks in a row find no server before it has ended: one that replaces a failed one first has to write its record. */
const LOOKS = 4;

/**
 * Stays for a server that has taken over from this process, because the program that started this process (a service manager,
 * a container, a terminal) takes its end for the server's. A request to stop is passed on.
 * @param file the server record
 * @returns the exit code: 1 if the server ended without having been stopped
 */
export async function standIn(file: string, asked: AbortSignal): Promise<number> {
  let last: ServerRecord | undefined;
  let told = 0;
  let gone = 0;
  for (;;) {
    const now = await readServerRecord(file);
    last = now ?? last;
    if (last === undefined) return 0;
    gone = isRunning(last) ? 0 : gone + 1;
    if (gone > 0 && now === undefined) return 0;
    if (gone >= LOOKS) return 1;
    if (asked.aborted && gone === 0 && told !== last.pid) {
      told = last.pid;
      process.kill(last.pid, 'SIGTERM');
    }
    const stopped = asked.aborted ? undefined : asked;
    await sleep(LOOK_MS, undefined, stopped && { signal: stopped }).catch(() => undefined); // Asked to stop.
  }
}
