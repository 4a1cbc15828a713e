import { readFileSync } from 'node:fs';

/** With fewer, the program can open itself and a few connections, and no more. */
const FILES = 64;

/**
 * What keeps a program of ours from running at all, in one sentence: the limit of open files, which Node has already raised as
 * far as it may (https://man7.org/linux/man-pages/man5/proc_pid_limits.5.html). Undefined where nothing does, or it is not told.
 */
export function lackOfFiles(limits = ownLimits()) {
  const most = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  if (most === undefined || Number(most) >= FILES) return undefined;
  return `Only ${most} files may be open at once, and streamlit-host needs at least ${FILES}. Raise the limit, for example with "ulimit -n 1024".`;
}

function ownLimits() {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return ''; // Only Linux tells.
  }
}
