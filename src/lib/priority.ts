import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { basename } from 'node:path';

/** What a kind of program yields to the others on this machine. */
interface Rank {
  /** Which one the kernel ends first when memory runs out: the higher, the sooner, from -1000 to 1000. */
  oomScore: number;
  /** How much more niceness than the server it has. What reads and writes on disk follows (ioprio_get(2)). */
  nice: number;
}

/** The kinds of programs that the server starts. The last to suffer is the server itself, with its Redis. */
const RANKS = {
  git: { oomScore: 300, nice: 0 },
  app: { oomScore: 500, nice: 0 },
  build: { oomScore: 700, nice: 10 },
  compile: { oomScore: 800, nice: 19 },
  picture: { oomScore: 900, nice: 15 },
} satisfies Record<string, Rank>;

/** A kind of program that the server starts. */
export type Kind = keyof typeof RANKS;

const SERVER_OOM_SCORE = -500;

/**
 * Puts a program that was just started below the server, so that the kernel ends it first when memory runs out
 * (https://man7.org/linux/man-pages/man5/proc_pid_oom_score_adj.5.html). To be called before it starts others: they inherit
 * it. Where the system does not allow it, the program runs as it is.
 * @param pid undefined where it could not be started
 */
export function lower(pid: number | undefined, kind: Kind): void {
  if (pid === undefined) return;
  const { oomScore, nice } = RANKS[kind];
  attempt(() => writeFileSync(`/proc/${pid}/oom_score_adj`, String(oomScore)));
  if (nice > 0) attempt(() => setPriority(pid, Math.min(19, getPriority() + nice)));
}

/** Makes the server the last program that the kernel ends. Only root may; what it starts inherits this until it is lowered. */
export function protectServer(): void {
  const path = '/proc/self/oom_score_adj';
  attempt(() => {
    if (Number(readFileSync(path, 'utf8')) > SERVER_OOM_SCORE) writeFileSync(path, String(SERVER_OOM_SCORE));
  });
}

/**
 * Gives this very thread the lowest priority: to Linux, a thread is a process that has a number of its own
 * (https://man7.org/linux/man-pages/man2/setpriority.2.html).
 */
export function lowerThread(): void {
  attempt(() => setPriority(Number(basename(readlinkSync('/proc/thread-self'))), 19));
}

/** The program may have ended already, and a container or a system without /proc may allow none of it. */
function attempt(work: () => void): void {
  try {
    work();
  } catch {
    // It runs as it is.
  }
}
