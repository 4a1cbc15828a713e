import type { Exit, InstanceRecord } from './runtime.js';

/** Describes the instance for people who look at the machine. */
export function nameOf({ pid, mark }: InstanceRecord, between = '='): string {
  return pid === undefined ? `instance${between}${mark}` : `pid${between}${pid}`;
}

/**
 * Says what its ports tell of a process that does not answer; empty if it has none and should not.
 * @param port the one on which it should listen
 */
export function whereItListens(port: number | undefined, ports: readonly number[]): string {
  if (port !== undefined && ports.includes(port)) return ' (listening, but not answering)';
  if (ports.length > 0) return ` (listening on ${ports.join(', ')} instead)`;
  return port === undefined ? '' : ' (not listening on any port)';
}

/** Says how a process ended: by a signal, or with a code. */
export function howItEnded({ code, signal, outOfMemory }: Exit): string {
  if (outOfMemory === true) return 'the app used up its memory';
  if (signal !== null) return `the app was killed by ${signal}`;
  return code === null ? 'the app exited' : `the app exited with code ${code}`;
}
