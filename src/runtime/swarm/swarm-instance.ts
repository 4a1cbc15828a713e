import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Duplex } from 'node:stream';
import { messageOf } from '../../errors.js';
import type { Address, SocketAddress } from '../../lib/address.js';
import { Deadline } from '../../lib/deadline.js';
import { LogFile } from '../../logs/log-file.js';
import { exitWithin } from '../exit-code.js';
import type { Exit, Instance, InstanceRecord, Order, Usage } from '../runtime.js';
import { isOver, type Cluster, type TaskFacts } from './cluster.js';
import type { Door } from './door.js';
import { framesOf } from './files.js';
import { encodeFrame, FrameReader, SAYS, type Frame } from './frames.js';
import { LogPump } from './log-pump.js';
import type { Seat } from './tunnel.js';

/** How often Swarm is asked about what is not connected, in ms. */
const LOOK_MS = 250;
/** After how long without a word a connection is taken for lost, in ms; it says what it uses every second. */
const SILENT_MS = 5_000;
/** How long Swarm may take to end what it is to end, in ms. */
const KILL_MS = 15_000;
/** How long a machine may take to pull an image, in ms. */
const PULL_MS = 10 * 60_000;
/** The descriptor of the socket that an instance is handed. */
const HANDED = 3;

export interface SwarmParts {
  cluster: Cluster;
  /** The name of its service. */
  name: string;
  record: InstanceRecord;
  environment?: Readonly<Record<string, string>>;
  /** Where it is reached on this machine. */
  door: Door;
  /** The place of the file that says how far its output is in its log. */
  position: string;
  /** What it gets first, and what it begins; nothing where it runs already. */
  opening?: Opening;
  /** Sees to what must be settled before its order, and may send it something. */
  settle?: (send: (frames: AsyncIterable<Buffer>) => Promise<void>) => Promise<void>;
  /** Called when the server has nothing to do with it any more. */
  released: () => void;
}

/** How an instance begins. */
export interface Opening {
  /** Frames of what it needs before it begins. */
  frames: readonly Buffer[];
  /** Files and folders that it is sent then. */
  files: readonly string[];
  /** What it begins. */
  head: Buffer;
}

/** One service of an app, from its start to its end. It outlives this server. */
export class SwarmInstance implements Instance, Seat {
  readonly record: InstanceRecord;
  readonly environment: Readonly<Record<string, string>>;
  readonly address: SocketAddress;
  readonly ended: Promise<Exit>;
  readonly #parts: SwarmParts;
  readonly #resolve: (exit: Exit) => void;
  #over = false;
  #left = false;
  #stream: Duplex | undefined;
  #silence: NodeJS.Timeout | undefined;
  #looking = false;
  /** What it was waiting for with its first word. */
  #ready: ((said: string | undefined) => void) | undefined;
  #pump: LogPump | undefined;
  /** What is done with what it says, in turn. */
  #work: Promise<void> = Promise.resolve();
  #use: Usage | undefined;

  constructor(parts: SwarmParts) {
    this.#parts = parts;
    this.record = parts.record;
    this.environment = parts.environment ?? {};
    this.address = { socket: parts.door.path };
    let resolve!: (exit: Exit) => void;
    this.ended = new Promise((done) => (resolve = done));
    this.#resolve = resolve;
    if (parts.opening === undefined) this.#pump = LogPump.resume(parts.position);
  }

  /** To be called once there is a service: while it is not connected, Swarm is asked whether it runs. */
  watch(): void {
    this.#look();
  }

  get running(): boolean {
    return !this.#over;
  }

  /** What it used when it last said so. */
  get use(): Usage | undefined {
    return this.#over ? undefined : this.#use;
  }

  /** Waits until it waits for its order. @throws NotBegun */
  async begun(limitMs: number): Promise<void> {
    const said = await new Promise<string | undefined>((resolve) => {
      const late = (): void =>
        void this.#task().then((task) => {
          // A machine that has no image yet gets it first.
          if (task?.Status.State === 'preparing' && !pulling.isOver) timer = setTimeout(late, LOOK_MS);
          else done(task?.Status.Err || `it was not ready within ${limitMs / 1_000} s`);
        });
      const pulling = new Deadline(PULL_MS);
      let timer = setTimeout(late, limitMs);
      const done = (answer: string | undefined): void => {
        clearTimeout(timer);
        this.#ready = undefined;
        resolve(answer);
      };
      this.#ready = done;
      void this.ended.then(async () => done((await this.#task())?.Status.Err || 'it ended at once'));
    });
    if (said !== undefined) throw new NotBegun(said);
  }

  /** A service keeps the limits with which it was begun; they are watched as well. */
  limit(): void {
    // Nothing to be done.
  }

  async tell({ argv, cwd, environment, log, files = [] }: Order): Promise<void> {
    await this.logTo(new LogFile(log));
    const { opening, settle } = this.#parts;
    await settle?.((frames) => this.#sendAll(frames));
    await this.#sendAll(framesOf(files.filter((path) => opening?.files.includes(path) !== true)));
    const late = Object.entries(environment).filter(([name, value]) => this.environment[name] !== value);
    this.#send(SAYS.order, JSON.stringify({ argv, cwd, environment: Object.fromEntries(late), listener: HANDED }));
  }

  /** From now on, its output goes there. */
  async logTo(log: LogFile): Promise<void> {
    if (this.#pump !== undefined) return;
    this.#pump = await LogPump.begin(log, this.#parts.position);
    this.#send(SAYS.received, '0');
  }

  owns(address: Address): Promise<boolean> {
    return Promise.resolve('socket' in address && address.socket === this.address.socket);
  }

  /** Nobody can look: its ports are those of a container on another machine. */
  listening(): Promise<number[]> {
    return Promise.resolve([]);
  }

  control(stream: Duplex, key: string | undefined): void {
    this.#stream?.destroy();
    this.#stream = stream;
    const reader = new FrameReader();
    const heard = (part: Buffer): void => {
      this.#listen(stream);
      try {
        for (const frame of reader.read(part)) this.#hear(frame);
      } catch {
        // It is not what we have started that says this.
        stream.destroy();
      }
    };
    stream
      .on('data', heard)
      .once('end', () => stream.destroy())
      .once('close', () => this.#lost(stream));
    this.#listen(stream);
    if (key !== undefined) {
      this.#send(SAYS.key, key);
      void this.#open();
    }
    if (this.#pump !== undefined) this.#send(SAYS.received, String(this.#pump.offset));
  }

  data(stream: Duplex): void {
    this.#parts.door.park(stream);
  }

  async end(graceMs: number): Promise<void> {
    if (graceMs > 0 && this.running && this.#send(SAYS.signal, '15')) await this.#within(graceMs);
    if (this.running && this.#send(SAYS.signal, '9')) await this.#within(KILL_MS);
    await this.sweep();
    await this.#within(KILL_MS);
    // Its machine may be cut off; Swarm ends it there as soon as it is back.
    this.#finish({ code: null, signal: null });
  }

  /** Nothing outlives a container: only its service, and what it had here, are left. */
  async sweep(): Promise<void> {
    await this.#parts.cluster.remove(this.#parts.name);
    this.#release();
    await this.#work;
    await Promise.all([this.#pump?.forget(), rm(this.address.socket, { force: true })]);
  }

  leave(): void {
    this.#left = true;
    this.#release();
    this.#stream?.destroy();
  }

  #release(): void {
    this.#parts.door.close();
    this.#parts.released();
  }

  async #open(): Promise<void> {
    const { opening } = this.#parts;
    if (opening === undefined) return;
    const { frames, files, head } = opening;
    try {
      for (const frame of frames) this.#stream?.write(frame);
      await this.#sendAll(framesOf(files));
      this.#send(SAYS.begin, head);
    } catch (error) {
      this.#ready?.(messageOf(error));
    }
  }

  /** Sends no more than its connection takes. One that is lost before its order is its end, which is told by that. */
  async #sendAll(frames: AsyncIterable<Buffer>): Promise<void> {
    const stream = this.#stream;
    for await (const frame of frames) {
      if (stream === undefined || stream.destroyed) return;
      if (!stream.write(frame))
        await Promise.race([once(stream, 'drain'), once(stream, 'close')]).catch(() => undefined);
    }
  }

  /** @returns false where it is not connected */
  #send(kind: string, payload: Buffer | string): boolean {
    return this.#stream?.write(encodeFrame(kind, payload)) !== undefined;
  }

  #hear({ kind, payload }: Frame): void {
    if (kind === SAYS.ready) this.#ready?.(undefined);
    else if (kind === SAYS.failed) this.#ready?.(payload.toString());
    else if (kind === SAYS.use) this.#use = usageOf(payload.toString());
    else if (kind === SAYS.output && payload.length > 8) {
      // A copy, since it waits.
      const [offset, part] = [Number(payload.readBigUInt64BE()), Buffer.from(payload.subarray(8))];
      this.#do(() => this.#keep(offset, part));
    } else if (kind === SAYS.ended) {
      const [code = 0, memory = 0] = payload.toString().split(' ').map(Number);
      this.#do(() => {
        this.#send(SAYS.done, '');
        this.#finish({ ...exitWithin(code), ...(memory === 1 && { outOfMemory: true }) });
      });
    }
  }

  async #keep(offset: number, part: Buffer): Promise<void> {
    // The next server has it, or it comes again.
    if (this.#left || this.#pump === undefined) return;
    // A disk that is full keeps no app from running: what cannot be written is lost.
    await this.#pump.write(offset, part).catch(() => this.#pump?.skip(offset + part.length));
    this.#send(SAYS.received, String(this.#pump.offset));
  }

  #do(work: () => void | Promise<void>): void {
    this.#work = this.#work.then(work).catch(() => void this.#stream?.destroy());
  }

  /** Its machine may be gone without a word. */
  #listen(stream: Duplex): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => stream.destroy(), SILENT_MS).unref();
  }

  #lost(stream: Duplex): void {
    if (this.#stream !== stream) return;
    clearTimeout(this.#silence);
    this.#stream = undefined;
    this.#look();
  }

  /** While it is not connected, Swarm knows whether it runs. */
  #look(): void {
    if (this.#looking) return;
    this.#looking = true;
    const look = async (): Promise<void> => {
      while (!this.#over && !this.#left && this.#stream === undefined) {
        await sleep(LOOK_MS, undefined, { ref: false });
        // A manager that does not answer knows nothing else than before.
        const exit = await this.#exit().catch(() => undefined);
        if (exit !== undefined && this.#stream === undefined) {
          await this.#work;
          this.#finish(exit);
        }
      }
      this.#looking = false;
    };
    void look();
  }

  /** @returns undefined while it runs */
  async #exit(): Promise<Exit | undefined> {
    const { cluster, name } = this.#parts;
    const [task] = await cluster.tasks(name);
    if (task === undefined)
      return (await cluster.service(name)) === undefined ? { code: null, signal: null } : undefined;
    if (isOver(task)) return exitWithin(task.Status.ContainerStatus?.ExitCode ?? null);
    const node =
      task.NodeID === undefined ? undefined : (await cluster.nodes()).find(({ ID: id }) => id === task.NodeID);
    return node?.Status.State === 'down' ? { code: null, signal: null } : undefined;
  }

  /** What Swarm says of it now. */
  async #task(): Promise<TaskFacts | undefined> {
    const [task] = await this.#parts.cluster.tasks(this.#parts.name).catch(() => []);
    return task;
  }

  #finish(exit: Exit): void {
    if (this.#over) return;
    this.#over = true;
    this.#parts.door.close();
    this.#resolve(exit);
  }

  async #within(limitMs: number): Promise<void> {
    const done = new AbortController();
    // It was faster.
    const late = sleep(limitMs, undefined, { signal: done.signal }).catch(() => undefined);
    await Promise.race([this.ended, late]);
    done.abort();
  }
}

/** Why an instance was not begun, in its own words. */
export class NotBegun extends Error {}

/** What an instance says that it uses. */
function usageOf(text: string): Usage | undefined {
  const [memory = NaN, processes = NaN, cpuSeconds = NaN, openFiles = NaN, kills = NaN] = text.split(' ').map(Number);
  const words = [memory, processes, cpuSeconds, openFiles, kills];
  return words.every((one) => Number.isFinite(one) && one >= 0)
    ? { memory, processes, cpuSeconds, openFiles, kills }
    : undefined;
}
