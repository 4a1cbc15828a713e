import { setTimeout as sleep } from 'node:timers/promises';
import { findRelease, pendingRelease, type App } from '../domain/app/app.js';
import { usedAt } from '../domain/app/preview.js';
import { canBecome, isPending, transition, type Release } from '../domain/app/release.js';
import { Refusal } from '../errors.js';
import type { Compiler } from '../environments/compiler.js';
import { Repository } from '../store/repository.js';
import type { Room } from '../store/room.js';
import { deploy, move, type DeployKit } from './deploy.js';
import type { LineListener } from './log.js';
import { CalledOff, isInterrupted, reasonOf, recordFailure, requeue } from './outcome.js';
import type { Pruner } from './pruner.js';
import { folderOf, queuedRelease, type DeployRequest } from './request.js';
import { OngoingDeploys, type Deploy, type OngoingDeploy, type OngoingDeploysOptions } from './ongoing.js';

export interface DeploysOptions extends DeployKit, OngoingDeploysOptions {
  /** Cleans up after each deploy. */
  pruner: Pick<Pruner, 'tidyAfter'>;
  /** Compiles environments that serve. */
  compiler: Pick<Compiler, 'add'>;
  room: Pick<Room, 'demand'>;
  logger: { info(facts: object, text: string): void; error(facts: object, text: string): void };
}

/**
 * Requests, supersedes, cancels and runs the deploys of all apps. What is wanted is on disk before anything else happens, and
 * the newest request wins.
 */
export class Deploys {
  readonly #options: DeploysOptions;
  readonly #ongoing: OngoingDeploys;
  readonly #listeners = new Set<(app: string) => void>();
  readonly #running = new Map<string, Promise<void>>();
  /** The recovery of an earlier server's deploys. */
  #recovered: Promise<void> = Promise.resolve();
  /** The results of deploys that could not be recorded: they are not run again, and the result is recorded later. */
  readonly #unwritten = new Map<string, unknown>();
  /** The apps that are being removed. */
  readonly #barred = new Set<string>();
  #stopping = false;
  /** True while what is interrupted goes on in the next server, with the same people waiting. */
  #handingOver = false;

  constructor(options: DeploysOptions) {
    this.#options = options;
    this.#ongoing = new OngoingDeploys(options);
  }

  /**
   * Records what is wanted and wakes the queue.
   * @throws Refusal `branch-moved` if the branch is no longer where the requester saw it, so that no change is lost unnoticed;
   * `app-going` if the app is being removed; `disk-low` for what may install packages
   */
  async request(request: DeployRequest): Promise<Deploy> {
    const { headStarts } = this.#options;
    this.#demandGoing();
    // What ran before has its environment already.
    if (request.of === undefined) await this.#options.room.demand();
    const folder = folderOf(request);
    if (folder === undefined) headStarts.begin(request.app, request.source === 'rollback' ? request.of : undefined);
    return this.#request(request, folder).catch((error: unknown) => {
      headStarts.settle(request.app);
      throw error;
    });
  }

  async #request(request: DeployRequest, folder: Release['folder']): Promise<Deploy> {
    const { store, paths, git } = this.#options;
    // A rollback moves no branch.
    const repository =
      folder === undefined && request.of === undefined ? new Repository(paths.repository(request.app), git) : undefined;
    const [message, previous] = await Promise.all([
      request.of?.message ?? repository?.subject(request.commit) ?? request.folder?.why ?? '',
      repository?.resolve(`refs/heads/${request.branch}`),
    ]);
    if (request.seen !== undefined && previous !== request.commit && previous !== (request.seen ?? undefined)) {
      throw new Refusal(
        'conflict',
        'branch-moved',
        `The branch ${request.branch} has changed in the meantime. Fetch it, then push again.`,
      );
    }
    let number = 0;
    await store.update(request.app, (app) => {
      if (this.#barred.has(request.app))
        throw new Refusal('conflict', 'app-going', `The app ${request.app} is being deleted. Try again in a moment.`);
      // It may have begun to stop meanwhile, and nobody would run this one.
      this.#demandGoing();
      const layout = store.layout(request.app);
      const release = queuedRelease(request, app, { message, previous, folder, layout, now: new Date() });
      number = release.number;
      return usedAt({ ...app, lastRelease: number, releases: [...app.releases, release] }, Date.now());
    });
    const ongoing = await this.#open(request.app, number);
    // Those who waited were told when it began to stop, which may have been a moment ago.
    if (this.#stopping && !this.#handingOver) this.#dismiss();
    await this.#supersede(request.app, number);
    for (const listener of this.#listeners) listener(request.app);
    return ongoing;
  }

  /** Calls the listener with each app that has something new to deploy, once that is on disk. @returns a function that unsubscribes */
  subscribe(listener: (app: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Finds a deploy that has not ended, to follow it. */
  find(app: string, number: number): Deploy | undefined {
    return this.#ongoing.find(app, number);
  }

  /** Cancels a deploy. Does nothing if it has ended. @throws Refusal `release-not-found` */
  async cancel(app: string, number: number): Promise<Release> {
    const release = findRelease(this.#options.store.get(app), number);
    if (release === undefined) {
      throw new Refusal('not-found', 'release-not-found', `${app} has no release ${number}.`);
    }
    if (!isPending(release.state)) return release;
    const ongoing = await this.#open(app, number);
    await this.#callOff(app, number, new CalledOff('cancelled', 'cancelled'));
    return ongoing.done;
  }

  /**
   * Prevents further deploys of an app that is being removed: their processes would outlive the removal.
   * @returns a function that allows them again
   */
  bar(app: string): () => void {
    this.#barred.add(app);
    return () => void this.#barred.delete(app);
  }

  /** Cancels all deploys of an app in progress, such as before its removal. */
  async abandon(app: string): Promise<void> {
    for (const release of this.#options.store.get(app).releases)
      if (isPending(release.state)) await this.cancel(app, release.number);
    await this.#running.get(app);
  }

  /** The apps with pending deploys. */
  wanted(): string[] {
    return this.#options.store
      .list()
      .filter((app) => pendingRelease(app) !== undefined && !this.#running.has(app.id))
      .map((app) => app.id);
  }

  /**
   * Runs the pending deploys of an app, the newest first. This is the body of the queue's job. If it runs twice at once, the
   * second run waits for the first and finds nothing to do.
   */
  async run(app: string): Promise<void> {
    await this.#running.get(app);
    if (this.#running.has(app)) return this.run(app);
    // What an earlier server has left is put back first, or both would move the same release.
    await this.#recovered;
    if (this.#running.has(app)) return this.run(app);
    const work = this.#run(app).finally(() => this.#running.delete(app));
    this.#running.set(app, work);
    return work;
  }

  /**
   * Marks the unfinished deploys of an earlier server as queued again. Safe to call at any time and repeatedly: deploys that
   * run here are left alone, and queued ones stay queued.
   */
  async recover(): Promise<void> {
    this.#recovered = this.#recover();
    await this.#recovered;
  }

  async #recover(): Promise<void> {
    for (const app of this.#options.store.list()) {
      if (this.#running.has(app.id) || !app.releases.some(({ state }) => isInterrupted(state))) continue;
      // A full disk keeps no deploy from being taken up: its turn begins with the same.
      await requeue(this.#options.store, app.id).catch((error: unknown) =>
        this.#options.logger.error({ app: app.id, err: error }, 'an interrupted deploy could not be queued again'),
      );
    }
  }

  /** Interrupts all deploys so that the next server restarts them, and waits until nothing is running. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#interrupt('the server is stopping');
    this.#dismiss();
  }

  /** Tells those who still wait for a deploy how it is left to the next server. */
  #dismiss(): void {
    for (const ongoing of this.#ongoing.list()) {
      const release = findRelease(this.#options.store.get(ongoing.app), ongoing.release);
      if (release !== undefined) this.#ongoing.close(ongoing.app, release);
    }
  }

  /** @throws Refusal `stopping` */
  #demandGoing(): void {
    if (this.#stopping)
      throw new Refusal('unavailable', 'stopping', 'The server is stopping. Push again once it is back.');
  }

  async #interrupt(reason: string): Promise<void> {
    const pause = new CalledOff('queued', reason);
    for (const ongoing of this.#ongoing.list()) ongoing.abort.abort(pause);
    await Promise.allSettled(this.#running.values());
  }

  /** Waits until no deploy runs, at most for the limit (ms). */
  async whenIdle(limitMs: number): Promise<void> {
    const limit = new AbortController();
    const late = sleep(limitMs, undefined, { signal: limit.signal }).catch(() => undefined);
    await Promise.race([Promise.allSettled(this.#running.values()), late]);
    limit.abort();
  }

  /**
   * Interrupts all deploys for the next server, which runs them again, as `stop` does; but those who wait for them go on
   * waiting, until `attend` has told them.
   */
  async interrupt(): Promise<void> {
    this.#stopping = true;
    this.#handingOver = true;
    await this.#interrupt('the server is being replaced');
  }

  /**
   * Tells those who still wait for deploys what becomes of them in the next server.
   * @param attend resolves with the release as its deploy left it; rejects where that cannot be known
   */
  async attend(attend: (deploy: Deploy, line: LineListener) => Promise<Release>): Promise<void> {
    await Promise.all(
      this.#ongoing.list().map(async (ongoing) => {
        const { app, release: number, log } = ongoing;
        const record = this.#options.store.find(app);
        const before = record && findRelease(record, number);
        const release = await attend(ongoing, (line) => log.relay(line)).catch(() => before);
        if (release !== undefined) this.#ongoing.close(app, release);
      }),
    );
  }

  /** Finds a deploy to follow, also one that has not begun or has just ended. @throws Refusal `app-not-found` */
  async follow(app: string, number: number): Promise<Deploy> {
    return this.#open(app, number);
  }

  /** Returns the deploy of a release that was just requested. It has ended already if something newer superseded it. */
  async #open(app: string, number: number): Promise<OngoingDeploy> {
    const ongoing = await this.#ongoing.open(app, number);
    const release = findRelease(this.#options.store.get(app), number);
    if (release !== undefined && !isPending(release.state)) this.#ongoing.close(app, release);
    return ongoing;
  }

  async #run(id: string): Promise<void> {
    const { store } = this.#options;
    for (;;) {
      const app = store.find(id);
      const release = app === undefined ? undefined : pendingRelease(app);
      if (app === undefined || release === undefined || this.#stopping) return;
      await this.#supersede(id, release.number);
      await this.#runOne(app, release);
    }
  }

  async #runOne(app: App, release: Release): Promise<void> {
    const { store, headStarts, compiler, logger } = this.#options;
    const ongoing = await this.#ongoing.open(app.id, release.number);
    ongoing.begin();
    const { signal } = ongoing.abort;
    const key = `${app.id}/${release.number}/${release.createdAt}`;
    try {
      if (this.#unwritten.has(key)) throw this.#unwritten.get(key);
      signal.throwIfAborted();
      // Found half-way because its result could not be recorded: it starts over.
      await requeue(store, app.id, release.number);
      await move(this.#options, app.id, release.number, 'building');
      await deploy(this.#options, app, release, ongoing.log, signal);
      logger.info({ app: app.id, release: release.number, ms: ongoing.log.elapsed }, 'a release is live');
    } catch (error) {
      const why: unknown = signal.aborted && !this.#unwritten.has(key) ? signal.reason : error;
      try {
        await recordFailure(this.#options, app.id, release.number, why, ongoing.log);
        this.#unwritten.delete(key);
      } catch (failure) {
        // Not even that could be recorded (a full disk): those who wait are told, and the sweep records it later.
        this.#unwritten.set(key, why);
        this.#ongoing.close(app.id, { ...release, state: 'failed', reason: ongoing.log.hide(reasonOf(why)) });
        throw failure;
      }
    }
    headStarts.settle(app.id);
    const after = findRelease(store.find(app.id) ?? app, release.number);
    const goesOn = this.#handingOver && after !== undefined && isPending(after.state);
    if (after !== undefined && !goesOn) this.#ongoing.close(app.id, after);
    if (after?.state === 'live' && after.environment !== undefined) compiler.add(after.environment);
    await this.#options.pruner
      .tidyAfter(app.id)
      .catch((error: unknown) => logger.error({ app: app.id, err: error }, 'old releases could not be removed'));
  }

  /** Supersedes every deploy of an app that is older than this release and not live yet. */
  async #supersede(app: string, number: number): Promise<void> {
    for (const older of this.#options.store.get(app).releases) {
      if (older.number < number && isPending(older.state)) {
        await this.#callOff(app, older.number, new CalledOff('superseded', `superseded by release ${number}`));
      }
    }
  }

  async #callOff(app: string, number: number, why: CalledOff): Promise<void> {
    const { store, headStarts } = this.#options;
    this.#ongoing.find(app, number)?.abort.abort(why);
    const release = findRelease(store.get(app), number);
    // A running deploy ends by itself, with its signal's reason. A waiting one is ended here.
    if (release?.state !== 'queued') return;
    const after = await store.update(app, (current) => ({
      ...current,
      releases: current.releases.map((one) =>
        one.number === number && one.state === 'queued' && canBecome(one.state, why.to)
          ? transition(one, why.to, { reason: why.message, finishedAt: new Date().toISOString() })
          : one,
      ),
    }));
    const ended = findRelease(after, number);
    headStarts.settle(app);
    if (ended !== undefined && !isPending(ended.state)) this.#ongoing.close(app, ended);
  }
}
