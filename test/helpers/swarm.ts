import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readFile, readdir, rm, rmdir, symlink, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import { isWithin } from '../../src/lib/within.js';
import { endWithFile, scratch } from './ends.js';
import { until } from './host.js';

const run = promisify(execFile);

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const PROGRAMS = ['dockerd', 'docker', 'docker-registry', 'ip', 'nsenter', 'unshare', 'setpriv', 'iptables'];
/** Where a registry listens. */
const REGISTRY = 5000;

/** A machine of a Swarm: a Docker with a network namespace, folders and a host name of its own. */
export interface SwarmNode {
  name: string;
  /** The path of its Docker's socket. */
  socket: string;
  docker: (...args: string[]) => Promise<string>;
  /** Ends it as a power failure does, with all that runs on it. */
  kill: () => Promise<void>;
  /** Starts it again. */
  start: () => Promise<void>;
  /** Takes it off the network, or puts it there again. */
  cutOff: (off: boolean) => Promise<void>;
}

/**
 * An empty data folder for a server whose apps run on a Swarm: such as are none in the places of temporary files, of which containers
 * have their own.
 */
export async function swarmData(): Promise<string> {
  const data = await mkdtemp('/var/lib/streamlit-host-test-');
  endWithFile(() => rm(data, { recursive: true, force: true, maxRetries: 5 }));
  await symlink(inject('tools').environments, join(data, 'environments'));
  return data;
}

/** A Swarm of the test file's own. */
export interface Swarm {
  /** What is missing for one; empty where nothing is. */
  lacks: string;
  /** The address of this machine, as the nodes see it. */
  address: string;
  /** Where the nodes get images from; plain HTTP. */
  registry: string;
  /** Where the registry keeps them. */
  registryFolder: string;
  /** Ends the registry, or starts it again. */
  haveRegistry: (running: boolean) => Promise<void>;
  /** The first one is the manager. */
  nodes: readonly SwarmNode[];
}

/**
 * Starts a Swarm of the test file's own on this machine. The rest of the machine does not notice: the network is a bridge without a
 * way out, what Docker sets up it sets up in namespaces, and everything ends with the test file, or with its process.
 * @param count how many nodes
 * @param hidden folders of this machine that no node has: it sees an empty one in their place
 */
export async function startSwarm(count: number, hidden: readonly string[] = []): Promise<Swarm> {
  const lacking = (lacks: string): Swarm => ({
    ...{ lacks, address: '', registry: '', registryFolder: '', nodes: [] },
    haveRegistry: () => Promise.resolve(),
  });
  if (process.getuid?.() !== 0) return lacking('needs root');
  for (const program of PROGRAMS)
    if (!(await isInstalled(program)))
      return lacking(`needs ${program === 'docker-registry' ? program : `docker.io, with ${program}`}`);
  await removeLeft();
  const network = new Network(count);
  endWithFile(() => network.end());
  if (!(await network.begin())) return lacking('needs a machine that may make network namespaces');
  const registry = `${network.address}:${REGISTRY}`;
  const folder = await scratch('swarm-');
  const nodes = network.spaces.map((space) => new Node(space, join(folder, space.name), registry, hidden));
  endWithFile(() => Promise.all(nodes.map((node) => node.end())));
  const registryFolder = join(folder, 'registry');
  let endRegistry = await startRegistry(registryFolder, network.address);
  endWithFile(() => endRegistry());
  const started = await Promise.all(
    nodes.map((node) =>
      node.start().then(
        () => true,
        () => false,
      ),
    ),
  );
  if (started.includes(false)) return lacking('needs a machine on which dockerd starts');
  const [manager, ...others] = nodes;
  if (manager === undefined) throw new Error('a Swarm has a node');
  const where = (node: Node): string[] => ['--advertise-addr', node.space.address];
  await manager.docker('swarm', 'init', ...where(manager), '--task-history-limit', '1', '--dispatcher-heartbeat', '2s');
  const token = (await manager.docker('swarm', 'join-token', '--quiet', 'worker')).trim();
  for (const node of others)
    await node.docker('swarm', 'join', '--token', token, ...where(node), `${manager.space.address}:2377`);
  return {
    ...{ lacks: '', address: network.address, registry, registryFolder, nodes },
    async haveRegistry(running) {
      await endRegistry();
      if (running) endRegistry = await startRegistry(registryFolder, network.address);
    },
  };
}

async function isInstalled(program: string): Promise<boolean> {
  for (const place of PATH.split(delimiter))
    if (
      await access(join(place, program)).then(
        () => true,
        () => false, // Not here.
      )
    )
      return true;
  return false;
}

function ip(...args: string[]): Promise<unknown> {
  return run('ip', args, { env: { PATH } });
}

interface Space {
  name: string;
  /** Of the network namespace. */
  namespace: string;
  address: string;
  /** This machine's end of its cable. */
  cable: string;
}

/** A bridge and a network namespace for each node, named after this process. */
class Network {
  readonly address: string;
  readonly spaces: readonly Space[];
  readonly #bridge = `sw${process.pid}`;
  readonly #net: string;

  constructor(count: number) {
    // Meant for tests of networks (https://www.rfc-editor.org/rfc/rfc2544#appendix-C.2.2).
    this.#net = `198.${18 + (Math.floor(process.pid / 256) % 2)}.${process.pid % 256}`;
    this.address = `${this.#net}.1`;
    this.spaces = Array.from({ length: count }, (_, at) => ({
      name: `n${at + 1}`,
      namespace: `${this.#bridge}-${at + 1}`,
      address: `${this.#net}.${11 + at}`,
      cable: `v${process.pid}-${at + 1}`,
    }));
  }

  /** @returns false where that is not allowed */
  async begin(): Promise<boolean> {
    try {
      await ip('link', 'add', this.#bridge, 'type', 'bridge');
    } catch {
      return false;
    }
    await ip('address', 'add', `${this.address}/24`, 'dev', this.#bridge);
    await ip('link', 'set', this.#bridge, 'up');
    for (const { namespace, address, cable } of this.spaces) {
      await ip('netns', 'add', namespace);
      await ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
      await ip('link', 'set', cable, 'master', this.#bridge, 'up');
      const inside = ['-n', namespace];
      await ip(...inside, 'link', 'set', 'lo', 'up');
      await ip(...inside, 'address', 'add', `${address}/24`, 'dev', 'eth0');
      await ip(...inside, 'link', 'set', 'eth0', 'up');
      await ip(...inside, 'route', 'add', 'default', 'via', this.address);
    }
    return true;
  }

  async end(): Promise<void> {
    for (const { namespace } of this.spaces) await ip('netns', 'delete', namespace).catch(() => undefined); // It was not made.
    await ip('link', 'delete', this.#bridge).catch(() => undefined); // It was not made.
  }
}

/** Removes the networks of test processes that were killed; what ran in them has ended with those. */
async function removeLeft(): Promise<void> {
  const names = await readdir('/run/netns').catch((): string[] => []);
  const bridges = (await readdir('/sys/class/net')).filter((name) => /^sw\d+$/.test(name));
  for (const name of [...names, ...bridges]) {
    const pid = /^sw(\d+)(-\d+)?$/.exec(name)?.[1];
    if (pid === undefined || (await exists(`/proc/${pid}`))) continue;
    await ip(...(names.includes(name) ? ['netns'] : ['link']), 'delete', name).catch(() => undefined); // Another one was faster.
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

class Node implements SwarmNode {
  readonly space: Space;
  readonly name: string;
  readonly socket: string;
  readonly #folder: string;
  readonly #registry: string;
  readonly #hidden: readonly string[];
  #child: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();

  constructor(space: Space, folder: string, registry: string, hidden: readonly string[]) {
    this.space = space;
    this.name = space.name;
    this.#folder = folder;
    this.#registry = registry;
    this.#hidden = hidden;
    this.socket = join(folder, 'docker.sock');
    this.docker = this.docker.bind(this);
    this.kill = this.kill.bind(this);
    this.start = this.start.bind(this);
    this.cutOff = this.cutOff.bind(this);
  }

  async docker(...args: string[]): Promise<string> {
    return (await run('docker', ['--host', `unix://${this.socket}`, ...args], { env: { PATH } })).stdout;
  }

  async start(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    await rm(join(this.#folder, 'exec'), { recursive: true, force: true });
    const { namespace, name } = this.space;
    const args = [
      ...['--data-root', join(this.#folder, 'data'), '--exec-root', join(this.#folder, 'exec')],
      ...['--pidfile', join(this.#folder, 'pid'), '--host', `unix://${this.socket}`],
      ...['--userland-proxy=false', '--insecure-registry', this.#registry],
      ...['--shutdown-timeout', '2', '--default-shm-size', '8M'],
    ];
    const child = spawn(
      'setpriv',
      [
        ...[
          '--pdeathsig',
          'TERM',
          'nsenter',
          `--net=/run/netns/${namespace}`,
          'unshare',
          '--uts',
          '--mount',
          'sh',
          '-c',
        ],
        ...[
          `hostname "$0" && ${this.#hidden.map((at) => `mount -t tmpfs none '${at}' && `).join('')}exec dockerd "$@"`,
        ],
        ...[name, ...args],
      ],
      { env: { PATH, HOME: this.#folder }, stdio: 'ignore' },
    );
    this.#child = child;
    this.#exited = once(child, 'exit');
    await until(
      'dockerd answers',
      async () => {
        if (child.exitCode !== null) throw new Error(`dockerd of ${name} has ended with ${child.exitCode}`);
        return this.docker('version').then(
          () => true,
          () => false,
        );
      },
      60_000,
    );
  }

  async kill(): Promise<void> {
    // Until there is nobody left: the one that was killed may just have started another one.
    for (let pids = await this.#pids(); pids.length > 0; pids = await this.#pids())
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It has ended.
        }
        await sleep(5);
      }
    await this.#exited;
    await this.#unmount();
    await rm(join(this.#folder, 'pid'), { force: true });
  }

  async cutOff(off: boolean): Promise<void> {
    await ip('link', 'set', this.space.cable, off ? 'down' : 'up');
  }

  async end(): Promise<void> {
    this.#child?.kill();
    await Promise.race([this.#exited, sleep(20_000, undefined, { ref: false })]);
    await this.kill();
    // Containers that were killed have left theirs.
    const ids = await readdir(join(this.#folder, 'data/containers')).catch(() => []);
    for (const controller of ids.length === 0 ? [] : await readdir('/sys/fs/cgroup'))
      for (const id of ids) await rmdir(join('/sys/fs/cgroup', controller, 'docker', id)).catch(() => undefined); // It has none here.
  }

  /** Of all that runs on it: what has its folder in its command, and what that has started. */
  async #pids(): Promise<number[]> {
    const parents = new Map<number, number>();
    const own = new Set<number>();
    for (const name of await readdir('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      const [stat, command] = await Promise.all(
        ['stat', 'cmdline'].map((file) => readFile(`/proc/${name}/${file}`, 'utf8').catch(() => '')),
      );
      const [state, parent] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
      if (state === 'Z') continue;
      parents.set(Number(name), Number(parent));
      if (command?.includes(`${this.#folder}/`) === true) own.add(Number(name));
    }
    const isOwn = (pid: number): boolean => {
      for (let one = pid; one > 1; one = parents.get(one) ?? 0) if (own.has(one)) return true;
      return false;
    };
    return [...parents.keys()].filter((pid) => pid !== process.pid && isOwn(pid));
  }

  async #unmount(): Promise<void> {
    const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
    for (const place of mounts.reverse().filter((one) => isWithin(one, this.#folder)))
      await run('umount', ['--lazy', place], { env: { PATH } }).catch(() => undefined); // With one around it, it has gone as well.
  }
}

/** @returns what ends it */
async function startRegistry(folder: string, address: string): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true });
  const config = join(folder, 'config.yml');
  await writeFile(
    config,
    [
      'version: 0.1',
      'log: { level: error }',
      `storage: { filesystem: { rootdirectory: ${join(folder, 'data')} }, delete: { enabled: true } }`,
      `http: { addr: '${address}:${REGISTRY}' }`,
      '',
    ].join('\n'),
  );
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', 'docker-registry', 'serve', config], {
    env: { PATH, OTEL_TRACES_EXPORTER: 'none' },
    stdio: 'ignore',
  });
  const exited = once(child, 'exit');
  await until('the registry answers', async () => {
    const socket = createConnection(REGISTRY, address);
    try {
      await once(socket, 'connect');
      return true;
    } catch {
      return false; // Not yet.
    } finally {
      socket.destroy();
    }
  });
  return async () => {
    child.kill();
    await exited;
  };
}
