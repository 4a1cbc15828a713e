import { createHash } from 'node:crypto';
import { Refusal } from '../../errors.js';
import type { Cluster, NodeFacts } from './cluster.js';

/** Where an app's own files are, once it has run. */
export interface Home {
  /** The machine, by its id and its name. */
  node: string;
  name: string;
  /** The volume of that machine. */
  volume: string;
}

/** Where those of an app will be, as long as no machine has them: on the one that Swarm chooses. */
export type ComingHome = Partial<Home> & Pick<Home, 'volume'>;

/** Remembers which machine has the files of which app. */
export interface KnownHomes {
  of(app: string): Home | undefined;
  /** @throws Error where there is no such app */
  settle(app: string, home: Home): Promise<void>;
}

export interface HomesOptions {
  cluster: Pick<Cluster, 'nodes' | 'tasks'>;
  known: KnownHomes;
  /** What the marks of this data folder's own services begin with. */
  mark: string;
}

/**
 * Binds each app to the machine that runs it first, where its own files are in a volume. A machine that was removed from the Swarm
 * binds nothing any more, and what is there is given up.
 */
export class Homes {
  readonly #options: HomesOptions;

  constructor(options: HomesOptions) {
    this.#options = options;
  }

  /** Returns where an app is to run. @throws Refusal `app-not-started` where its machine gets no work */
  async of(app: string): Promise<ComingHome> {
    const { cluster, known, mark } = this.#options;
    const home = known.of(app);
    const node = home && (await cluster.nodes()).find(({ ID: id }) => id === home.node);
    if (home === undefined || node === undefined) {
      const own = createHash('sha256').update(`${mark}/${app}`).digest('hex').slice(0, 12);
      return { volume: `streamlit-host-${app}-${own}` };
    }
    const why = whyIdle(node);
    if (why === undefined) return home;
    throw new Refusal(
      'unavailable',
      'app-not-started',
      `The files of ${app} are on ${home.name}, which is ${why}. Bring that machine back, or give them up with "docker node rm --force ${home.name}".`,
    );
  }

  /**
   * Binds an app to the machine that it was begun on, unless it is bound already.
   * @param fill puts the files there that it has had on this machine
   * @throws Refusal `app-not-started` where it was bound to another one meanwhile
   */
  async settle(app: string, service: string, begun: ComingHome, fill: () => Promise<void>): Promise<void> {
    const { cluster, known } = this.#options;
    if (begun.node !== undefined) return;
    const [[task], nodes] = await Promise.all([cluster.tasks(service), cluster.nodes()]);
    const node = nodes.find(({ ID: id }) => id === task?.NodeID);
    // It has ended, and that tells more.
    if (node === undefined) return;
    const home = known.of(app);
    if (home?.node === node.ID) return;
    if (home !== undefined && nodes.some(({ ID: id }) => id === home.node))
      throw new Refusal(
        'unavailable',
        'app-not-started',
        `The files of ${app} are on ${home.name} by now. Deploy again.`,
      );
    await fill();
    await known.settle(app, { node: node.ID, name: node.Description.Hostname, volume: begun.volume });
  }
}

/** Why a machine gets no work; undefined where it does. */
function whyIdle({ Status, Spec }: NodeFacts): string | undefined {
  if (Status.State !== 'ready') return Status.State;
  return Spec.Availability === 'active' ? undefined : `set to ${Spec.Availability}`;
}
