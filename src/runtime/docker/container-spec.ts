import { availableParallelism } from 'node:os';
import { isWithin } from '../../lib/within.js';
import { homeOf } from '../process/cage/bubblewrap.js';
import type { Confines, Machine } from '../process/cage/spec.js';
import type { Limits } from '../runtime.js';
import { LABELS } from './engine.js';

/** Where a container has what its instance is handed. */
export const HANDED = { log: '/run/streamlit-host/log', sockets: '/run/streamlit-host/sockets' } as const;
/** The socket's name there. */
export const SOCKET = 'app';

/** The system's folders of which every container has its own. */
const OWN = ['/sys', '/proc', '/dev'];
/** What lives in memory, and how much that may be: 1 GiB each. */
const TMPFS = Object.fromEntries(
  ['/tmp', '/var/tmp'].map((path) => [path, 'rw,exec,nosuid,nodev,mode=1777,size=1073741824']),
);

/** What a container is made of. */
export interface ContainerSpec {
  mark: string;
  /** Tells the data folder from others. */
  data: string;
  image: string;
  /** The place of `python/container.py`. */
  first: string;
  confines: Partial<Confines>;
  system: Machine['system'];
  /** Folders that stay hidden, whatever lies around them: the server's own data. */
  hidden: readonly string[];
  /** The user and the group. */
  user: { uid: number; gid: number };
  limits: Limits;
  /** The network of containers that may have one. */
  network: string;
  /** The log on the machine, and the folder for the socket; nothing where it is handed no socket. */
  log: string;
  sockets: string | undefined;
}

/** A mount in Docker's words. */
export interface Mount {
  Type: 'bind' | 'tmpfs' | 'volume';
  Source?: string;
  Target: string;
  ReadOnly?: boolean;
}

/**
 * A container as Docker is told to make it (https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerCreate).
 * @param exists whether the machine has a path: what is missing is left out
 */
export function describeContainer(spec: ContainerSpec, exists: (path: string) => boolean): object {
  const { confines, user, network } = spec;
  return {
    Image: spec.image,
    Cmd: [confines.python ?? 'python3', '-I', '-S', spec.first],
    User: `${user.uid}:${user.gid}`,
    // Its stdin ends with the connection, so one without an order ends with the server.
    ...{ OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true, AttachStderr: true },
    Labels: { [LABELS.mark]: spec.mark, [LABELS.data]: spec.data },
    HostConfig: {
      Mounts: [...filesOf(withFirst(spec), exists), ...handedOf(spec)],
      Tmpfs: TMPFS,
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      NetworkMode: confines.network === false ? 'none' : network,
      // The first step does what it is for.
      Init: false,
      // All that it prints goes into the log that it is handed.
      LogConfig: { Type: 'none' },
      GroupAdd: (confines.devices?.groups ?? []).map(String),
      Devices: (confines.devices?.paths ?? []).map((path) => ({
        PathOnHost: path,
        PathInContainer: path,
        CgroupPermissions: 'rwm',
      })),
      ...resourcesOf(spec.limits),
    },
  };
}

/** Limits in Docker's words. Swap is not to be had in addition to memory. */
export function resourcesOf({ memory, tasks, cpu }: Limits): object {
  return {
    ...(memory !== undefined && { Memory: memory, MemorySwap: memory }),
    ...(tasks !== undefined && { PidsLimit: tasks }),
    // Docker takes no more than there are.
    ...(cpu !== undefined && { NanoCpus: Math.round(Math.min(Math.max(cpu, 0.01), availableParallelism()) * 1e9) }),
  };
}

function handedOf({ log, sockets }: ContainerSpec): Mount[] {
  const bind = (source: string, at: string): Mount => ({ Type: 'bind', Source: source, Target: at, ReadOnly: false });
  return [bind(log, HANDED.log), ...(sockets === undefined ? [] : [bind(sockets, HANDED.sockets)])];
}

/** The first step is the machine's too. */
function withFirst(spec: ContainerSpec): ContainerSpec {
  return { ...spec, confines: { ...spec.confines, readOnly: [...(spec.confines.readOnly ?? []), spec.first] } };
}

/** What of the machine a container sees, by where it sees it. */
export function filesOf(
  { confines, system, hidden }: Pick<ContainerSpec, 'confines' | 'system' | 'hidden'>,
  exists: (path: string) => boolean,
): Mount[] {
  const { python, readOnly = [], writable = [] } = confines;
  const read = [
    ...system.folders.filter((one) => !OWN.includes(one)),
    ...(python ? [homeOf(python)] : []),
    ...readOnly,
  ];
  const mounts = new Map<string, Mount>();
  const bind = (source: string, at: string, ReadOnly: boolean): void => {
    if (source !== '/' && exists(source)) mounts.set(at, { Type: 'bind', Source: source, Target: at, ReadOnly });
  };
  for (const path of read) bind(path, path, true);
  for (const path of hidden)
    if (read.some((one) => isWithin(path, one))) mounts.set(path, { Type: 'tmpfs', Target: path });
  for (const path of writable) bind(path, path, false);
  return [...mounts.values()];
}
