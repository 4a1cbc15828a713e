import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, readFile, realpath, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import { isWithin } from '../../src/lib/within.js';
import { asUser } from './as-user.js';
import { endWithFile, scratch } from './ends.js';
import { ROOT, until, type HostOptions } from './host.js';

const run = promisify(execFile);

/** Nobody's, as in our image. */
const UID = 10_001;

/** What an image has of its own: folders to mount on, and links as Debian has them. The programs are the machine's. */
const FOLDERS = ['usr', 'etc', 'opt', 'proc', 'sys', 'dev', 'tmp', 'run', 'var', 'root', 'home'];
const LINKS = ['bin', 'sbin', 'lib', 'lib64'];

/** The variables of a server that are passed on into its container. */
const PASSED = /^(STREAMLIT_HOST_|UV_|PIP_|SSL_CERT_|REDIS_URL$|PATH$|HOME$|NODE_EXTRA_CA_CERTS$)|_proxy$/i;
/** Those that `startHost` sets. */
const SET = ['PORT', 'PORT_MIN', 'PORT_MAX', 'DATA', 'TOKEN', 'PICTURES', 'PREBUILD', 'CAGE_FOLDERS'];

/** A Docker of the test file's own. */
export interface Docker {
  /** What is missing for one; empty where nothing is. */
  lacks: string;
  /** The path of its socket. */
  socket: string;
  /** Ends and starts it again, as an update of it does. */
  restart: () => Promise<void>;
  /** A server in a container as Docker makes them unless told, but with the machine's network. */
  options: () => Promise<HostOptions>;
}

/**
 * Starts a Docker of the test file's own, with an image made of the machine's own files, so that no registry is needed. It touches
 * neither the machine's network nor a Docker that runs already, and ends with the test file.
 * @param network the machine's, or one of its own, in which it has all that Docker usually makes
 */
export async function startDocker(network: 'host' | 'own' = 'host'): Promise<Docker> {
  const lacking = (lacks: string): Docker => ({
    lacks,
    socket: '/nowhere/docker.sock',
    restart: () => Promise.reject(new Error('there is no Docker')),
    options: () => Promise.reject(new Error('there is no Docker')),
  });
  if (process.getuid?.() !== 0) return lacking('needs root');
  for (const program of ['dockerd', 'docker', 'tini'])
    if (!(await isInstalled(program))) return lacking('needs docker.io');
  const folder = await scratch('docker-');
  const socket = join(folder, 'docker.sock');
  const url = `unix://${socket}`;
  const daemon = new Daemon(folder, url, network);
  endWithFile(() => daemon.end());
  if (!(await daemon.start())) return lacking('needs a machine on which dockerd starts');
  let imported: Promise<void> | undefined;
  return {
    lacks: '',
    socket,
    restart: async () => {
      await daemon.stop();
      if (!(await daemon.start())) throw new Error('dockerd did not start again');
    },
    options: async () => {
      await (imported ??= importImage(folder, url));
      return inContainer(url);
    },
  };
}

async function isInstalled(program: string): Promise<boolean> {
  for (const place of ['/usr/sbin', '/usr/bin'])
    if (
      await access(join(place, program)).then(
        () => true,
        () => false, // Not here.
      )
    )
      return true;
  return false;
}

/** A dockerd with a folder of its own. */
class Daemon {
  readonly #folder: string;
  readonly #url: string;
  readonly #where: 'host' | 'own';
  #child: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();

  constructor(folder: string, url: string, where: 'host' | 'own') {
    this.#folder = folder;
    this.#url = url;
    this.#where = where;
  }

  /** @returns false where it does not start */
  async start(): Promise<boolean> {
    const places = ['--data-root', 'data', '--exec-root', 'exec', '--pidfile', 'pid'].map((word) =>
      word.startsWith('-') ? word : join(this.#folder, word),
    );
    const network = ['--iptables=false', '--ip6tables=false', '--ip-forward=false', '--ip-masq=false'];
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: this.#folder };
    const begin = this.#where === 'own' ? ['unshare', '--net', 'dockerd'] : ['dockerd', '--bridge=none'];
    const [command = '', ...args] = [...begin, ...places, '--host', this.#url, ...network];
    const child = spawn(command, args, { env, stdio: 'ignore' });
    this.#child = child;
    this.#exited = once(child, 'exit');
    const answers = (): Promise<boolean> =>
      run('docker', ['--host', this.#url, 'version']).then(
        () => true,
        () => false,
      );
    try {
      return await until('dockerd answers', async () => child.exitCode !== null || (await answers()), 30_000).then(
        () => child.exitCode === null,
      );
    } catch {
      return false; // It takes too long.
    }
  }

  async stop(): Promise<void> {
    this.#child?.kill();
    await this.#exited;
  }

  async end(): Promise<void> {
    await this.stop();
    // It leaves the namespace of the machine's network mounted.
    const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
    for (const place of mounts.reverse().filter((one) => isWithin(one, this.#folder))) await run('umount', [place]);
  }
}

async function importImage(folder: string, socket: string): Promise<void> {
  const frame = join(folder, 'frame');
  for (const name of FOLDERS) await mkdir(join(frame, name), { recursive: true });
  for (const name of LINKS) await symlink(`usr/${name}`, join(frame, name));
  await run('tar', ['--create', '--file', `${frame}.tar`, '--directory', frame, '.']);
  await run('docker', ['--host', socket, 'import', `${frame}.tar`, 'frame']);
  await rm(`${frame}.tar`);
}

async function inContainer(socket: string): Promise<HostOptions> {
  const { data = '', env = {} } = await asUser(UID);
  const [root, own, environments] = await Promise.all(
    [ROOT, join(ROOT, 'data'), inject('tools').environments].map((path) => realpath(path)),
  );
  const readOnly = new Set(['/usr', '/etc', '/opt', ROOT, root, own, environments]);
  const names = [
    ...Object.keys({ ...process.env, ...env }).filter((name) => PASSED.test(name)),
    ...SET.map((name) => `STREAMLIT_HOST_${name}`),
  ];
  return {
    data,
    env,
    under: [
      ...['docker', '--host', socket, 'run', '--rm', '--network', 'host', '--user', `${UID}:${UID}`, '--workdir', data],
      ...['--volume', `${data}:${data}`],
      ...[...readOnly].flatMap((path) => ['--volume', `${path}:${path}:ro`]),
      ...names.flatMap((name) => ['--env', name]),
      ...['frame', 'tini', '--'],
    ],
  };
}
