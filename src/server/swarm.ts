import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isCompiled } from '../environments/compiler.js';
import { machinePython } from '../environments/places.js';
import { hasCode, messageOf, Refusal } from '../errors.js';
import { authorityOf } from '../lib/address.js';
import { replaceFile } from '../lib/replace-file.js';
import { isWithin } from '../lib/within.js';
import { asClause } from '../lib/words.js';
import type { Logger } from '../logger.js';
import { Engine } from '../runtime/docker/engine.js';
import { readMachine } from '../runtime/process/cage/machine.js';
import type { Ports } from '../runtime/process/ports.js';
import { Cluster } from '../runtime/swarm/cluster.js';
import { Images } from '../runtime/swarm/images.js';
import { Homes, type KnownHomes } from '../runtime/swarm/homes.js';
import { SwarmRuntime } from '../runtime/swarm/swarm-runtime.js';
import type { SwarmSettings } from '../runtime/swarm/swarm-settings.js';
import { Tunnel } from '../runtime/swarm/tunnel.js';
import type { AppStore } from '../store/apps.js';
import type { Paths } from '../store/paths.js';

export interface SwarmOptions {
  config: { docker: { socket: string }; swarm: SwarmSettings | undefined };
  paths: Paths;
  /** The data folder, without links in its path. */
  data: string;
  mark: string;
  ports: Ports;
  launcher: string;
  store: Pick<AppStore, 'find' | 'update'>;
  logger: Logger;
}

/** The folders that every machine with the same Debian has. */
const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/etc', '/opt'];
/** Those that a container has in memory. */
const IN_MEMORY = ['/tmp', '/var/tmp'];

/** A Swarm that runs apps. */
export interface OpenedSwarm {
  runtime: SwarmRuntime;
  engine: Engine;
  /** What it is, in one sentence. */
  sentence: () => Promise<string>;
  /** Lets the next server listen where instances connect to. */
  leave: () => void;
  /** Interrupts what is done in the background. */
  rest: () => Promise<void>;
}

/** Opens the Swarm and listens for its instances. @throws Refusal where it cannot be used */
export async function openSwarm(options: SwarmOptions): Promise<OpenedSwarm> {
  const { config, paths, data, mark, ports, launcher, store, logger } = options;
  const settings = config.swarm;
  if (settings === undefined)
    throw new Refusal('unavailable', 'swarm-address-missing', 'STREAMLIT_HOST_SWARM_ADDRESS is not set.');
  const within = [...SYSTEM, ...IN_MEMORY].find((folder) => folder !== '/opt' && isWithin(paths.data, folder));
  if (within !== undefined)
    throw new Refusal(
      'unavailable',
      'swarm-data-misplaced',
      `The data folder is in ${within}, which every machine has of its own. Move it, such as to /var/lib/streamlit-host.`,
    );
  const engine = new Engine(config.docker.socket);
  const cluster = new Cluster(engine);
  await cluster.greet();
  const tunnel = await openTunnel(settings, paths.swarmKey);
  const machine = await readMachine({ path: '', inner: '', hidden: [...new Set([paths.data, data])] });
  const folders = machine.system.folders.filter((folder) => SYSTEM.includes(folder));
  const ordered = { releases: paths.apps, secrets: paths.secrets };
  const images = new Images({
    ...{ cluster, mark, registry: settings.registry, records: paths.images, launcher, logger },
    ...{ agent: join(dirname(launcher), 'agent.py'), links: machine.system.links, system: folders },
    ordered: Object.values(ordered),
    facts: async (environment) => ({
      python: await machinePython(environment),
      compiled: await isCompiled(environment),
    }),
  });
  const runtime = new SwarmRuntime({
    ...{ cluster, tunnel, mark, data, ports, images, ordered, sockets: paths.appSockets },
    server: { ...settings.server, port: tunnel.port },
    machine: { ...machine, system: { ...machine.system, folders } },
    homes: settings.storage === 'shared' ? undefined : new Homes({ cluster, mark, known: homesIn(store) }),
  });
  return {
    runtime,
    engine,
    async sentence() {
      const count = (await runtime.nodes()).filter(
        ({ state, availability }) => state === 'ready' && availability === 'active',
      );
      const machines = count.length === 1 ? '1 machine' : `${count.length} machines`;
      return `Apps run on a Swarm of ${machines}, with Docker ${engine.version}.`;
    },
    leave: () => tunnel.close(),
    rest: () => runtime.close(),
  };
}

/** Keeps in the records of apps which machine has their files. */
function homesIn(store: SwarmOptions['store']): KnownHomes {
  return {
    of: (app) => store.find(app)?.home,
    async settle(app, home) {
      await store.update(app, (before) => ({ ...before, home }));
    },
  };
}

async function openTunnel({ server }: SwarmSettings, key: string): Promise<Tunnel> {
  try {
    return await Tunnel.open(server, await secretIn(key));
  } catch (error) {
    throw new Refusal(
      'unavailable',
      'swarm-address-unusable',
      `The server cannot listen at ${authorityOf(server)} (${asClause(messageOf(error))}). Check STREAMLIT_HOST_SWARM_ADDRESS.`,
    );
  }
}

/** What the keys of instances follow from: the next server must know them too. */
async function secretIn(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    const secret = randomBytes(32);
    await replaceFile(path, secret, { mode: 0o600 });
    return secret;
  }
}
