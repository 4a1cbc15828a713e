import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Happening } from '../domain/access/audit.js';
import type { Release } from '../domain/app/release.js';
import type { Entries, Switchboard } from '../gateway/switchboard.js';
import type { RelayedUse } from '../gateway/target.js';
import type { OpenedBy } from '../gateway/watch.js';
import type { Claims } from '../lib/claims.js';
import { endInTurn } from '../lib/ends.js';
import type { Logger } from '../logger.js';
import type { Config } from '../settings.js';
import type { LogFolder } from '../store/log-folder.js';
import type { Paths } from '../store/paths.js';
import type { ReloadResult } from '../web/api/route.js';
import { composeHost, type Composed } from './compose.js';
import { openDoors, versionOf, type Doors } from './doors.js';
import type { Later } from './later.js';
import type { Alerts } from '../alerts/alerts.js';
import { Drains } from '../drains/drains.js';
import { openAlerts } from './alerts.js';
import { openMetrics, type Measuring } from './metrics.js';
import { configFile } from './config-file.js';
import { otlpSinks } from './otlp.js';
import type { Stop } from './stop.js';
import { tellUses } from './telling.js';
import { endsOf } from './watching.js';

/** The public URLs, which are complete once the ports are known. */
export interface Bases {
  platform: string;
  apps: string | undefined;
}

export interface LifeOptions {
  config: Config;
  paths: Paths;
  /** The folder of the program itself. */
  root: string;
  /** Marks our child processes. */
  mark: string;
  later: Later;
  bases: Bases;
  basePath: string;
  stop: Stop;
  board: Switchboard;
  changes: Claims;
  /** Replaces this server by a new one. */
  reload: (options: { waitMs: number }) => Promise<ReloadResult>;
  logFolder: LogFolder | undefined;
  logger: Logger;
}

/** Who knows and decides about the apps after a life has given them away. */
export interface Heir {
  /** Receives what still goes to the processes through somebody else, by their marks. */
  use(from: object, uses: Record<string, RelayedUse>): void;
  /** Returns who may keep their WebSockets. */
  may(visitors: OpenedBy[]): Promise<boolean[]>;
  /** Writes down what somebody did through somebody else. */
  note(happening: Happening): void;
  /** Follows a deploy. @returns the release as the deploy left it */
  attend(app: string, release: number, hear: (line: string) => void): Promise<Release>;
}

/** Everything that owns the data folder's apps and records, from the moment it takes them until it gives them away. */
export class Life implements Heir {
  readonly composed: Composed;
  readonly doors: Doors;
  readonly #options: LifeOptions;
  readonly #watching: { measuring: Measuring; alerts: Alerts; drains: Drains };
  /** Ends the event streams: their readers come back to the next server. */
  readonly #closing: AbortController;
  #unfollow: (() => void) | undefined;

  private constructor(
    options: LifeOptions,
    parts: {
      composed: Composed;
      doors: Doors;
      watching: { measuring: Measuring; alerts: Alerts; drains: Drains };
      closing: AbortController;
    },
  ) {
    this.#options = options;
    this.composed = parts.composed;
    this.doors = parts.doors;
    this.#watching = parts.watching;
    this.#closing = parts.closing;
  }

  /** Composes everything. Nothing is started yet. */
  static async compose(options: LifeOptions): Promise<Life> {
    const { config, paths, root, mark, later, bases, basePath, stop, logger } = options;
    const publicBase = (): string => bases.platform;
    const appsBase = (): string => bases.apps ?? bases.platform;
    const composed = await composeHost({
      config,
      paths,
      launcher: join(root, 'python/launch.py'),
      file: configFile(config),
      mark,
      later,
      basePath,
      url: (app) => `${appsBase()}/apps/${app}/`,
      logger,
    });
    const version = await versionOf(root);
    const measuring = openMetrics({ paths, composed, otlp: config.otlp, version, logger });
    const alerts = openAlerts({ config, paths, composed, publicBase, logger });
    const drains = new Drains({
      ...{ paths, apps: composed.store, vault: composed.vault, offsets: paths.drainOffsets },
      mask: (app) => composed.masks.of(app),
      more: otlpSinks(config.otlp),
      warn: logger.warn.bind(logger),
    });
    const closing = new AbortController();
    stop.asked.addEventListener('abort', () => closing.abort(), { once: true });
    const doors = await openDoors({
      ...options,
      composed,
      measuring,
      alerts,
      drains,
      publicBase,
      appsBase,
      closing: closing.signal,
    });
    return new Life(options, { composed, doors, watching: { measuring, alerts, drains }, closing });
  }

  /** Who answers at each door. */
  get entries(): Entries {
    const { entry, appsEntry } = this.doors;
    return { platform: entry, ...(appsEntry && { apps: appsEntry }) };
  }

  /** Adopts what runs, and begins to work. */
  async begin(): Promise<void> {
    const { later, logFolder, paths, logger } = this.#options;
    const { measuring, alerts, drains } = this.#watching;
    await later.attempt('accept pushes', () => this.doors.hooks.listen());
    this.#unfollow = logFolder?.follow(this.composed.store, paths, (text) => logger.warn(text));
    await later.attempt('record metrics', () => measuring.begin());
    await later.attempt('send alerts', () => alerts.begin(measuring));
    await later.attempt('drain logs', () => drains.begin());
    await this.composed.begin();
  }

  /** Gives everything to the next server. Requests and WebSockets in progress go on through this one. */
  async handOver(): Promise<void> {
    this.#closing.abort();
    const { logger } = this.#options;
    const ends = [
      // What a full disk has postponed, the next server begins by itself.
      () => this.#options.later.forget(),
      ...endsOf(this.#watching),
      () => this.composed.handOver(),
      () => this.#unfollow?.(),
      () => this.doors.written(),
      () => this.doors.audit.close(),
      () => this.doors.auditLog.handOver(),
    ];
    await endInTurn(ends, (error) => logger.error({ err: error }, 'A part of the server could not be handed over.'));
  }

  /** Tells another one what still goes through this one, and asks it what this one does not decide any more. @returns what ends that */
  passTo(heir: Heir): () => void {
    const { deploys, serving } = this.composed;
    this.doors.gateway.handOver((visitors) => heir.may(visitors));
    const untold = tellUses(
      () => serving.uses(),
      (uses) => heir.use(this, uses),
    );
    this.doors.auditLog.passTo((happening) => heir.note(happening));
    void deploys.attend(({ app, release }, hear) => heir.attend(app, release, hear));
    return () => {
      untold();
      this.doors.audit.close();
    };
  }

  use(from: object, uses: Record<string, RelayedUse>): void {
    this.composed.serving.relay(from, uses);
  }

  note(happening: Happening): void {
    this.doors.auditLog.append(happening);
  }

  may(visitors: OpenedBy[]): Promise<boolean[]> {
    return Promise.resolve(this.doors.gateway.mayKeep(visitors));
  }

  async attend(app: string, release: number, hear: (line: string) => void): Promise<Release> {
    const deploy = await this.composed.deploys.follow(app, release);
    const stop = deploy.follow(hear);
    return deploy.done.finally(stop);
  }

  /** Ends everything, once no more requests can come in. */
  async end(options: { keepApps: boolean }): Promise<void> {
    const { logger } = this.#options;
    await endInTurn(endsOf(this.#watching), (error) =>
      logger.error({ err: error }, 'A part of the server could not be ended.'),
    );
    await this.composed.end(options);
    this.doors.audit.close();
    await this.doors.auditLog.close();
    this.#unfollow?.();
  }
}

/** Returns the port that a server listens on. */
export function portOf(server: { address(): AddressInfo | string | null }): number {
  return (server.address() as AddressInfo).port;
}
