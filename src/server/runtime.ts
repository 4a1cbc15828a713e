import { realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CageKind } from '../domain/app/process-cage.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../logger.js';
import { DOCKER, DockerRuntime } from '../runtime/docker/docker-runtime.js';
import { Engine } from '../runtime/docker/engine.js';
import type { Cage } from '../runtime/process/cage/cage.js';
import { readMachine } from '../runtime/process/cage/machine.js';
import { ControlGroups } from '../runtime/process/control-groups.js';
import type { Ports } from '../runtime/process/ports.js';
import { ProcessRuntime } from '../runtime/process/process-runtime.js';
import type { Runtime } from '../runtime/runtime.js';
import { Runtimes } from '../runtime/runtimes.js';
import type { Config } from '../settings.js';
import type { AppStore } from '../store/apps.js';
import type { Paths } from '../store/paths.js';

export interface RuntimeOptions {
  config: Pick<Config, 'runtime' | 'docker'>;
  paths: Paths;
  /** Marks our child processes. */
  mark: string;
  ports: Ports;
  cage: Cage;
  /** The folder of the code that an app's Python runs first. */
  launcher: string;
  store: Pick<AppStore, 'list'>;
  logger: Logger;
}

/** What runs pushed apps, as people are told. */
export interface RuntimeFacts {
  kind: 'process' | 'docker';
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
  /** To be called when nothing of this server runs any more. */
  close: () => void;
}

/**
 * Opens what runs apps: what is set, and what an earlier server has used, as long as something of that runs.
 * @throws Refusal `docker-unavailable` where Docker is set and cannot be used
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
    close: () => groups?.remove(),
  };
  const wanted = config.runtime === 'docker';
  if (!wanted && !store.list().some((app) => app.processes.some(({ runtime }) => runtime === DOCKER))) return plain;

  const engine = new Engine(config.docker.socket);
  try {
    await engine.greet();
  } catch (error) {
    if (wanted) throw error;
    logger.warn(`${messageOf(error)} Containers of an earlier server are left alone.`);
    return plain;
  }
  const containers = new DockerRuntime({
    ...common,
    engine,
    network: config.docker.network,
    first: join(dirname(launcher), 'container.py'),
    machine: await readMachine({ path: '', inner: '', hidden: [...new Set([paths.data, data])] }),
  });
  if (!wanted) return { ...plain, runtime: new Runtimes({ processes, confined: processes, others: [containers] }) };
  await containers.tryOut();
  const root = process.getuid?.() === 0;
  const sentence = (): string =>
    `Apps run in containers of Docker ${engine.version}${root ? ', each as its own user' : ''}.`;
  logger.info(sentence());
  // What is built and checked out here must be readable for the users that apps become; the data folder itself is not.
  if (root) process.umask(0o022);
  return {
    ...plain,
    runtime: new Runtimes({ processes, confined: containers }),
    cageKind: () => 'container',
    changesUser: () => root,
    facts: () => ({ kind: 'docker', version: engine.version }),
    check: async () => {
      await containers.tryOut();
      return sentence();
    },
    ping: () => engine.greet(),
  };
}
