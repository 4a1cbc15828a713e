import type { Fault } from './plan.js';

/** What a full or read-only disk, or too many open files, make the server log. */
const SHORT =
  /ENOSPC|EROFS|EDQUOT|EMFILE|ENFILE|No space left|disk is full|disk_full|read-only|Read-only|too many open files/i;
const SHORTAGES: readonly Fault[] = [
  'full-disk',
  'full-disk-and-kill-server',
  'no-inodes',
  'no-inodes-and-kill-server',
  'read-only',
  'read-only-and-kill-server',
  'few-files',
];

/** What a git says that has begun in the mount which was to be read-only, and was taken away to be tried again. No disk does that. */
const DETACHED = /Unable to read current working directory/;

/** The lines of a server's log that tell of a defect: errors nobody foresaw. */
export function strangeLines(log: string, fault: Fault): string[] {
  const known = [
    ...(SHORTAGES.includes(fault) ? [SHORT] : []),
    ...(fault === 'read-only' || fault === 'read-only-and-kill-server' ? [DETACHED] : []),
  ];
  return log.split('\n').filter((line) => isStrange(line) && !known.some((one) => one.test(line)));
}

function isStrange(line: string): boolean {
  if (!line.startsWith('{')) return /^\s+at .*:\d+|^\(node:\d+\)|Unhandled|^\w*Error:/.test(line);
  const { level, err } = JSON.parse(line) as { level: number; err?: { type?: string } };
  if (err?.type === 'Refusal') return false;
  return level >= 50 || (err !== undefined && ['TypeError', 'RangeError', 'ReferenceError'].includes(err.type ?? ''));
}
