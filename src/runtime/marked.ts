import { readdir, readFile } from 'node:fs/promises';
import { startTimeOf, type ProcessIdentity } from './proc.js';

/** The environment variable by which a child is known as ours, whatever happened to our notes about it. */
export const MARK = 'STREAMLIT_HOST_CHILD';

/** How often, and how long apart (ms), what was killed is looked for again; a process may hang in the kernel. */
const ROUNDS = 50;
const ROUND_MS = 20;

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
  await Promise.all(
    names.map(async (name) => {
      const pid = Number(name);
      if (pid === process.pid) return;
      // Unreadable: not ours, or gone.
      const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '');
      const entry = environment.split('\0').find((variable) => variable.startsWith(`${MARK}=${prefix}`));
      const startTime = entry === undefined ? undefined : startTimeOf(pid);
      if (entry !== undefined && startTime !== undefined) found.push({ pid, startTime, mark: entry.slice(MARK.length + 1) });
    }),
  );
  return found;
}

/**
 * Ends every process whose mark begins like this, except those whose whole mark is to be kept, and waits for their end.
 * @returns how many there were
 */
export async function endMarked(prefix: string, keep: ReadonlySet<string>): Promise<number> {
  if (prefix === '') throw new Error('without a mark, every child of every server would be ended');
  const ended = new Set<number>();
  // Looked for again until none is found: a process may start another one in the very moment in which it is ended.
  for (let round = 0; round < ROUNDS; round += 1) {
    const strays = (await findMarked(prefix)).filter((one) => !keep.has(one.mark));
    if (strays.length === 0) break;
    for (const stray of strays) {
      ended.add(stray.pid);
      try {
        if (startTimeOf(stray.pid) === stray.startTime) process.kill(stray.pid, 'SIGKILL');
      } catch {
        // It ended by itself meanwhile.
      }
    }
    await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
  }
  return ended.size;
}
