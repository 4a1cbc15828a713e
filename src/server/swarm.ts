import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasCode, messageOf, Refusal } from '../errors.js';
import { authorityOf } from '../lib/address.js';
import { replaceFile } from '../lib/replace-file.js';
import { asClause } from '../lib/words.js';
import { Engine } from '../runtime/docker/engine.js';
import { readMachine } from '../runtime/process/cage/machine.js';
import type { Ports } from '../runtime/process/ports.js';
import { Cluster } from '../runtime/swarm/cluster.js';
import { SwarmRuntime } from '../runtime/swarm/swarm-runtime.js';
import type { SwarmSettings } from '../runtime/swarm/swarm-settings.js';
import { Tunnel } from '../runtime/swarm/tunnel.js';
import type { Paths } from '../store/paths.js';

export interface SwarmOptions {
  config: { docker: { socket: string }; swarm: SwarmSettings | undefined };
  paths: Paths;
  /** The data folder, without links in its path. */
  data: string;
  mark: string;
  ports: Ports;
  launcher: string;
}

/** A Swarm that runs apps. */
export interface OpenedSwarm {
  runtime: SwarmRuntime;
  engine: Engine;
  /** What it is, in one sentence. */
  sentence: () => Promise<string>;
  /** Lets the next server listen where instances connect to. */
  leave: () => void;
}

/** Opens the Swarm and listens for its instances. @throws Refusal where it cannot be used */
export async function openSwarm(options: SwarmOptions): Promise<OpenedSwarm> {
  const { config, paths, data, mark, ports, launcher } = options;
  const settings = config.swarm;
  if (settings === undefined)
    throw new Refusal('unavailable', 'swarm-address-missing', 'STREAMLIT_HOST_SWARM_ADDRESS is not set.');
  const engine = new Engine(config.docker.socket);
  const cluster = new Cluster(engine);
  await cluster.greet();
  const tunnel = await openTunnel(settings, paths.swarmKey);
  const runtime = new SwarmRuntime({
    ...{ cluster, tunnel, mark, data, ports, registry: settings.registry, sockets: paths.appSockets },
    server: { ...settings.server, port: tunnel.port },
    first: join(dirname(launcher), 'agent.py'),
    machine: await readMachine({ path: '', inner: '', hidden: [...new Set([paths.data, data])] }),
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
