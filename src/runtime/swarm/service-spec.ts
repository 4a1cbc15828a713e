import { isWithin } from '../../lib/within.js';
import { filesOf, type ContainerSpec, type Mount } from '../docker/container-spec.js';
import { LABELS } from '../docker/engine.js';
import type { Parts } from '../process/cage/spec.js';
import type { Limits } from '../runtime.js';
import { AT } from './base.js';

/** How long Swarm gives an app that it ends by itself, in ns: where its machine is drained, or its service removed. */
const GRACE_NS = 5_000_000_000;
/** How much of what lives in memory there may be, in bytes: 1 GiB each. */
const TMPFS_BYTES = 1_073_741_824;
const TMPFS = ['/tmp', '/var/tmp'];
/** How much secrets may take, in bytes. */
const SECRETS_BYTES = 16_777_216;

/** Folders of which an instance gets the files that its order names. */
export interface OrderedFolders {
  /** What may be on disk, and counts for no memory. */
  releases: string;
  /** What stays in memory. */
  secrets: string;
}

/** What a service is made of. */
export interface ServiceSpec extends Pick<
  ContainerSpec,
  'mark' | 'data' | 'image' | 'first' | 'confines' | 'system' | 'hidden' | 'user' | 'limits'
> {
  name: string;
  /** Where its instance finds the server, as what, and with which word. */
  server: string;
  ticket: string;
  ordered: OrderedFolders;
  /** The volume with the app's own files, on the machine that it is bound to; its folder of the data folder unless given. */
  volume?: string | undefined;
  /** The id of the only machine that may run it. */
  node?: string | undefined;
  /** The processor for which the image is. */
  architecture: string;
}

/**
 * A service as Swarm is told to make it (https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Service/operation/ServiceCreate).
 * It has one task, which is never started again or moved by Swarm: the server does that, and knows when to give up. Nothing of
 * the app's variables stands in it.
 * @param exists whether the machine has a path: what is missing is left out
 */
export function describeService(spec: ServiceSpec, exists: (path: string) => boolean): object {
  const { name, mark, data, image, first, confines, user, server, ticket, architecture, node } = spec;
  const labels = { [LABELS.mark]: mark, [LABELS.data]: data };
  return {
    Name: name,
    Labels: labels,
    TaskTemplate: {
      ContainerSpec: {
        Image: image,
        Command: [confines.python ?? 'python3', '-I', '-S', first],
        Env: [`STREAMLIT_HOST_SERVER=${server}`, `STREAMLIT_HOST_INSTANCE=${name}`, `STREAMLIT_HOST_TICKET=${ticket}`],
        User: `${user.uid}:${user.gid}`,
        Labels: labels,
        Mounts: [...mountsOf(spec, exists), ...TMPFS.map((path) => inMemory(path, TMPFS_BYTES))],
        ReadOnly: true,
        CapabilityDrop: ['ALL'],
        StopGracePeriod: GRACE_NS,
        // The first step does what it is for.
        Init: false,
      },
      Resources: { Limits: resourcesOf(spec.limits) },
      RestartPolicy: { Condition: 'none' },
      Placement: {
        Platforms: [{ OS: 'linux', Architecture: architecture }],
        ...(node !== undefined && { Constraints: [`node.id==${node}`] }),
      },
      // All that it prints goes to the server.
      LogDriver: { Name: 'none' },
    },
    Mode: { Replicated: { Replicas: 1 } },
    // Nobody looks for it: it comes to the server.
    EndpointSpec: { Mode: 'dnsrr' },
  };
}

/** A service that does nothing, once on every machine: so each of them has its image. */
export function describePull(name: string, image: string, mark: string): object {
  const labels = { [LABELS.pull]: mark };
  return {
    Name: name,
    Labels: labels,
    TaskTemplate: {
      ContainerSpec: {
        Image: image,
        Command: ['/usr/bin/true'],
        Labels: labels,
        Mounts: [{ Type: 'bind', Source: '/usr', Target: '/usr', ReadOnly: true }],
        ReadOnly: true,
        CapabilityDrop: ['ALL'],
        Init: false,
      },
      RestartPolicy: { Condition: 'none' },
      LogDriver: { Name: 'none' },
    },
    Mode: { GlobalJob: {} },
  };
}

/**
 * Where an app's files come from. The system is the machine's own. What the image has needs no mount, and what its order names goes
 * into folders that are empty at first.
 */
function mountsOf(
  { confines, system, hidden, ordered, volume }: ServiceSpec,
  exists: (path: string) => boolean,
): (Mount & object)[] {
  const { parts } = confines;
  if (parts === undefined) return filesOf({ confines, system, hidden }, exists);
  const { readOnly = [], writable = [] } = confines;
  const own = [parts.environment, parts.launcher, ...parts.ordered];
  // Python is the system's, or else in the image.
  const others = {
    readOnly: readOnly.filter((path) => !own.includes(path)),
    writable: writable.filter((path) => path !== parts.storage),
  };
  return [
    ...filesOf({ confines: others, system: systemFor(parts, system), hidden: [] }, exists),
    // Without a name, it goes with its container.
    { Type: 'volume', Target: ordered.releases },
    inMemory(ordered.secrets, SECRETS_BYTES),
    volume === undefined
      ? { Type: 'bind', Source: parts.storage, Target: AT.storage, ReadOnly: false }
      : { Type: 'volume', Source: volume, Target: AT.storage },
  ];
}

/** The system's folders, without one that would hide the environment in the image. */
function systemFor({ environment }: Parts, system: ServiceSpec['system']): ServiceSpec['system'] {
  return { ...system, folders: system.folders.filter((one) => !isWithin(environment, one)) };
}

/** Limits in Swarm's words. */
function resourcesOf({ memory, tasks, cpu }: Limits): object {
  return {
    ...(memory !== undefined && { MemoryBytes: memory }),
    ...(tasks !== undefined && { Pids: tasks }),
    ...(cpu !== undefined && { NanoCPUs: Math.round(Math.max(cpu, 0.01) * 1e9) }),
  };
}

function inMemory(path: string, bytes: number): Mount & { TmpfsOptions: object } {
  return { Type: 'tmpfs', Target: path, TmpfsOptions: { SizeBytes: bytes, Mode: 0o1777 } };
}
