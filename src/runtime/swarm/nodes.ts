import { LABELS } from '../docker/engine.js';
import type { NodeFacts, ServiceFacts, TaskFacts } from './cluster.js';

/** A machine of a Swarm, and what of ours runs there. */
export interface SwarmNode {
  name: string;
  /** Where Swarm reaches it; null where it does not say. */
  address: string | null;
  role: 'manager' | 'worker';
  /** Swarm's own words: `ready`, `down`, `disconnected` or `unknown`. */
  state: string;
  /** Whether it gets new work: `active`, `pause` or `drain`. */
  availability: string;
  /** One entry for each process of an app. */
  apps: { id: string; release: number; state: string }[];
}

/** What a Swarm told, at one moment. */
export interface Told {
  nodes: readonly NodeFacts[];
  services: readonly ServiceFacts[];
  tasks: readonly TaskFacts[];
}

/**
 * The machines of a Swarm by their names, each with the apps that Swarm has sent there.
 * @param mark what the marks of this server's services begin with; those of others are left out
 */
export function nodesOf({ nodes, services, tasks }: Told, mark: string): SwarmNode[] {
  const releases = new Map(
    services.flatMap(({ ID: id, Spec: { Labels: labels } }) => {
      const full = labels?.[LABELS.mark] ?? '';
      const [app = '', release = ''] = full.slice(mark.length + 1).split('/');
      return full.startsWith(`${mark}/`) ? [[id, { id: app, release: Number(release) }] as const] : [];
    }),
  );
  const appsOn = (node: string): SwarmNode['apps'] =>
    tasks
      .flatMap(({ NodeID: there, ServiceID: service = '', Status: { State: state } }) => {
        const release = releases.get(service);
        return there === node && release !== undefined ? [{ ...release, state }] : [];
      })
      .sort((a, b) => a.id.localeCompare(b.id) || a.release - b.release);
  return nodes
    .map(({ ID: id, Spec, Description, Status }) => ({
      name: Description.Hostname,
      address: Status.Addr ?? null,
      role: Spec.Role === 'manager' ? ('manager' as const) : ('worker' as const),
      state: Status.State,
      availability: Spec.Availability,
      apps: appsOn(id),
    }))
    .sort((a, b) => a.name.localeCompare(b.name));
}
