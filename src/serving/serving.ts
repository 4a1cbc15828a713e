import { availableParallelism } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { drainMinutesOf, findRelease, nothingDeployed, type App } from '../domain/app/app.js';
import { processKey, type ProcessRecord } from '../domain/app/process.js';
import { transition, type Release } from '../domain/app/release.js';
import { Background } from '../lib/background.js';
import { Slots } from '../lib/slots.js';
import { Target, type RelayedUse } from '../gateway/target.js';
import type { RouteTable } from '../gateway/routes.js';
import type { AppProcess } from '../runtime/app-process.js';
import { endForSure } from '../runtime/end-for-sure.js';
import type { ProcessSpec } from '../runtime/process-spec.js';
import type { Runtime } from '../runtime/runtime.js';
import type { AppStore } from '../store/apps.js';
import { linkLive } from '../store/links.js';
import type { Paths } from '../store/paths.js';
import { drained, type DrainLimits } from './drain.js';
import type { ProcessConfig } from '../app-config/process-config.js';
import { ProcessWatch } from './process-watch.js';
import type { Processes } from './processes.js';

export interface ServingOptions {
  store: AppStore;
  paths: Paths;
  routes: RouteTable;
  processes: Pick<Processes, 'prepare'>;
  /** What runs them. */
  runtime: Pick<Runtime, 'usage' | 'discard'>;
  drain: DrainLimits;
  /** Removes the secrets that a process was given. */
  config: Pick<ProcessConfig, 'clear'>;
  logger: { warn(facts: object, text: string): void; info(facts: object, text: string): void };
}

/** How long requests in progress may take when their process is replaced by another one of the same release, in ms. */
const FINISH_MS = 10_000;
/** How long the server waits at its start for an adopted process to answer, in ms. */
const ADOPT_MS = 2_000;

/** A process with the route that leads to it. */
interface Served {
  process: AppProcess;
  target: Target;
}

/**
 * Knows which processes run for each app, and keeps the gateway's routes and the records on disk in agreement with them. The
 * live release's process is kept running; an older one is kept until its pages are closed.
 */
export class Serving {
  readonly #options: ServingOptions;
  readonly #listeners = new Set<(app: string) => void>();
  readonly #live = new Map<string, Served>();
  readonly #draining = new Map<string, Set<Served>>();
  readonly #background: Background;
  /** The apps with processes of an earlier server that are not all known yet. */
  readonly #adopting = new Set<string>();
  /** Watches all running processes, including those that are not live yet. */
  readonly #watch: ProcessWatch;
  readonly #closed = new AbortController();
  /** What goes to the processes through earlier servers. */
  readonly #relays = new Map<object, Readonly<Record<string, RelayedUse>>>();
  /** Starts for which nobody waits, such as those of all apps after a reboot. */
  readonly #starts = new Slots(Math.max(4, 2 * availableParallelism()));

  constructor(options: ServingOptions) {
    this.#options = options;
    this.#background = new Background((error, facts) =>
      options.logger.warn({ ...facts, err: error }, 'app process work failed'),
    );
    this.#watch = new ProcessWatch(options.runtime, this.#background);
  }

  /** Calls the listener when the state, instance or address of an app's process changes. @returns a function that unsubscribes */
  subscribe(listener: (app: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The live release's process. */
  process(app: string): AppProcess | undefined {
    return this.#live.get(app)?.process;
  }

  /** The numbers of the older releases that still have open pages. */
  draining(app: string): number[] {
    return [...(this.#draining.get(app) ?? [])].map((served) => served.process.release);
  }

  /** How many pages are open on each release that has a process. */
  openPages(app: string): Map<number, number> {
    const live = this.#live.get(app);
    const pages = new Map<number, number>();
    for (const { process, target } of [...(live === undefined ? [] : [live]), ...(this.#draining.get(app) ?? [])]) {
      pages.set(process.release, (pages.get(process.release) ?? 0) + target.sockets);
    }
    return pages;
  }

  /**
   * Prepares a process of a release, without starting it.
   * @param ahead finds the interpreter that was started for it ahead
   * @throws Refusal where the release was never built
   */
  async prepare(app: string, release: Release, ahead?: ProcessSpec['ahead']): Promise<AppProcess> {
    return this.#options.processes.prepare(app, release, (process) => this.#changed(app, process), ahead);
  }

  /**
   * Makes a running process the live one: the record is written, then the route is swapped in one assignment. The previous
   * process drains if it belongs to another release, and ends if it belongs to the same one.
   * @param record returns the app's new record, given the newest one
   */
  async goLive(app: string, process: AppProcess, record: (app: App) => App): Promise<void> {
    const { store, routes } = this.#options;
    const target = new Target(process);
    await store.update(app, (current) => withProcess(record(current), process.record));
    // Nothing else can run until the next await: what was live is known, and has an owner again.
    const before = this.#live.get(app);
    routes.swap(app, target);
    this.#live.set(app, { process, target });
    process.keep();
    if (before !== undefined) {
      if (before.process.release === process.release) this.#background.own(this.#replace(app, before));
      else this.#drain(app, before);
    }
    this.#background.own(this.record(app));
    await this.#link(app);
  }

  /**
   * Starts the live release in the background and keeps it running. Does nothing if it runs already.
   * @param options.inTurn true to wait until few others are starting
   * @throws Refusal where the app has no release to run
   */
  async start(app: App, options: { inTurn?: boolean } = {}): Promise<void> {
    const before = this.#live.get(app.id);
    // A crashed process is restarted at once, without waiting for its backoff.
    if (before !== undefined) return before.process.retry();
    const release = findRelease(app, app.live);
    if (release === undefined) {
      throw nothingDeployed(app.id);
    }
    const process = await this.prepare(app.id, release);
    // Another start is in progress, the app was stopped or is being removed, or the server ends: nobody would end the process.
    if (this.#isClosed || this.#live.has(app.id) || this.#options.store.find(app.id)?.wanted !== 'running') return;
    this.#serve(app.id, process);
    this.#background.own(options.inTurn === true ? this.#starts.take(app.id, () => process.run()) : process.run());
  }

  /** Lets an app that waits for its turn to start be the next: somebody visits it. */
  hurry(app: string): void {
    this.#starts.hurry(app);
  }

  /** Adopts the processes that an earlier server left running, and stops those that are no longer wanted. */
  async adopt(app: App): Promise<void> {
    this.#adopting.add(app.id);
    try {
      for (const record of app.processes) {
        try {
          await this.#adoptOne(app, record);
        } catch (error) {
          this.#options.logger.warn({ app: app.id, err: error }, 'an app process could not be adopted');
          // Nobody knows it any more.
          this.#background.own(this.#sweepForSure(app.id, record), { app: app.id });
        }
      }
    } finally {
      this.#adopting.delete(app.id);
    }
    await this.record(app.id);
  }

  async #adoptOne(app: App, record: ProcessRecord): Promise<void> {
    const release = findRelease(app, record.release);
    const process =
      release === undefined || this.#options.paths.environmentOf(release) === undefined
        ? undefined
        : await this.prepare(app.id, release);
    if (release === undefined || process === undefined || !(await process.adopt(record)))
      return this.#sweep(app.id, record);
    await process.whenReady({ timeoutMs: ADOPT_MS }).catch(() => undefined);
    const live = record.release === app.live && app.wanted === 'running' && !this.#live.has(app.id);
    if (live) {
      this.#serve(app.id, process, new Date());
      this.#background.own(process.run());
    } else if (release.state === 'draining' && app.wanted === 'running') {
      this.#background.own(process.whenReady().catch(() => undefined));
      // Its pages lost their connections with the earlier server and will reconnect in a moment.
      const served = { process, target: new Target(process, new Date()) };
      this.#options.routes.drainBehind(app.id, served.target);
      this.#drain(app.id, served);
    } else {
      await process.stop();
    }
  }

  /** Starts a new process of the live release beside the old one, which serves until the new one is ready. */
  async restart(app: App): Promise<void> {
    const release = findRelease(app, app.live);
    const before = this.#live.get(app.id);
    if (before === undefined || release === undefined) return this.start(app);
    const process = await this.prepare(app.id, release);
    try {
      await process.start();
      await process.whenReady();
      await this.goLive(app.id, process, (current) => {
        if (this.#isClosed || current.live !== release.number || current.wanted !== 'running') throw new Overtaken();
        return current;
      });
    } catch (error) {
      await process.stop();
      // A deploy has made a newer release live in the meantime, with a new process, or the server ends.
      if (!(error instanceof Overtaken)) throw error;
    }
  }

  /** Stops the processes of an older release, even if pages are still open on it. */
  async retire(app: string, release: number): Promise<void> {
    const old = [...(this.#draining.get(app) ?? [])].filter((served) => served.process.release === release);
    await Promise.all(old.map((served) => this.#replace(app, served)));
  }

  /** Stops every process of an app. */
  async stop(app: string): Promise<void> {
    const live = this.#live.get(app);
    const all = [...(live === undefined ? [] : [live]), ...(this.#draining.get(app) ?? [])];
    await Promise.all(all.map((served) => this.#end(app, served)));
  }

  /** Stops every process of every app. The desired state is unchanged, so the next server starts them again. */
  async end(): Promise<void> {
    this.#closed.abort();
    this.#watch.close();
    await Promise.all([...this.#live.keys(), ...this.#draining.keys()].map((app) => this.stop(app)));
    await this.#background.settled();
  }

  /** Releases every process without stopping it; the next server adopts them. */
  async leave(): Promise<void> {
    await this.handOver();
    for (const { target } of this.#all()) target.agent.destroy();
  }

  /** As `leave`, while requests and WebSockets in progress go on through this server. */
  async handOver(): Promise<void> {
    this.#closed.abort();
    this.#watch.close();
    const left = [...this.#all()].map(({ process }) => process.leave());
    this.#options.routes.leave();
    await Promise.all(left);
    await this.#background.settled();
  }

  /** Returns what goes to the processes through this server, and through earlier ones, by their marks. */
  uses(): Record<string, RelayedUse> {
    const uses: Record<string, RelayedUse> = {};
    for (const { process, target } of this.#all()) {
      const { claims, sockets, lastActivity, visitedAt } = target;
      if (process.mark !== undefined && claims > 0) uses[process.mark] = { claims, sockets, lastActivity, visitedAt };
    }
    return uses;
  }

  /** Counts what somebody else still passes on, by the marks of the processes. @param from who */
  relay(from: object, uses: Readonly<Record<string, RelayedUse>>): void {
    if (Object.keys(uses).length === 0) this.#relays.delete(from);
    else this.#relays.set(from, uses);
    for (const { process, target } of this.#all()) {
      const all = [...this.#relays.values()].flatMap((one) => one[process.mark ?? ''] ?? []);
      target.relay(all.length === 0 ? undefined : all.reduce(together));
    }
  }

  /** True once the server ends, or another one takes over. */
  get #isClosed(): boolean {
    return this.#closed.signal.aborted;
  }

  *#all(): Iterable<Served> {
    yield* this.#live.values();
    for (const set of this.#draining.values()) yield* set;
  }

  /** Links for people who look at the disk. A failure must not undo a deploy. */
  async #link(app: string): Promise<void> {
    const { store, paths, logger } = this.#options;
    const record = store.find(app);
    const release = record === undefined ? undefined : findRelease(record, record.live);
    if (release === undefined) return;
    await linkLive(paths, app, release).catch((error: unknown) => {
      logger.warn({ app, err: error }, 'the links to the live release could not be updated');
    });
  }

  /** @param socketsUntil when its pages lost their connections; undefined if it has none */
  #serve(app: string, process: AppProcess, socketsUntil?: Date): void {
    const target = new Target(process, socketsUntil);
    this.#live.set(app, { process, target });
    this.#options.routes.swap(app, target);
  }

  #drain(app: string, served: Served): void {
    const set = this.#draining.get(app) ?? new Set<Served>();
    this.#draining.set(app, set.add(served));
    if (this.#live.get(app)?.process === served.process) this.#live.delete(app);
    this.#background.own(
      drained(served.target, this.#drainLimits(app), this.#closed.signal).then(async (over) => {
        if (over) await this.#replace(app, served);
      }),
    );
  }

  #drainLimits(app: string): DrainLimits {
    const { store, drain } = this.#options;
    const record = store.find(app);
    const minutes = record === undefined ? undefined : drainMinutesOf(record);
    return minutes === undefined ? drain : { ...drain, limitMs: minutes * 60_000 };
  }

  /** Ends a process that was replaced: its pages move at once, and its requests are finished. */
  async #replace(app: string, served: Served): Promise<void> {
    this.#options.routes.drop(app, served.target);
    served.target.closeSockets();
    await served.target.whenIdle(FINISH_MS, this.#closed.signal);
    await this.#end(app, served);
  }

  /** Cleans up after a process that has ended or no longer belongs to a release. */
  async #sweep(app: string, record: ProcessRecord): Promise<void> {
    if (record.mark.includes(`/${app}/${record.release}/`)) await this.#options.runtime.discard(record);
    await this.#options.config.clear({ app, release: record.release, key: processKey(record) });
  }

  /** What fails for now, such as where no more files can be opened, is tried again, until the next server does it. */
  #sweepForSure(app: string, record: ProcessRecord): Promise<void> {
    return endForSure({ end: () => this.#sweep(app, record) }, 0, () => this.#isClosed);
  }

  async #end(app: string, served: Served): Promise<void> {
    const { routes, store, logger } = this.#options;
    routes.drop(app, served.target);
    if (this.#live.get(app) === served) this.#live.delete(app);
    this.#draining.get(app)?.delete(served);
    served.target.close();
    await served.process.stop();
    if (store.find(app) === undefined) return;
    await this.record(app);
    logger.info({ app, release: served.process.release }, 'app process stopped');
  }

  #changed(app: string, process: AppProcess): void {
    this.#options.routes.changed(app);
    for (const listener of this.#listeners) listener(app);
    // A process that comes back after a crash gets its secrets again.
    if (process.state === 'stopped' || process.state === 'crashed') {
      this.#background.own(this.#options.config.clear({ app, release: process.release, key: process.key }));
    }
    if (process.state === 'stopped') this.#watch.delete(process);
    else this.#watch.add(process);
    const known =
      this.#live.get(app)?.process === process ||
      [...(this.#draining.get(app) ?? [])].some((one) => one.process === process);
    if (known && this.#options.store.find(app) !== undefined) this.#background.own(this.record(app));
  }

  /**
   * Records the running processes if the record differs. A release that was live and no longer has a process is retired. On a
   * full disk it is recorded later.
   */
  async record(app: string): Promise<void> {
    // Adopting ends with writing the record.
    if (this.#options.store.find(app) === undefined || this.#adopting.has(app)) return;
    await this.#options.store.note(app, (current) => {
      const served = [this.#live.get(app), ...(this.#draining.get(app) ?? [])].flatMap((one) => one?.process ?? []);
      const running = new Set(served.map((process) => process.release));
      const processes = served.flatMap((process) => process.record ?? []);
      const isOver = (one: Release): boolean => one.state === 'draining' && !running.has(one.number);
      if (isDeepStrictEqual(processes, current.processes) && !current.releases.some(isOver)) return current;
      const releases = current.releases.map((one) => (isOver(one) ? transition(one, 'retired') : one));
      return { ...current, processes, releases };
    });
  }
}

function together(one: RelayedUse, other: RelayedUse): RelayedUse {
  return {
    claims: one.claims + other.claims,
    sockets: one.sockets + other.sockets,
    lastActivity: Math.max(one.lastActivity, other.lastActivity),
    visitedAt: Math.max(one.visitedAt, other.visitedAt),
  };
}

/** Thrown when the process of a restart is no longer needed, such as when something newer is live. */
class Overtaken extends Error {}

function withProcess(app: App, record: ProcessRecord | undefined): App {
  return record === undefined ? app : { ...app, processes: [...app.processes, record] };
}
