import { innerCommand, innerOrder } from './inner.js';
import { isWithin } from '../../../lib/within.js';
import { parentsOf, type Caged, type CageSpec, type Machine } from './spec.js';

/** The most that a process may keep in each of its own folders that live in memory, in bytes. */
const MOST_IN_MEMORY = 1024 ** 3;

/** What `cage.py` needs to become somebody else, and gives up then. */
const CAPABILITIES = ['CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP'];

/** What is put into the cage, by where it stands there. */
type Mount = { path: string } & (
  { kind: 'folder' | 'read-only' | 'writable' | 'device' } | { kind: 'memory'; perms: string }
);

/**
 * A process in namespaces of its own: it sees the system's folders, what its spec names, and nothing else; no other process,
 * and no shared memory of others. The network is the machine's, unless its spec says otherwise. Whatever ends, it does not end with the server.
 */
export function inBubblewrap(spec: CageSpec, machine: Machine): Caged {
  return {
    command: [
      machine.bubblewrap,
      '--unshare-pid',
      '--unshare-ipc',
      '--unshare-uts',
      ...(spec.network === false ? ['--unshare-net'] : []),
      ...(machine.root
        ? ['--cap-drop', 'ALL', ...CAPABILITIES.flatMap((one) => ['--cap-add', one])]
        : ['--unshare-user', '--disable-userns']),
      ...[...machine.system.links].flatMap(([link, target]) => ['--symlink', target, link]),
      ...['--proc', '/proc', '--dev', '/dev'],
      ...mountsOf(spec, machine).flatMap(argumentsOf),
      ...['--remount-ro', '/', '--chdir', spec.cwd, '--'],
      ...innerCommand(spec, machine),
    ],
    order: innerOrder(spec, null),
    around: 2,
  };
}

/** The mounts of a spec, outer ones before those that stand in them. */
function mountsOf({ python, readOnly, writable, devices, cwd }: CageSpec, { inner, hidden, system }: Machine): Mount[] {
  const mounts = new Map<string, Mount>();
  const read = [...system.folders, inner, homeOf(python), ...readOnly].filter((path) => path !== '/');
  for (const path of ['/tmp', '/var/tmp', '/dev/shm']) mounts.set(path, { path, kind: 'memory', perms: '1777' });
  for (const path of read) mounts.set(path, { path, kind: 'read-only' });
  for (const path of hidden)
    if (read.some((one) => isWithin(path, one))) mounts.set(path, { path, kind: 'memory', perms: '0755' });
  for (const path of writable) mounts.set(path, { path, kind: 'writable' });
  for (const path of devices?.paths ?? []) mounts.set(path, { path, kind: 'device' });
  // bubblewrap makes what is missing on the way, and for its maker alone.
  for (const path of [...mounts.keys(), `${cwd}/.`].flatMap(parentsOf)) {
    if (!isWithin(path, '/dev') && ![...mounts.keys()].some((one) => holds(mounts, one, path)))
      mounts.set(path, { path, kind: 'folder' });
  }
  return [...mounts.values()].sort((a, b) => depth(a.path) - depth(b.path) || (a.path < b.path ? -1 : 1));
}

/** True where a path is in the cage already, as part of a folder that is bound. */
function holds(mounts: ReadonlyMap<string, Mount>, folder: string, path: string): boolean {
  const kind = mounts.get(folder)?.kind;
  return isWithin(path, folder) && (kind === 'read-only' || kind === 'writable' || path === folder);
}

const BINDS = { writable: '--bind-try', 'read-only': '--ro-bind-try', device: '--dev-bind-try' };

function argumentsOf(mount: Mount): string[] {
  const { path } = mount;
  if (mount.kind === 'folder') return ['--perms', '0755', '--dir', path];
  if (mount.kind === 'memory') return ['--perms', mount.perms, '--size', String(MOST_IN_MEMORY), '--tmpfs', path];
  return [BINDS[mount.kind], path, path];
}

/** The folder that a Python is installed in: its libraries stand beside it. */
export function homeOf(python: string): string {
  return parentsOf(python).at(-2) ?? '/';
}

function depth(path: string): number {
  return path.split('/').length;
}
