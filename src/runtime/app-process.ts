import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, Refusal } from '../errors.js';
import { asClause, asSentence } from '../lib/words.js';
import { backoff, countCrash, processKey, type ProcessRecord, type ProcessState } from '../domain/app/process.js';
import type { ProcessCage } from '../domain/app/process-cage.js';
import type { Address } from '../lib/address.js';
import { Deadline } from '../lib/deadline.js';
import { nameOf, whereItListens } from './describe.js';
import { endForSure } from './end-for-sure.js';
import { InstanceWatch } from './instance-watch.js';
import type { ProcessSpec } from './process-spec.js';
import { waitForHealth } from './ready.js';
import type { Instance, Lease, Limits, Runtime, Usage } from './runtime.js';

/** How long a process may take to end after TERM, in ms. Streamlit before 1.65 can hang behind a script. */
const GRACE_MS = 5_000;
/** For how long it is tried to end one that cannot be ended now, in ms. */
const END_LIMIT_MS = 10_000;
/** How often a start is retried on another port when its own was taken in the meantime. */
const PORT_RETRIES = 3;

/** Where nothing answers. */
const NOWHERE: Address = { socket: '/nowhere' };

/** Called when the state, instance or address of the process changes. */
export type ProcessListener = (process: AppProcess) => void;

/**
 * The Streamlit server of one release: started, watched, restarted after a crash, and ended. The runtime decides how it is
 * run. At any time there is one instance of it, or none.
 */
export class AppProcess {
  readonly spec: ProcessSpec;
  readonly #runtime: Pick<Runtime, 'lease' | 'begin' | 'adopt'>;
  /** Its port, where it has one. */
  #lease: Lease | undefined;
  readonly #changed: ProcessListener;
  #state: ProcessState = 'starting';
  #instance: Instance | undefined;
  #watch: InstanceWatch | undefined;
  #address = NOWHERE;
  #replica: number;
  #key: string = randomUUID().slice(0, 8);
  #startedAt = new Date(0);
  /** The same by the clock that only goes forward. */
  #began = 0;
  #crashes = 0;
  #restarts = 0;
  #kept = false;
  #left = false;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #swept: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #lastExit = '';

  constructor(spec: ProcessSpec, runtime: Pick<Runtime, 'lease' | 'begin' | 'adopt'>, changed: ProcessListener) {
    this.spec = spec;
    this.#replica = spec.replica ?? 1;
    this.#runtime = runtime;
    if (spec.port !== undefined) this.#lease = runtime.lease(spec.port === 'any' ? undefined : spec.port);
    this.#changed = changed;
  }

  get release(): number {
    return this.spec.release;
  }
  /** Which replica of the release it is: 1, 2, 3 … */
  get replica(): number {
    return this.#replica;
  }
  get state(): ProcessState {
    return this.#state;
  }
  /** Where its instance answers, or the last one that it had. */
  get address(): Address {
    return this.#lease?.address ?? this.#address;
  }
  /** The port on which it listens, where it does. */
  get port(): number | undefined {
    return this.#lease?.address.port;
  }
  /** Distinguishes its files from those of other processes of its release. */
  get key(): string {
    return this.#key;
  }
  /** The mark of the running instance; undefined if there is none. */
  get mark(): string | undefined {
    return this.#instance?.record.mark;
  }
  /** The pid, for people who look at the machine; undefined if it does not run as a process of this machine. */
  get pid(): number | undefined {
    return this.#instance?.record.pid;
  }
  /** What its instance runs in; undefined if there is none, or if an older server that did not say so began it. */
  get cage(): ProcessCage | undefined {
    return this.#instance?.record.cage;
  }
  get startedAt(): Date {
    return this.#startedAt;
  }
  /** The number of restarts after a crash. */
  get restarts(): number {
    return this.#restarts;
  }
  /** How the process last ended, in words; empty if it never did. */
  get lastExit(): string {
    return this.#lastExit;
  }

  /** Why it did not get the preferred port, in one sentence; empty if it did. */
  get addressNote(): string {
    return this.#lease?.note ?? '';
  }

  /** Its record on disk while it runs. */
  get record(): ProcessRecord | undefined {
    if (this.#instance === undefined) return undefined;
    return {
      release: this.release,
      ...(this.#replica > 1 && { replica: this.#replica }),
      ...this.#instance.record,
      ...(this.port !== undefined && { port: this.port }),
      key: this.#key,
      startedAt: this.#startedAt.toISOString(),
      healthPath: this.spec.healthPath,
    };
  }

  /** Starts it at its own address. @throws Refusal if none is free or the command cannot be run */
  async start(): Promise<void> {
    // Two may want it at once, such as a person who does not wait for the backoff that just ends: nobody would know of a second
    // instance.
    this.#starting ??= this.#start().finally(() => (this.#starting = undefined));
    await this.#starting;
  }

  /**
   * Takes over a process that an earlier server started.
   * @returns false if it no longer runs, belongs to another release, or serves below another path because the public base has
   *   changed; nothing was touched in that case
   */
  async adopt(record: ProcessRecord): Promise<boolean> {
    const { app, healthPath } = this.spec;
    if (!record.mark.includes(`/${app}/${this.release}/`) || (record.healthPath ?? healthPath) !== healthPath)
      return false;
    const instance = await this.#runtime.adopt(record);
    if (instance === undefined) return false;
    if (record.port !== undefined) {
      this.#lease ??= this.#runtime.lease();
      this.#lease.hold(record.port);
    } else if (instance.address === undefined) {
      // Its socket's name is gone, so nobody reaches it any more.
      instance.leave();
      return false;
    }
    this.#key = processKey(record);
    this.#replica = record.replica ?? 1;
    this.#state = 'starting';
    this.#own(instance, new Date(record.startedAt));
    return true;
  }

  /**
   * Waits until it serves.
   * @throws Refusal `app-exited`, `app-not-listening` or `app-start-aborted`, in words for the pusher
   */
  async whenReady(options: { timeoutMs?: number; signal?: AbortSignal } = {}, retries = PORT_RETRIES): Promise<void> {
    const timeoutMs = options.timeoutMs ?? this.spec.startLimitMs;
    const deadline = new Deadline(timeoutMs);
    while (this.#state === 'starting') {
      const healthy = await waitForHealth(this.address, this.spec.healthPath, {
        timeoutMs: deadline.left,
        still: () => this.#state === 'starting' && !this.#left,
        ...(options.signal && { signal: options.signal }),
      });
      if (options.signal?.aborted === true || this.#left) {
        throw new Refusal('conflict', 'app-start-aborted', 'The start was cancelled.');
      }
      if (!healthy) break;
      if ((await this.#instance?.owns(this.address)) === true) {
        if (this.#state === 'starting') this.#set('ready');
        return;
      }
      // Another process answers on this port; ours will fail to bind it and exit.
      await sleep(50);
      if (deadline.isOver) break;
    }
    if (this.#state === 'ready') return;
    if (await this.#lostPort(retries)) {
      await this.start();
      return this.whenReady({ ...options, timeoutMs: deadline.left }, retries - 1);
    }
    if (this.#state !== 'starting') {
      throw new Refusal('invalid', 'app-exited', asSentence(this.#lastExit || 'the app was stopped while starting'));
    }
    const where = whereItListens(this.port, (await this.#instance?.listening()) ?? []);
    throw new Refusal(
      'invalid',
      'app-not-listening',
      `The app did not answer within ${Math.round(timeoutMs / 1000)} s${where}.`,
    );
  }

  /** Returns whether it ended because its port was taken, and another one may be tried. */
  async #lostPort(retries: number): Promise<boolean> {
    if (retries <= 0 || this.#state !== 'crashed' || this.#kept || this.#stopping !== undefined) return false;
    if ((await this.#lease?.wasLost(this.spec.log)) !== true) return false;
    await this.#say(`port ${this.port} was taken by another program; trying another`);
    return true;
  }

  /** Makes it another replica: it has lost its pages, and must not be taken for the one that had them. */
  renumber(replica: number): void {
    this.#replica = replica;
  }

  /** From now on, it is restarted whenever it ends by itself. */
  keep(): void {
    this.#kept = true;
    if (this.#state === 'crashed') this.#scheduleStart();
  }

  /** Restarts a crashed process at once, without waiting for its backoff. Does nothing if it runs. */
  retry(): void {
    if (!this.#kept || this.#state !== 'crashed') return;
    clearTimeout(this.#timer);
    void this.#startAgain();
  }

  /** Starts it, or continues an adopted one, and keeps it running from now on. */
  async run(): Promise<void> {
    this.#kept = true;
    await this.#bringUp(this.#instance === undefined);
  }

  /**
   * Ends it for good, and frees its address.
   * @param graceMs how long it may take to end by itself, in ms
   */
  async stop(graceMs = GRACE_MS): Promise<void> {
    this.#stopping ??= this.#stop(graceMs);
    await this.#stopping;
  }

  /** Ends it at once if it exceeds its limits or forks in a loop, which counts as a crash, and logs what the system kept it from. */
  async holdToLimits(used: Usage): Promise<void> {
    await this.#watch?.holdToLimits(used);
  }

  /**
   * Asks one that serves whether it still does, and ends it where it hangs; its end is a crash like any other.
   * @param cpuSeconds the processor time that it has had since its start
   */
  async checkHealth(cpuSeconds: number | undefined): Promise<void> {
    if (this.#state === 'ready') await this.#watch?.checkHealth(this.address, cpuSeconds);
  }

  /** Releases it without ending it: the next server adopts it. Resolves once nothing is being started any more. */
  async leave(): Promise<void> {
    this.#left = true;
    this.#kept = false;
    clearTimeout(this.#timer);
    this.#instance?.leave();
    await this.#starting?.catch(() => undefined);
  }

  async #start(): Promise<void> {
    if (this.#over || this.#instance !== undefined) return;
    // An older server's process had a port, which its next instance does not need.
    if (this.spec.port === undefined) this.#giveBack();
    if ((await this.#lease?.take()) === true && this.addressNote !== '') await this.#say(this.addressNote);
    if (this.#over) return;
    this.#set('starting');
    await this.#launch();
    if (this.#instance !== undefined) this.#changed(this);
  }

  /** True once nothing more may be started. */
  get #over(): boolean {
    return this.#stopping !== undefined || this.#left;
  }

  async #stop(graceMs: number): Promise<void> {
    this.#kept = false;
    clearTimeout(this.#timer);
    // Waits for a start in progress, which would leave a process that nobody knows.
    await this.#starting?.catch(() => undefined);
    const instance = this.#instance;
    if (instance !== undefined) {
      await this.#say(`stopping ${nameOf(instance.record)}`);
      await this.#end(instance, graceMs);
      await this.#say('stopped');
    }
    await this.#swept;
    this.#instance = undefined;
    // Its last output must not leave a large log either; a full disk must not prevent a stop.
    await this.spec.log.rotateIfLarge().catch(() => undefined);
    this.#lease?.giveBack();
    this.#set('stopped');
  }

  #giveBack(): void {
    this.#lease?.giveBack();
    this.#lease = undefined;
  }

  async #launch(): Promise<void> {
    const { app, release, command, order, cwd, log, ahead } = this.spec;
    const files = this.spec.files?.(this.#key) ?? [];
    const confines = await this.spec.confines?.();
    const environment = await this.spec.environment({ key: this.#key, port: this.port });
    if (this.#over) return;
    const instance =
      (await ahead?.(environment)) ??
      (await this.#runtime.begin({
        ...{ app, release, command, cwd, files, environment, log, confines, limits: this.#limits },
        listener: this.#lease === undefined,
      }));
    // It was stopped meanwhile, or left to the next server, which does not know of this one.
    if (this.#over) return this.#end(instance, 0);
    // An interpreter that was started ahead has been waiting.
    this.#own(instance, new Date());
    // Logged before it is told what to run, so that it precedes the app's output.
    await this.#say(`started ${nameOf(instance.record)}${this.port === undefined ? '' : ` port=${this.port}`}`);
    try {
      await instance.tell({ argv: order, cwd, environment, log: log.path, files });
    } catch (error) {
      // It would wait for ever, and the next start would forget it.
      this.#instance = undefined;
      await this.#end(instance, 0);
      throw error;
    }
  }

  /** Ends an instance. What fails for now, such as where no more files can be opened, is tried again. */
  #end(instance: Instance, graceMs: number): Promise<void> {
    const deadline = new Deadline(END_LIMIT_MS);
    return endForSure(instance, graceMs, () => deadline.isOver);
  }

  get #limits(): Limits {
    const { memoryLimit: memory, taskLimit: tasks, cpuLimit: cpu } = this.spec;
    return { memory, tasks, cpu };
  }

  #own(instance: Instance, startedAt: Date): void {
    this.#instance = instance;
    const watch = new InstanceWatch({
      instance,
      spec: this.spec,
      say: (text) => this.#say(text),
      wanted: () => this.#instance === instance && !this.#over,
    });
    this.#watch = watch;
    instance.limit(this.#limits);
    this.#address = instance.address ?? NOWHERE;
    this.#startedAt = startedAt;
    this.#began = performance.now() - Math.max(0, Date.now() - startedAt.getTime());
    void instance.ended.then((exit) => this.#ended(instance, watch.reason(exit)));
  }

  #ended(instance: Instance, reason: string): void {
    if (this.#stopping !== undefined || this.#instance !== instance) return;
    this.#instance = undefined;
    this.#watch = undefined;
    const ranFor = performance.now() - this.#began;
    this.#crashes = countCrash(this.#crashes, ranFor);
    this.#lastExit = reason;
    void this.#say(`${this.#lastExit} (${nameOf(instance.record, ' ')}, after ${(ranFor / 1000).toFixed(1)} s)`);
    this.#swept = this.#swept.then(() => instance.sweep()).catch(() => undefined);
    this.#set('crashed');
    if (this.#kept) this.#scheduleStart();
  }

  #scheduleStart(): void {
    clearTimeout(this.#timer);
    if (this.spec.restarts?.() === false) return;
    const wait = backoff(this.#crashes);
    this.#timer = setTimeout(() => void this.#startAgain(), wait);
    this.#timer.unref();
  }

  async #startAgain(): Promise<void> {
    await this.#swept;
    // It may have been started meanwhile.
    if (!this.#kept || this.#over || this.#state !== 'crashed' || this.#starting !== undefined) return;
    this.#restarts += 1;
    await this.#bringUp(true);
  }

  async #bringUp(start: boolean): Promise<void> {
    let started = false;
    let instance: Instance | undefined;
    try {
      if (start) await this.start();
      started = true;
      instance = this.#instance;
      await this.whenReady();
    } catch (error) {
      if (!this.#kept || this.#over) return;
      await this.#say(`not started: ${asClause(messageOf(error))}`);
      if (!started) {
        this.#crashes += 1;
        this.#set('crashed');
        this.#scheduleStart();
      } else if (instance !== undefined && instance === this.#instance) {
        // It runs but does not serve: end it, which counts as a crash. After a crash, another one may already start in its place.
        await this.#end(instance, GRACE_MS).catch((failure: unknown) =>
          this.#say(`not ended: ${asClause(messageOf(failure))}`),
        );
      }
    }
  }

  #set(state: ProcessState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#changed(this);
  }

  /** Logs for people. A log that cannot be written (a full disk) must not end an app. */
  async #say(text: string): Promise<void> {
    const name = this.#replica > 1 ? `replica ${this.#replica}: ` : '';
    await this.spec.log.append(`${name}${text}`).catch(() => undefined);
  }
}
