import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Refusal } from '../../errors.js';
import { authorityOf, type HostAddress } from '../../lib/address.js';
import { Deadline } from '../../lib/deadline.js';
import { asClause } from '../../lib/words.js';
import { EngineError, LABELS } from '../docker/engine.js';
import { AppPort } from '../process/app-port.js';
import type { Confines, Machine } from '../process/cage/spec.js';
import { socketPath } from '../process/listener.js';
import type { Ports } from '../process/ports.js';
import type { BeginSpec, Instance, InstanceRecord, Lease, Runtime, Usage } from '../runtime.js';
import { AT } from './base.js';
import { isOver, type Cluster, type ServiceFacts, type TaskFacts } from './cluster.js';
import { Door } from './door.js';
import { copyOf, entryFrame } from './files.js';
import type { ComingHome, Homes } from './homes.js';
import { ARCHITECTURE, type Images } from './images.js';
import { nodesOf, type SwarmNode } from './nodes.js';
import { describeService, type OrderedFolders } from './service-spec.js';
import { NotBegun, SwarmInstance, type Opening, type SwarmParts } from './swarm-instance.js';
import type { Tunnel } from './tunnel.js';

/** What the records of services are tagged with. */
export const SWARM = 'swarm';

/** How long the first step of a task may take, the choice of a machine included, in ms. */
const READY_MS = 60_000;
/** What Docker says of a task whose image its machine does not have and does not get. */
const NO_IMAGE = /No such image/;
/** How long Swarm may take to end what was removed, in ms. */
const GONE_MS = 15_000;

export interface SwarmRuntimeOptions {
  cluster: Cluster;
  /** Where instances connect to. */
  tunnel: Tunnel;
  /** Where they find that. */
  server: HostAddress;
  /** What the marks of this data folder's own services begin with. */
  mark: string;
  /** The data folder, without links in its path: all machines have it there. */
  data: string;
  ports: Ports;
  /** For the sockets at which instances are reached. */
  sockets: string;
  images: Images;
  /** Folders of which instances get the files that their orders name. */
  ordered: OrderedFolders;
  /** Which machines keep the files of which apps; the data folder has them, on every machine, unless given. */
  homes?: Homes | undefined;
  machine: Pick<Machine, 'system' | 'hidden'>;
}

/**
 * Runs apps as services of a Swarm, one for each process. An instance connects to the server and not the other way round, gets
 * its order over that connection, and is reached at a socket of this machine all the same.
 */
export class SwarmRuntime implements Runtime {
  readonly kind = SWARM;
  readonly #options: SwarmRuntimeOptions;
  /** What it has begun or adopted and what still runs, by the marks. */
  readonly #instances = new Map<string, SwarmInstance>();

  constructor(options: SwarmRuntimeOptions) {
    this.#options = options;
  }

  /** Tries whether there is a Swarm, and whether the registry takes images. @throws Refusal `docker-unavailable`, `swarm-manager-missing` or `registry-unavailable` */
  async tryOut(): Promise<void> {
    const { cluster, images } = this.#options;
    await cluster.greet();
    await images.tryOut();
  }

  async provide(environment: string): Promise<string | undefined> {
    return this.#options.images.provide(environment);
  }

  async forget(environment: string): Promise<void> {
    await this.#options.images.forget(environment);
  }

  /** Interrupts what it does in the background. */
  async close(): Promise<void> {
    await this.#options.images.close();
  }

  /** The machines, and what of ours runs there. @throws Refusal `docker-unavailable` */
  async nodes(): Promise<SwarmNode[]> {
    const { cluster, mark } = this.#options;
    const [nodes, services, tasks] = await Promise.all([cluster.nodes(), cluster.marked(), cluster.wantedTasks()]);
    return nodesOf({ nodes, services, tasks }, mark);
  }

  /** Only the server's own processes have ports. */
  lease(port?: number): Lease {
    return new AppPort(this.#options.ports, port);
  }

  async begin(spec: BeginSpec): Promise<Instance> {
    if (spec.confines?.network === false)
      throw new Refusal(
        'unavailable',
        'app-not-started',
        'Apps without a network cannot run on a Swarm. Remove "network = false" from streamlit-host.toml.',
      );
    try {
      return await this.#begin(spec).catch(async (error: unknown) => {
        if (!(error instanceof NotBegun) || !NO_IMAGE.test(error.message)) throw error;
        await this.#options.images.again(spec.confines?.parts?.environment);
        return this.#begin(spec);
      });
    } catch (error) {
      if (error instanceof NotBegun) throw notStarted(spec, error.message);
      if (!(error instanceof EngineError)) throw error;
      throw new Refusal('unavailable', 'app-not-started', `Docker did not start the app: ${asClause(error.message)}.`);
    }
  }

  async #begin(spec: BeginSpec): Promise<Instance> {
    const { cluster, tunnel, sockets, images } = this.#options;
    const { app, confines, environment } = spec;
    const image = await images.of(confines?.parts?.environment);
    const home = confines?.parts && (await this.#options.homes?.of(app));
    const name = `streamlit-host-${randomUUID()}`;
    const mark = `${this.#options.mark}/${app}/${spec.release}/${name}`;
    const cage = { kind: 'container', ownUser: confines?.uid !== undefined, network: true } as const;
    const record: InstanceRecord = { runtime: SWARM, mark, cage };
    const door = await Door.open(socketPath(sockets, mark));
    const instance = this.#own(record, door, {
      environment,
      opening: openingOf(spec),
      ...(home && { settle: (send) => this.#settle(name, spec, home, send) }),
    });
    try {
      await cluster.create(await this.#describe(name, mark, spec, image, home));
      instance.watch();
      await instance.begun(READY_MS);
      if (spec.log !== undefined) await instance.logTo(spec.log);
      return instance;
    } catch (error) {
      tunnel.forget(name);
      await instance.sweep().catch(() => undefined); // The next sweep finds it.
      instance.leave();
      throw error;
    }
  }

  /** Before the first order of an app without a home, it gets the files that it has had on this machine. */
  async #settle(
    name: string,
    { app, confines }: BeginSpec,
    begun: ComingHome,
    send: (frames: AsyncIterable<Buffer>) => Promise<void>,
  ): Promise<void> {
    const storage = confines?.parts?.storage;
    if (storage !== undefined)
      await this.#options.homes?.settle(app, name, begun, () => send(copyOf(storage, AT.storage)));
  }

  async adopt(record: InstanceRecord): Promise<Instance | undefined> {
    if ((await this.#find(record)) === undefined || !(await this.#runs(record.mark))) return undefined;
    const door = await Door.open(socketPath(this.#options.sockets, record.mark));
    const { mark, cage } = record;
    const instance = this.#own({ runtime: SWARM, mark, ...(cage && { cage }) }, door, {});
    instance.watch();
    return instance;
  }

  async discard(record: InstanceRecord): Promise<void> {
    if (record.runtime !== this.kind) return;
    const service = await this.#find(record);
    if (service !== undefined) await this.#end([service]);
    await this.#tidy(record.mark);
  }

  async isForeign(record: InstanceRecord): Promise<boolean> {
    if (record.mark.startsWith(`${this.#options.mark}/`)) return false;
    const service = await this.#find(record);
    if (service === undefined || service.Spec.Labels?.[LABELS.data] === (await this.#data())) return false;
    return this.#runs(record.mark);
  }

  async sweep(keep: ReadonlySet<string>, unknown: ReadonlySet<string> = new Set()): Promise<void> {
    const { cluster, mark: own } = this.#options;
    const lost = (await cluster.marked()).filter((service) => {
      const mark = markOf(service);
      const [app = ''] = mark.slice(own.length + 1).split('/');
      return mark.startsWith(`${own}/`) && !keep.has(mark) && !unknown.has(app);
    });
    await cluster.sweepPulls(own);
    await this.#end(lost);
    for (const service of lost) await this.#tidy(markOf(service));
  }

  usage(countsFiles = (_mark: string): boolean => false): ReadonlyMap<string, Usage> {
    const usage = new Map<string, Usage>();
    for (const [mark, { use }] of this.#instances) {
      if (use === undefined) continue;
      const { openFiles, ...rest } = use;
      usage.set(mark, { ...rest, ...(countsFiles(mark) && openFiles !== undefined && { openFiles }) });
    }
    return usage;
  }

  async #describe(
    name: string,
    mark: string,
    { confines = {}, log, ...spec }: Omit<BeginSpec, 'confines'> & { confines?: Partial<Confines> | undefined },
    image: string,
    home: ComingHome | undefined,
  ): Promise<object> {
    // What begins ahead has no log. Its release may need more memory, and a service cannot be changed: it is watched instead.
    const limits = { ...spec.limits, ...(log === undefined && { memory: undefined }) };
    const { machine, ordered, tunnel, server } = this.#options;
    const user = { uid: confines.uid ?? process.getuid?.() ?? 0, gid: confines.uid ?? process.getgid?.() ?? 0 };
    return describeService(
      {
        ...{ name, mark, data: await this.#data(), image, first: AT.agent, confines, ordered },
        ...{ ...machine, user, limits, server: authorityOf(server), ticket: tunnel.ticket(name) },
        ...{ architecture: ARCHITECTURE, volume: home?.volume, node: home?.node },
      },
      existsSync,
    );
  }

  #own(
    record: InstanceRecord,
    door: Door,
    parts: Pick<SwarmParts, 'environment' | 'opening' | 'settle'>,
  ): SwarmInstance {
    const { cluster, tunnel } = this.#options;
    const { mark } = record;
    const name = nameOf(mark);
    const instance: SwarmInstance = new SwarmInstance({
      ...{ cluster, name, record, door, position: positionOf(door.path), ...parts },
      released: () => {
        leaveSeat();
        if (this.#instances.get(mark) === instance) this.#instances.delete(mark);
      },
    });
    const leaveSeat = tunnel.seat(name, instance);
    this.#instances.set(mark, instance);
    return instance;
  }

  /** Ends services, and waits until their containers are gone. */
  async #end(services: readonly ServiceFacts[]): Promise<void> {
    const { cluster } = this.#options;
    const names = services.map(({ Spec: { Name: name } }) => name);
    for (const name of names) await cluster.remove(name);
    if (names.length === 0) return;
    const nodes = await cluster.nodes();
    // A machine that is away ends it when it is back.
    const away = new Set(nodes.filter(({ Status }) => Status.State === 'down').map(({ ID: id }) => id));
    const isGone = (task: TaskFacts): boolean => isOver(task) || away.has(task.NodeID ?? '');
    const deadline = new Deadline(GONE_MS);
    for (const name of names) while (!deadline.isOver && !(await cluster.tasks(name)).every(isGone)) await sleep(50);
  }

  async #find({ runtime, mark }: InstanceRecord): Promise<ServiceFacts | undefined> {
    if (runtime !== this.kind) return undefined;
    const service = await this.#options.cluster.service(nameOf(mark));
    return service?.Spec.Labels?.[LABELS.mark] === mark ? service : undefined;
  }

  async #runs(mark: string): Promise<boolean> {
    const tasks = await this.#options.cluster.tasks(nameOf(mark));
    return tasks.some((task) => !isOver(task));
  }

  async #tidy(mark: string): Promise<void> {
    const socket = socketPath(this.#options.sockets, mark);
    await Promise.all([socket, positionOf(socket)].map((path) => rm(path, { force: true })));
  }

  /** Tells the data folder from a copy of it, and is the same where it was moved. */
  async #data(): Promise<string> {
    const facts = await stat(this.#options.data).catch(() => undefined); // It is not there yet.
    return facts === undefined ? '' : `${facts.dev}:${facts.ino}`;
  }
}

function markOf({ Spec: { Labels: labels } }: ServiceFacts): string {
  return labels?.[LABELS.mark] ?? '';
}

/** The name of a service, which is the end of its mark. */
function nameOf(mark: string): string {
  return mark.split('/').at(-1) ?? '';
}

/** The file that says how far an instance's output is in its log. */
function positionOf(socket: string): string {
  return `${socket}.at`;
}

/** What an instance gets before its order. */
function openingOf({ confines, cwd, command, environment, files = [] }: BeginSpec): Opening {
  const parts = confines?.parts;
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const argv = command.map((word) => (word === parts?.launcher ? AT.launcher : word));
  const head = [String(confines?.umask ?? 0o077), cwd, String(argv.length), ...argv, ...variables].join('\0');
  const frames = parts === undefined ? [] : [entryFrame('l', parts.storage, 0, AT.storage)];
  return { frames, files: parts === undefined ? [] : files, head: Buffer.from(head) };
}

function notStarted(spec: BeginSpec, said: string): Refusal {
  const [program = ''] = spec.command;
  const sentence =
    said === '127'
      ? `${program} does not exist. Run "streamlit-host rollback ${spec.app} ${spec.release}" to build it again.`
      : `The app's container could not be set up: ${asClause(said)}.`;
  return new Refusal('unavailable', 'app-not-started', sentence);
}
