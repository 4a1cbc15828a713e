import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdtemp, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ensureFolder } from '../../lib/ensure-folder.js';
import type { ProcessCage } from '../../domain/app/process-cage.js';
import { messageOf, Refusal } from '../../errors.js';
import { asClause } from '../../lib/words.js';
import { LogFile } from '../../logs/log-file.js';
import { AppPort } from '../process/app-port.js';
import type { Machine } from '../process/cage/spec.js';
import { socketPath } from '../process/listener.js';
import { usageOf } from '../process/proc.js';
import type { Ports } from '../process/ports.js';
import type { BeginSpec, Instance, InstanceRecord, Lease, Runtime, Usage } from '../runtime.js';
import { Attached, encodeHead } from './attached.js';
import { Container } from './container.js';
import { describeContainer, HANDED, SOCKET, type ContainerSpec } from './container-spec.js';
import { EngineError, LABELS, type ContainerFacts, type Engine } from './engine.js';
import { frameOf, type Frame } from './frame.js';

/** What the records of containers are tagged with. */
export const DOCKER = 'docker';

/** How long the first step in a container may take, in ms. */
const READY_MS = 60_000;

export interface DockerRuntimeOptions {
  engine: Engine;
  /** What the marks of this data folder's own containers begin with. */
  mark: string;
  /** The data folder, without links in its path. */
  data: string;
  ports: Ports;
  /** For the output of what has no log yet, and for sockets that are not open yet; on the same file system as the logs. */
  tmp: string;
  /** For the sockets that instances are handed. */
  sockets: string;
  /** The network of containers that may have one. */
  network: string;
  /** The place of `python/container.py`. */
  first: string;
  machine: Pick<Machine, 'system' | 'hidden'>;
}

/**
 * Runs apps as containers of this machine's Docker. Their files are the machine's own and are mounted. Each answers on a socket
 * that was opened for it, writes to its log by itself, and outlives this server.
 */
export class DockerRuntime implements Runtime {
  readonly kind = DOCKER;
  readonly #options: DockerRuntimeOptions;
  readonly #frame: Frame;
  /** What it has begun or adopted and what still runs, by the marks. */
  readonly #containers = new Map<string, Container>();

  constructor(options: DockerRuntimeOptions) {
    this.#options = options;
    this.#frame = frameOf(options.machine.system.links);
  }

  /**
   * Tries whether Docker would make a container with this server's files, and makes none.
   * @throws Refusal `docker-unavailable`
   */
  async tryOut(): Promise<void> {
    const { engine, mark, network, tmp } = this.#options;
    const unusable = (why: string): Refusal => new Refusal('unavailable', 'docker-unavailable', why);
    await engine.greet();
    if (!(await engine.hasNetwork(network)))
      throw unusable(
        `Docker has no network "${network}". Create it with "docker network create ${network}", or name another one with STREAMLIT_HOST_DOCKER_NETWORK.`,
      );
    const folder = await mkdtemp(join(tmp, 'docker-'));
    try {
      const log = join(folder, 'log');
      await writeFile(log, '');
      const what = { user: userOf(undefined), log, sockets: folder, confines: undefined };
      await engine.remove(await this.#create(`${mark}/try/0/${randomUUID()}`, what));
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      throw unusable(
        `Docker at ${engine.socket} cannot run the server's apps (${asClause(error.message)}). The server must run on the same machine, and not in a container itself.`,
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  lease(port?: number): Lease {
    return new AppPort(this.#options.ports, port);
  }

  async begin(spec: BeginSpec): Promise<Instance> {
    const { tmp } = this.#options;
    const mark = `${this.#options.mark}/${spec.app}/${spec.release}/${randomUUID()}`;
    const user = userOf(spec.confines?.uid);
    const draft = spec.log === undefined ? join(tmp, `output-${randomUUID()}`) : undefined;
    const log = spec.log ?? new LogFile(draft ?? '');
    const opened = await log.openForChild();
    const sockets = spec.listener === true ? join(tmp, `socket-${randomUUID()}`) : undefined;
    try {
      // The container opens it by itself, and its group remains the server's.
      if (user.uid !== process.getuid?.()) await opened.chown(user.uid, process.getgid?.() ?? 0);
      if (sockets !== undefined) await makeFolder(sockets, user);
      const id = await this.#create(mark, { ...spec, user, log: log.path, sockets });
      try {
        return await this.#start(id, { ...spec, mark, draft, sockets });
      } catch (error) {
        await this.#options.engine.remove(id).catch(() => undefined); // The next sweep finds it.
        await rm(this.#socketOf(mark), { force: true });
        throw error;
      }
    } catch (error) {
      if (draft !== undefined) await rm(draft, { force: true });
      if (sockets !== undefined) await rm(sockets, { recursive: true, force: true });
      if (!(error instanceof EngineError)) throw error;
      throw new Refusal('unavailable', 'app-not-started', `Docker did not start the app: ${asClause(error.message)}.`);
    } finally {
      await opened.close();
    }
  }

  async adopt(record: InstanceRecord): Promise<Instance | undefined> {
    const facts = await this.#find(record);
    if (facts?.State.Running !== true) return undefined;
    const socket = this.#socketOf(record.mark);
    const { Memory, NanoCpus, PidsLimit } = facts.HostConfig;
    return this.#own(
      new Container({
        engine: this.#options.engine,
        facts,
        record: recordOf(record.mark, record.cage),
        address: existsSync(socket) ? { socket } : undefined,
        limits: { memory: Memory || undefined, cpu: NanoCpus / 1e9 || undefined, tasks: PidsLimit || undefined },
      }),
    );
  }

  async discard(record: InstanceRecord): Promise<void> {
    const facts = await this.#find(record);
    if (record.runtime !== this.kind) return;
    if (facts !== undefined) await this.#options.engine.remove(facts.Id);
    await rm(this.#socketOf(record.mark), { force: true });
  }

  async isForeign(record: InstanceRecord): Promise<boolean> {
    if (record.mark.startsWith(`${this.#options.mark}/`)) return false;
    const facts = await this.#find(record);
    return facts?.State.Running === true && facts.Config.Labels?.[LABELS.data] !== (await this.#data());
  }

  async sweep(keep: ReadonlySet<string>, unknown: ReadonlySet<string> = new Set()): Promise<void> {
    const { engine, mark: own } = this.#options;
    for (const [mark, id] of await engine.marked()) {
      if (!mark.startsWith(`${own}/`) || keep.has(mark)) continue;
      const [app = ''] = mark.slice(own.length + 1).split('/');
      if (unknown.has(app)) continue;
      await engine.remove(id);
      await rm(this.#socketOf(mark), { force: true });
    }
  }

  usage(countsFiles = (_mark: string): boolean => false): ReadonlyMap<string, Usage> {
    const usage = new Map<string, Usage>();
    for (const [mark, container] of this.#containers) {
      const use = container.use();
      if (use !== undefined) usage.set(mark, usageOf(use, countsFiles(mark)));
    }
    return usage;
  }

  async #create(
    mark: string,
    {
      user,
      log,
      sockets,
      confines,
      limits = {},
    }: Pick<BeginSpec, 'confines' | 'limits'> & Pick<ContainerSpec, 'user' | 'log' | 'sockets'>,
  ): Promise<string> {
    const { engine, machine, first, network } = this.#options;
    const { repository, tag } = this.#frame;
    const body = describeContainer(
      {
        ...{
          mark,
          data: await this.#data(),
          image: `${repository}:${tag}`,
          first,
          confines: confines ?? {},
          ...machine,
        },
        ...{ user, limits, network, log, sockets },
      },
      existsSync,
    );
    const create = (): Promise<string> => engine.create(nameOf(mark), body);
    try {
      return await create();
    } catch (error) {
      if (!(error instanceof EngineError) || error.status !== 404) throw error;
      // It is the first container, or somebody has removed the image.
      await engine.import(repository, tag, await this.#frame.archive());
      return create();
    }
  }

  async #start(
    id: string,
    spec: BeginSpec & { mark: string; draft: string | undefined; sockets: string | undefined },
  ): Promise<Container> {
    const { engine } = this.#options;
    const { mark, draft, sockets, command, cwd, environment, confines, limits = {} } = spec;
    const attached = new Attached(await engine.attach(id));
    try {
      await engine.start(id);
      const socket = sockets === undefined ? undefined : join(HANDED.sockets, SOCKET);
      attached.write(
        encodeHead({ umask: confines?.umask ?? 0o077, log: HANDED.log, socket, cwd, command, environment }),
      );
      const said = await attached.ready(READY_MS);
      if (said !== undefined) throw notReady(spec, said, await engine.inspect(id));
      const address =
        sockets === undefined ? undefined : { socket: await this.#takeSocket(join(sockets, SOCKET), mark) };
      attached.go();
      attached.unref();
      const facts = await engine.inspect(id);
      if (facts === undefined) throw notReady(spec, '', facts);
      const cage: ProcessCage = {
        kind: 'container',
        ownUser: confines?.uid !== undefined,
        network: confines?.network !== false,
      };
      const record = recordOf(mark, cage);
      return this.#own(new Container({ engine, facts, record, environment, address, attached, draft, limits }));
    } catch (error) {
      attached.end();
      throw error;
    }
  }

  /** Moves a socket out of reach of the app, which could put anything else in its place. @returns where it is then */
  async #takeSocket(opened: string, mark: string): Promise<string> {
    const path = this.#socketOf(mark);
    await ensureFolder(this.#options.sockets, 0o700);
    await rename(opened, path);
    // Nothing of the app's has run yet, so it is empty. What is mounted from it can hold nothing any more.
    await rmdir(dirname(opened));
    return path;
  }

  async #find({ runtime, mark }: InstanceRecord): Promise<ContainerFacts | undefined> {
    if (runtime !== this.kind) return undefined;
    const facts = await this.#options.engine.inspect(nameOf(mark));
    return facts?.Config.Labels?.[LABELS.mark] === mark ? facts : undefined;
  }

  /** Tells the data folder from a copy of it, and is the same where it was moved. */
  async #data(): Promise<string> {
    const facts = await stat(this.#options.data).catch(() => undefined); // It is not there yet.
    return facts === undefined ? '' : `${facts.dev}:${facts.ino}`;
  }

  #socketOf(mark: string): string {
    return socketPath(this.#options.sockets, mark);
  }

  #own(container: Container): Container {
    const { mark } = container.record;
    this.#containers.set(mark, container);
    void container.ended.then(() => this.#containers.delete(mark));
    return container;
  }
}

function recordOf(mark: string, cage: ProcessCage | undefined): InstanceRecord {
  return { runtime: DOCKER, mark, ...(cage && { cage }) };
}

/** The name of a container: the app, the release, and the end of the mark, which is its alone. */
function nameOf(mark: string): string {
  return ['streamlit-host', ...mark.split('/').slice(-3)].join('-').replace(/[^\w.-]/g, '_');
}

/** An app's own user, with a group of the same number; the server's where it has none. */
function userOf(uid: number | undefined): ContainerSpec['user'] {
  return { uid: uid ?? process.getuid?.() ?? 0, gid: uid ?? process.getgid?.() ?? 0 };
}

async function makeFolder(folder: string, { uid, gid }: ContainerSpec['user']): Promise<void> {
  await ensureFolder(folder, 0o700);
  if (uid !== process.getuid?.()) await chown(folder, uid, gid);
}

function notReady(spec: BeginSpec, said: string, facts: ContainerFacts | undefined): Refusal {
  const [program = ''] = spec.command;
  const last = said.trim().split('\n').at(-1) ?? '';
  const sentence =
    facts?.State.ExitCode === 127 && last === ''
      ? `${program} does not exist. Run "streamlit-host rollback ${spec.app} ${spec.release}" to build it again.`
      : `The app's container could not be set up${last === '' ? '' : `: ${asClause(messageOf(last))}`}.`;
  return new Refusal('unavailable', 'app-not-started', sentence);
}
