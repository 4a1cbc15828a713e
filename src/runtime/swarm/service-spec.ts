import { filesOf, type ContainerSpec, type Mount } from '../docker/container-spec.js';
import { LABELS } from '../docker/engine.js';
import type { Limits } from '../runtime.js';

/** How long Swarm gives an app that it ends by itself, in ns: where its machine is drained, or its service removed. */
const GRACE_NS = 5_000_000_000;
/** How much of what lives in memory there may be, in bytes: 1 GiB each. */
const TMPFS_BYTES = 1_073_741_824;
const TMPFS = ['/tmp', '/var/tmp'];

/** What a service is made of. */
export interface ServiceSpec extends Pick<
  ContainerSpec,
  'mark' | 'data' | 'image' | 'first' | 'confines' | 'system' | 'hidden' | 'user' | 'limits'
> {
  name: string;
  /** Where its instance finds the server, as what, and with which word. */
  server: string;
  ticket: string;
}

/**
 * A service as Swarm is told to make it (https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Service/operation/ServiceCreate).
 * It has one task, which is never started again or moved by Swarm: the server does that, and knows when to give up. Nothing of
 * the app's variables stands in it.
 * @param exists whether the machine has a path: what is missing is left out
 */
export function describeService(spec: ServiceSpec, exists: (path: string) => boolean): object {
  const { name, mark, data, image, first, confines, user, server, ticket } = spec;
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
        Mounts: [...filesOf(spec, exists), ...TMPFS.map(inMemory)],
        ReadOnly: true,
        CapabilityDrop: ['ALL'],
        StopGracePeriod: GRACE_NS,
        // The first step does what it is for.
        Init: false,
      },
      Resources: { Limits: resourcesOf(spec.limits) },
      RestartPolicy: { Condition: 'none' },
      // All that it prints goes to the server.
      LogDriver: { Name: 'none' },
    },
    Mode: { Replicated: { Replicas: 1 } },
    // Nobody looks for it: it comes to the server.
    EndpointSpec: { Mode: 'dnsrr' },
  };
}

/** Limits in Swarm's words. */
function resourcesOf({ memory, tasks, cpu }: Limits): object {
  return {
    ...(memory !== undefined && { MemoryBytes: memory }),
    ...(tasks !== undefined && { Pids: tasks }),
    ...(cpu !== undefined && { NanoCPUs: Math.round(Math.max(cpu, 0.01) * 1e9) }),
  };
}

function inMemory(path: string): Mount & { TmpfsOptions: object } {
  return { Type: 'tmpfs', Target: path, TmpfsOptions: { SizeBytes: TMPFS_BYTES, Mode: 0o1777 } };
}
