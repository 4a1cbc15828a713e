import { realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CageKind } from '../domain/app/process-cage.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../logger.js';
import { DOCKER, DockerRuntime, type DockerRuntimeOptions } from '../runtime/docker/docker-runtime.js';
import { Engine } from '../runtime/docker/engine.js';
import type { Cage } from '../runtime/process/cage/cage.js';
import { readMachine } from '../runtime/process/cage/machine.js';
import { ControlGroups } from '../runtime/process/control-groups.js';
import type { Ports } from '../runtime/process/ports.js';
import { ProcessRuntime } from '../runtime/process/process-runtime.js';
import type { Runtime } from '../runtime/runtime.js';
import type { SwarmNode } from '../runtime/swarm/nodes.js';
import { SWARM } from '../runtime/swarm/swarm-runtime.js';
import { Runtimes } from '../runtime/runtimes.js';
import type { Config } from '../settings.js';
import type { AppStore } from '../store/apps.js';
import type { Paths } from '../store/paths.js';
import { openSwarm } from './swarm.js';

export interface RuntimeOptions {
  config: Pick<Config, 'runtime' | 'docker' | 'swarm'>;
  paths: Paths;
  /** Marks our child processes. */
  mark: string;
  ports: Ports;
  cage: Cage;
  /** The folder of the code that an app's Python runs first. */
  launcher: string;
  store: Pick<AppStore, 'list' | 'find' | 'update'>;
  logger: Logger;
}

/** What runs pushed apps, as people are told. */
export interface RuntimeFacts {
  kind: 'process' | 'docker' | 'swarm';
  /** Docker's; null for processes. */
  version: string | null;
}

/** What runs apps, and what the rest of the server must know of it. */
export interface OpenedRuntime {
  runtime: Runtime;
  /** What pushed apps run in. */
  cageKind: () => CageKind;
  /** True where every pushed app is a user of its own. */
  changesUser: () => boolean;
  facts: () => RuntimeFacts;
  /** Tries whether it works. @returns what it is, in one sentence @throws Refusal `docker-unavailable` */
  check: () => Promise<string>;
  /** Asks whether it answers: cheaper, and less. @throws Refusal `docker-unavailable` */
  ping: () => Promise<void>;
  /** The machines that apps run on; undefined where that is this one alone. @throws Refusal `docker-unavailable` */
  nodes: () => Promise<SwarmNode[] | undefined>;
  /** Interrupts what is done in the background. */
  rest: () => Promise<void>;
  /** Lets the next server take over what is connected from other machines. */
  leave: () => void;
  /** To be called when nothing of this server runs any more. */
  close: () => void;
}

/**
 * Opens what runs apps: what is set, and what an earlier server has used, as long as something of that runs.
 * @throws Refusal `docker-unavailable` where Docker or a Swarm is set and cannot be used
 */
export async function openRuntime(options: RuntimeOptions): Promise<OpenedRuntime> {
  const { config, paths, mark, ports, cage, launcher, store, logger } = options;
  const data = await realpath(paths.data);
  const groups = ControlGroups.open(mark);
  if (groups === undefined && config.runtime === 'process')
    logger.info('No control groups can be made here, so memory limits are only watched.');
  const common = { mark, data, ports, tmp: paths.tmp, sockets: paths.appSockets };
  const processes = new ProcessRuntime({ ...common, cage, groups });
  const plain: OpenedRuntime = {
    runtime: processes,
    cageKind: () => cage.kind,
    changesUser: () => cage.changesUser,
    facts: () => ({ kind: 'process', version: null }),
    check: () => Promise.resolve('Apps run as processes of this machine.'),
    ping: () => Promise.resolve(),
    nodes: () => Promise.resolve(undefined),
    rest: () => Promise.resolve(),
    leave: () => undefined,
    close: () => groups?.remove(),
  };
  const root = process.getuid?.() === 0;
  const openers: Record<string, () => Promise<OpenedDriver>> = {
    [DOCKER]: async () => openDocker(new Engine(config.docker.socket), { config, paths, launcher, common }),
    [SWARM]: async () => openSwarm({ ...common, config, paths, launcher, store, logger }),
  };
  const drivers = new Map<string, OpenedDriver>();
  for (const [kind, open] of Object.entries(openers)) {
    const wanted = config.runtime === kind;
    if (!wanted && !store.list().some((app) => app.processes.some(({ runtime }) => runtime === kind))) continue;
    try {
      drivers.set(kind, await open());
    } catch (error) {
      if (wanted) throw error;
      logger.warn(`${messageOf(error)} Containers of an earlier server are left alone.`);
    }
  }
  const chosen = drivers.get(config.runtime);
  const others = [...drivers.values()].filter((one) => one !== chosen).map(({ runtime }) => runtime);
  const leave = (): void => {
    for (const driver of drivers.values()) driver.leave?.();
  };
  const rest = async (): Promise<void> => {
    for (const driver of drivers.values()) await driver.rest?.();
  };
  const runtime = new Runtimes({ processes, confined: chosen?.runtime ?? processes, others });
  if (chosen === undefined) return drivers.size === 0 ? plain : { ...plain, runtime, leave, rest };
  await chosen.runtime.tryOut();
  logger.info(await chosen.sentence());
  // What is built and checked out here must be readable for the users that apps become; the data folder itself is not.
  if (root) process.umask(0o022);
  return {
    ...plain,
    ...{ runtime, leave, rest },
    cageKind: () => 'container',
    changesUser: () => root,
    facts: () => ({ kind: config.runtime, version: chosen.engine.version }),
    check: async () => {
      await chosen.runtime.tryOut();
      return chosen.sentence();
    },
    ping: () => chosen.engine.greet(),
    nodes: async () => chosen.runtime.nodes?.(),
  };
}

/** What runs apps with the help of Docker. */
interface OpenedDriver {
  runtime: Runtime & { tryOut(): Promise<void>; nodes?(): Promise<SwarmNode[]> };
  engine: Engine;
  /** What it is, in one sentence. */
  sentence: () => Promise<string>;
  leave?: () => void;
  rest?: () => Promise<void>;
}

async function openDocker(
  engine: Engine,
  {
    config,
    paths,
    launcher,
    common,
  }: Pick<RuntimeOptions, 'config' | 'paths' | 'launcher'> & {
    common: Pick<DockerRuntimeOptions, 'mark' | 'data' | 'ports' | 'tmp' | 'sockets'>;
  },
): Promise<OpenedDriver> {
  await engine.greet();
  const runtime = new DockerRuntime({
    ...common,
    engine,
    network: config.docker.network,
    first: join(dirname(launcher), 'container.py'),
    machine: await readMachine({ path: '', inner: '', hidden: [...new Set([paths.data, common.data])] }),
  });
  const ownUser = process.getuid?.() === 0 ? ', each as its own user' : '';
  return {
    runtime,
    engine,
    sentence: () => Promise.resolve(`Apps run in containers of Docker ${engine.version}${ownUser}.`),
  };
}
