import { availableParallelism } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { drainMinutesOf, findRelease, nothingDeployed, type App } from '../domain/app/app.js';
import type { ProcessState } from '../domain/app/process.js';
import { replicasOf } from '../domain/app/replicas.js';
import { transition, type Release } from '../domain/app/release.js';
import { Background } from '../lib/background.js';
import { Slots } from '../lib/slots.js';
import { Turns } from '../lib/turns.js';
import { Target, type RelayedUse } from '../gateway/target.js';
import type { RouteTable } from '../gateway/routes.js';
import type { AppProcess } from '../runtime/app-process.js';
import type { ProcessSpec } from '../runtime/process-spec.js';
import type { Runtime } from '../runtime/runtime.js';
import type { AppStore } from '../store/apps.js';
import { linkLive } from '../store/links.js';
import type { Paths } from '../store/paths.js';
import { Adoption, type Adopted } from './adoption.js';
import { drained, type DrainLimits } from './drain.js';
import { byReplica, Lineup, type Served } from './lineup.js';
import type { ProcessConfig } from '../app-config/process-config.js';
import { ProcessWatch } from './process-watch.js';
import type { Processes } from './processes.js';
import { Relays } from './relays.js';

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

/** A replica of the live release, for people. */
export interface Replica {
  process: AppProcess;
  /** The number of pages that are open on it. */
  sessions: number;
  /** True where it gets no new pages, and ends once it has none. */
  draining: boolean;
}

/**
 * Knows which processes run for each app, and keeps the gateway's routes and the records on disk in agreement with them. The
 * live release's processes are kept running; older ones are kept until their pages are closed.
 */
export class Serving {
  readonly #options: ServingOptions;
  readonly #listeners = new Set<(app: string) => void>();
  readonly #lineup = new Lineup();
  /** What changes the number of replicas of an app happens one after the other. */
  readonly #scaling = new Turns();
  readonly #background: Background;
  /** The apps with processes of an earlier server that are not all known yet. */
  readonly #adopting = new Set<string>();
  /** Watches all running processes, including those that are not live yet. */
  readonly #watch: ProcessWatch;
  readonly #closed = new AbortController();
  readonly #relays = new Relays(this.#lineup);
  readonly #adoption: Adoption;
  /** Starts for which nobody waits, such as those of all apps after a reboot. */
  readonly #starts = new Slots(Math.max(4, 2 * availableParallelism()));

  constructor(options: ServingOptions) {
    this.#options = options;
    this.#background = new Background((error, facts) =>
      options.logger.warn({ ...facts, err: error }, 'app process work failed'),
    );
    this.#watch = new ProcessWatch(options.runtime, this.#background);
    this.#adoption = new Adoption({
      ...options,
      prepare: async (...what) => (await this.prepare(...what, 1))[0],
      background: this.#background,
      isClosed: () => this.#isClosed,
    });
  }

  /** Calls the listener when the state, instance or address of an app's process changes. @returns a function that unsubscribes */
  subscribe(listener: (app: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The live release's process: of several, the one that is nearest to serving. */
  process(app: string): AppProcess | undefined {
    const all = this.processes(app);
    const order: readonly ProcessState[] = ['ready', 'starting', 'crashed', 'stopped'];
    return order.flatMap((state) => all.find((process) => process.state === state) ?? [])[0];
  }

  /** All processes of the live release that take new pages. */
  processes(app: string): AppProcess[] {
    return this.#lineup.live(app).map(({ process }) => process);
  }

  /** The processes of the live release with their pages, also those that end once they have none. */
  replicas(app: string): Replica[] {
    const live = this.#lineup.live(app);
    const release = live[0]?.process.release;
    const draining = this.#lineup.draining(app).filter(({ process }) => process.release === release);
    return [...live, ...draining].sort(byReplica).map((one) => {
      return { process: one.process, sessions: one.target.sockets, draining: !live.includes(one) };
    });
  }

  /** The numbers of the older releases that still have open pages. */
  draining(app: string): number[] {
    return this.#lineup.draining(app).map((served) => served.process.release);
  }

  /** How many pages are open on each release that has a process. */
  openPages(app: string): Map<number, number> {
    const pages = new Map<number, number>();
    for (const { process, target } of this.#lineup.of(app)) {
      pages.set(process.release, (pages.get(process.release) ?? 0) + target.sockets);
    }
    return pages;
  }

  /**
   * Prepares processes of a release, without starting them.
   * @param count how many
   * @param options.after the number of the replica before the first of them; 0 unless given
   * @param options.ahead finds the interpreter that was started for the first of them ahead
   * @throws Refusal where the release was never built
   */
  async prepare(
    app: string,
    release: Release,
    count: number,
    { after = 0, ahead }: { after?: number; ahead?: ProcessSpec['ahead'] } = {},
  ): Promise<AppProcess[]> {
    const changed = (process: AppProcess): void => this.#changed(app, process);
    return Promise.all(
      Array.from({ length: count }, (_, at) => {
        const options = { replica: after + at + 1, ...(at === 0 && ahead && { ahead }) };
        return this.#options.processes.prepare(app, release, changed, options);
      }),
    );
  }

  /**
   * Makes running processes the live ones: the record is written, then the route is swapped in one assignment. The previous
   * processes drain if they belong to another release, and end if they belong to the same one.
   * @param record returns the app's new record, given the newest one
   */
  async goLive(app: string, processes: readonly AppProcess[], record: (app: App) => App): Promise<void> {
    const { store, routes } = this.#options;
    const served = processes.map((process) => ({ process, target: new Target(process) }));
    await store.update(app, (current) => withProcesses(record(current), processes));
    // Nothing else can run until the next await: what was live is known, and has an owner again.
    const live = this.#lineup.live(app);
    const release = served[0]?.process.release;
    const replaced = this.#lineup.of(app).filter((one) => one.process.release === release);
    routes.swap(
      app,
      served.map(({ target }) => target),
    );
    this.#lineup.setLive(app, served);
    for (const process of processes) process.keep();
    for (const before of replaced) this.#background.own(this.#replace(app, before));
    for (const before of live) if (!replaced.includes(before)) this.#drain(app, before);
    this.#background.own(this.record(app));
    // Their number may have been changed while they were starting.
    this.#background.own(this.scale(app), { app });
    await this.#link(app);
  }

  /**
   * Starts the live release in the background and keeps it running. Does nothing if it runs already.
   * @param options.inTurn true to wait until few others are starting
   * @throws Refusal where the app has no release to run
   */
  async start(app: App, options: { inTurn?: boolean } = {}): Promise<void> {
    const before = this.processes(app.id);
    if (before.length > 0) {
      // A crashed process is restarted at once, without waiting for its backoff.
      for (const process of before) process.retry();
      if (before.length !== replicasOf(app)) this.#background.own(this.scale(app.id), { app: app.id });
      return;
    }
    const release = findRelease(app, app.live);
    if (release === undefined) {
      throw nothingDeployed(app.id);
    }
    const processes = await this.prepare(app.id, release, replicasOf(app));
    // Another start is in progress, the app was stopped or is being removed, or the server ends: nobody would end the process.
    if (
      this.#isClosed ||
      this.#lineup.live(app.id).length > 0 ||
      this.#options.store.find(app.id)?.wanted !== 'running'
    )
      return;
    this.#serve(app.id, processes);
    // The first of them serves sooner where it has the machine to itself.
    const run = async (): Promise<void> => {
      const [first, ...others] = processes;
      await first?.run();
      await Promise.all(others.map((process) => process.run()));
    };
    this.#background.own(options.inTurn === true ? this.#starts.take(app.id, run) : run());
  }

  /**
   * Makes as many processes of the live release run as are wanted. New ones get pages once they serve; where there are too
   * many, the last ones get no more pages, and end as those of an older release do. Does nothing for an app that does not run.
   * @throws Refusal if one of the new ones does not start; those that run go on
   */
  async scale(app: string): Promise<void> {
    const work = this.#scaling.take(app, () => this.#scale(app));
    // It has an owner also where its caller is gone, whom its failure is told.
    this.#background.own(work.catch(() => undefined));
    await work;
  }

  async #scale(app: string): Promise<void> {
    const record = this.#options.store.find(app);
    const live = this.#lineup.live(app);
    const release = record === undefined ? undefined : findRelease(record, record.live);
    const isCurrent = (): boolean => {
      const now = this.#options.store.find(app);
      const runs = now?.wanted === 'running' && !now.asleep && !this.#isClosed;
      return runs && this.processes(app)[0]?.release === release?.number;
    };
    if (record === undefined || release === undefined || live.length === 0 || !isCurrent()) return;
    const wanted = replicasOf(record);
    if (live.length === wanted) return;
    for (const served of live.slice(wanted)) {
      this.#options.routes.drainBehind(app, served.target);
      this.#drain(app, served);
    }
    if (live.length < wanted) {
      const after = this.#lineup.highest(app, release.number);
      const processes = await this.prepare(app, release, wanted - live.length, { after });
      try {
        await startAll(processes, this.#closed.signal);
        if (!isCurrent()) throw new Overtaken();
      } catch (error) {
        await Promise.all(processes.map((process) => process.stop()));
        if (error instanceof Overtaken || this.#isClosed) return;
        throw error;
      }
      for (const process of processes) {
        const served = { process, target: new Target(process) };
        this.#lineup.setLive(app, [...this.#lineup.live(app), served]);
        this.#options.routes.join(app, served.target);
        process.keep();
      }
    }
    await this.record(app);
  }

  /** Lets an app that waits for its turn to start be the next: somebody visits it. */
  hurry(app: string): void {
    this.#starts.hurry(app);
  }

  /** Adopts the processes that an earlier server left running, and stops those that are no longer wanted. */
  async adopt(app: App): Promise<void> {
    this.#adopting.add(app.id);
    try {
      for (const { release, replica = 1 } of app.processes)
        if (release === app.live) this.#lineup.count(app.id, release, replica);
      const adopted = await this.#adoption.of(app);
      // All in one tick: the pages of one process must not be sent to another one that was adopted sooner.
      await this.#takeUp(app, adopted);
    } finally {
      this.#adopting.delete(app.id);
    }
    await this.record(app.id);
  }

  /** Gives adopted processes their routes: those of the live release first, as many as are wanted. */
  async #takeUp(app: App, adopted: readonly Adopted[]): Promise<void> {
    const isWanted = app.wanted === 'running';
    const live = adopted
      .filter(({ release }) => isWanted && release.number === app.live)
      .filter(({ process: { replica } }, at, all) => all.findIndex((one) => one.process.replica === replica) === at)
      .sort(byReplica);
    const wanted = this.#lineup.live(app.id).length > 0 ? [] : live;
    const serving = wanted.slice(0, replicasOf(app));
    const rest = adopted.filter((one) => !serving.includes(one));
    const drains = (one: Adopted): boolean => isWanted && (one.release.state === 'draining' || wanted.includes(one));
    if (serving.length > 0)
      this.#serve(
        app.id,
        serving.map(({ process }) => process),
        new Date(),
      );
    for (const { process } of serving) this.#background.own(process.run());
    for (const { process } of rest.filter(drains)) {
      this.#background.own(process.whenReady().catch(() => undefined));
      // Its pages lost their connections with the earlier server and will reconnect in a moment.
      const served = { process, target: new Target(process, new Date()) };
      this.#options.routes.drainBehind(app.id, served.target);
      this.#drain(app.id, served);
    }
    await Promise.all(rest.filter((one) => !drains(one)).map(({ process }) => process.stop()));
  }

  /** Starts new processes of the live release beside the old ones, which serve until the new ones are ready. */
  async restart(app: App): Promise<void> {
    const release = findRelease(app, app.live);
    if (this.#lineup.live(app.id).length === 0 || release === undefined) return this.start(app);
    const processes = await this.prepare(app.id, release, replicasOf(app));
    try {
      await startAll(processes);
      await this.goLive(app.id, processes, (current) => {
        if (this.#isClosed || current.live !== release.number || current.wanted !== 'running') throw new Overtaken();
        return current;
      });
    } catch (error) {
      await Promise.all(processes.map((process) => process.stop()));
      // A deploy has made a newer release live in the meantime, with a new process, or the server ends.
      if (!(error instanceof Overtaken)) throw error;
    }
  }

  /** Stops the processes of an older release, even if pages are still open on it. */
  async retire(app: string, release: number): Promise<void> {
    const old = this.#lineup.draining(app).filter((served) => served.process.release === release);
    await Promise.all(old.map((served) => this.#replace(app, served)));
  }

  /** Stops every process of an app. */
  async stop(app: string): Promise<void> {
    const all = this.#lineup.of(app);
    await Promise.all(all.map((served) => this.#end(app, served)));
    // No page has its process any more, so the numbers start over.
    this.#lineup.startOver(app);
  }

  /** Stops every process of every app. The desired state is unchanged, so the next server starts them again. */
  async end(): Promise<void> {
    this.#closed.abort();
    this.#watch.close();
    await Promise.all(this.#lineup.apps().map((app) => this.stop(app)));
    await this.#background.settled();
  }

  /** Releases every process without stopping it; the next server adopts them. */
  async leave(): Promise<void> {
    await this.handOver();
    for (const { target } of this.#lineup.all()) target.agent.destroy();
  }

  /** As `leave`, while requests and WebSockets in progress go on through this server. */
  async handOver(): Promise<void> {
    this.#closed.abort();
    this.#watch.close();
    const left = [...this.#lineup.all()].map(({ process }) => process.leave());
    this.#options.routes.leave();
    await Promise.all(left);
    await this.#background.settled();
  }

  /** Returns what goes to the processes through this server, and through earlier ones, by their marks. */
  uses(): Record<string, RelayedUse> {
    return this.#relays.uses();
  }

  /** Counts what somebody else still passes on, by the marks of the processes. @param from who */
  relay(from: object, uses: Readonly<Record<string, RelayedUse>>): void {
    this.#relays.note(from, uses);
  }

  /** True once the server ends, or another one takes over. */
  get #isClosed(): boolean {
    return this.#closed.signal.aborted;
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

  /** @param socketsUntil when their pages lost their connections; undefined if they have none */
  #serve(app: string, processes: readonly AppProcess[], socketsUntil?: Date): void {
    const served = processes.map((process) => ({ process, target: new Target(process, socketsUntil) }));
    this.#lineup.setLive(app, served);
    this.#options.routes.swap(
      app,
      served.map(({ target }) => target),
    );
  }

  /** Sends the pages of a process that has crashed to others, if there are any. */
  #lost(app: string, process: AppProcess): void {
    const live = this.#lineup.live(app);
    const served = this.#lineup.find(app, process);
    if (served === undefined) return;
    this.#options.routes.lost(app, served.target);
    if (live.length < 2 || !live.includes(served) || !served.target.wasUsed) return;
    // Its pages go on elsewhere, and must not come back to it once it serves again and knows nothing of them.
    process.renumber(this.#lineup.highest(app, process.release) + 1);
    served.target.wasUsed = false;
    this.#lineup.setLive(app, live);
  }

  #drain(app: string, served: Served): void {
    this.#lineup.drain(app, served);
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

  async #end(app: string, served: Served): Promise<void> {
    const { routes, store, logger } = this.#options;
    routes.drop(app, served.target);
    this.#lineup.remove(app, served);
    served.target.close();
    await served.process.stop();
    if (store.find(app) === undefined) return;
    await this.record(app);
    logger.info({ app, release: served.process.release }, 'app process stopped');
  }

  #changed(app: string, process: AppProcess): void {
    if (process.state === 'crashed') this.#lost(app, process);
    this.#options.routes.changed(app);
    for (const listener of this.#listeners) listener(app);
    // A process that comes back after a crash gets its secrets again.
    if (process.state === 'stopped' || process.state === 'crashed') {
      this.#background.own(this.#options.config.clear({ app, release: process.release, key: process.key }));
    }
    if (process.state === 'stopped') this.#watch.delete(process);
    else this.#watch.add(process);
    const all = this.#lineup.of(app);
    const known = all.some((one) => one.process === process);
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
      const served = this.#lineup.of(app).map(({ process }) => process);
      const running = new Set(served.map((process) => process.release));
      const processes = served.flatMap((process) => process.record ?? []);
      const isOver = (one: Release): boolean => one.state === 'draining' && !running.has(one.number);
      if (isDeepStrictEqual(processes, current.processes) && !current.releases.some(isOver)) return current;
      const releases = current.releases.map((one) => (isOver(one) ? transition(one, 'retired') : one));
      return { ...current, processes, releases };
    });
  }
}

/** Thrown when the process of a restart is no longer needed, such as when something newer is live. */
class Overtaken extends Error {}

/** Starts processes of the same release, and waits until all of them serve. @throws Refusal as soon as one does not */
export async function startAll(processes: readonly AppProcess[], signal?: AbortSignal): Promise<void> {
  await Promise.all(
    processes.map(async (process) => {
      await process.start();
      await process.whenReady({ ...(signal && { signal }) });
    }),
  );
}

function withProcesses(app: App, processes: readonly AppProcess[]): App {
  const records = processes.flatMap(({ record }) => record ?? []);
  return records.length === 0 ? app : { ...app, processes: [...app.processes, ...records] };
}
