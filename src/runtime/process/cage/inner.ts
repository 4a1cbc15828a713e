import type { CageSpec, Machine } from './spec.js';

/** What Landlock lets a process read, and write. */
export interface Rules {
  read: readonly string[];
  write: readonly string[];
  /** Written and read as well, but not listed. */
  unlisted: readonly string[];
}

/** argv of the cage's last step. It ignores what the environment says to Python, and runs no package's code. */
export function innerCommand(spec: CageSpec, machine: Machine): string[] {
  return [spec.python, '-I', '-S', machine.inner];
}

/** What the last step is told: on a descriptor, since the environment holds secrets and argv is for all to see. */
export function innerOrder(spec: CageSpec, landlock: Rules | null): string {
  const { command, cwd, environment, uid, umask, unixSockets, userNamespaces, devices, listener = false } = spec;
  // A user who stands in no list has no name, which some programs cannot do without.
  const user = uid === undefined ? {} : { USER: 'app', LOGNAME: 'app' };
  const order = {
    argv: command,
    cwd,
    environment: { ...user, ...environment },
    landlock,
    umask,
    unixSockets,
    userNamespaces,
    groups: devices?.groups ?? [],
    listener,
  };
  return `${JSON.stringify(uid === undefined ? order : { ...order, uid })}\n`;
}
