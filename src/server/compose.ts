import { rm } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import type { Masks } from '../app-config/masks.js';
import { Configs } from '../apps/config.js';
import { AppFiles } from '../apps/files.js';
import { NewApps } from '../apps/new-apps.js';
import { Previews } from '../apps/previews.js';
import { PushedApps } from '../apps/pushed-apps.js';
import { Removal } from '../apps/removal.js';
import { RepositorySource } from '../apps/repository-source.js';
import { AppSources } from '../apps/source.js';
import { Backups } from '../backup/backups.js';
import { Deploys } from '../deploys/deploys.js';
import { FolderReleases } from '../deploys/folder-release.js';
import { HeadStarts } from '../deploys/head-starts.js';
import { Inspector } from '../deploys/inspect.js';
import { Maintenance } from '../deploys/maintenance.js';
import { Mender } from '../deploys/mender.js';
import { Pruner } from '../deploys/pruner.js';
import { DeployQueue } from '../deploys/queue.js';
import { ThreadReader } from '../deploys/reader.js';
import { reconcile } from '../deploys/reconcile.js';
import { ReleaseSources } from '../deploys/release-source.js';
import { RepositoryReleases } from '../deploys/repository-release.js';
import { usualPython } from '../environments/pythons.js';
import { findTools } from '../environments/tools.js';
import type { CagePolicy } from '../domain/project/app-cage.js';
import { RouteTable } from '../gateway/routes.js';
import { Traffic } from '../gateway/traffic.js';
import { chooseBranch } from '../deploys/branches.js';
import { Apps } from '../host/apps.js';
import type { Host } from '../host/host.js';
import { AppPreviews } from '../host/previews.js';
import { Releases } from '../host/releases.js';
import type { Controller } from '../in-place/controller.js';
import { FolderSource } from '../in-place/folder-source.js';
import { Background } from '../lib/background.js';
import { both } from '../lib/both.js';
import { Readiness } from '../lib/readiness.js';
import { endInTurn } from '../lib/ends.js';
import { Turns } from '../lib/turns.js';
import { listed } from '../lib/words.js';
import type { Logger } from '../logger.js';
import type { PictureCage } from '../pictures/chromium.js';
import type { Cage } from '../runtime/process/cage/cage.js';
import { MARK } from '../runtime/process/marked.js';
import { Ports } from '../runtime/process/ports.js';
import type { Runtime } from '../runtime/runtime.js';
import { Serving } from '../serving/serving.js';
import { Sleeper } from '../serving/sleeper.js';
import type { Config } from '../settings.js';
import { AppStore } from '../store/apps.js';
import type { ConfigFile } from '../store/config-file.js';
import { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';
import { Repository } from '../store/repository.js';
import { Room } from '../store/room.js';
import type { Vault } from '../store/vault.js';
import { openBuilds } from './builds.js';
import { buildCage, openCage, pictureCage } from './cage.js';
import { forgetCopied } from './copied.js';
import { openConfig } from './config.js';
import { buildMark, gitMark } from './data-folder.js';
import { openInPlace } from './in-place.js';
import type { Later } from './later.js';
import { openProcesses } from './processes.js';
import { openRedis, type Queues } from './redis.js';
import { openRuntime, type OpenedRuntime } from './runtime.js';

export interface ComposeOptions {
  config: Config;
  paths: Paths;
  /** The folder of the code that an app's Python runs first. */
  launcher: string;
  /** The file that lists the in-place apps. */
  file: ConfigFile;
  /** Marks our child processes. */
  mark: string;
  /** Does what a full disk keeps from being done now. */
  later: Pick<Later, 'attempt' | 'tidy' | 'missing'>;
  /** The path of the public base. */
  basePath: string;
  /** The URL of an app. */
  url: (app: string) => string;
  logger: Logger;
}

/** Everything behind the doors: from a commit to a live release that is kept running. */
export interface Composed {
  host: Host;
  controller: Controller;
  store: AppStore;
  /** What runs the apps. */
  runtime: Runtime;
  serving: Serving;
  /** What goes through the gateway. */
  traffic: Traffic;
  git: Git;
  routes: RouteTable;
  deploys: Deploys;
  pushed: PushedApps;
  previews: Previews;
  headStarts: HeadStarts;
  masks: Masks;
  sleeper: Sleeper;
  /** What the Chromium of the pictures is put into. */
  pictureCage: () => Promise<PictureCage | undefined>;
  /** What apps run in. */
  cage: Cage;
  /** What runs pushed apps, and whether that works. */
  running: Pick<OpenedRuntime, 'facts' | 'check' | 'nodes'>;
  /** What the server needs in order to deploy. */
  readiness: Readiness;
  backups: Backups;
  maintenance: Pick<Maintenance, 'leftovers'>;
  /** What encrypts small files. */
  vault: Vault;
  /** How the queues reach Redis, and what their keys begin with. */
  redis: Queues;
  /** Asks Redis for an answer. @throws Error where there is none */
  ping(): Promise<void>;
  url: (app: string) => string;
  /** Makes what runs match what is wanted. Nothing is deployed before that. */
  begin(): Promise<void>;
  /** Stops starting new work, and waits for work that cannot be interrupted. */
  rest(): Promise<void>;
  /** Ends everything. Call it when no more requests can come in. */
  end(options: { keepApps: boolean }): Promise<void>;
  /** Begins no further deploys, and waits for those that run, at most for the limit (ms). */
  calm(limitMs: number): Promise<void>;
  /** Undoes `calm`. */
  resume(): void;
  /** Gives everything to another server: nothing is started, watched or written after this. */
  handOver(): Promise<void>;
}

/**
 * Creates everything behind the doors, each object after the ones it needs. An object that would need a later one subscribes
 * to it instead. What an earlier server left behind is cleaned up first.
 */
export async function composeHost(options: ComposeOptions): Promise<Composed> {
  const { config, paths, launcher, file, mark, later, basePath, url, logger } = options;
  const store = new AppStore(paths);
  for (const problem of await store.load()) logger.error(problem);
  const tools = await findTools(join(paths.tools, 'bin'), config.path);
  const buildEnv = {
    PATH: config.path,
    HOME: config.home,
    LANG: 'C.UTF-8',
    ...config.buildEnv,
    [MARK]: buildMark(mark),
  };
  const python = usualPython(tools.python, buildEnv);
  const { cage, settle } = await openCage({ config, paths, launcher, python, logger });
  const ports = new Ports(config.ports);
  const running = await openRuntime({ config, paths, mark, ports, cage, launcher, store, logger });
  const { runtime } = running;
  await forgetCopied({ store, runtime });
  // Processes of an earlier server that are not recorded no longer belong to anything; its pushes go on where it still runs.
  const marks = store.list().flatMap((app) => app.processes.map((one) => one.mark));
  await runtime.sweep(new Set([...marks, gitMark(mark)]), store.leftAlone);

  const { vault, appConfigs, effective, processConfig, masks } = await openConfig({ store, paths, later, logger });
  const path = [dirname(process.execPath), config.path].join(delimiter);
  const git = new Git(path);
  const template = later.attempt('create the template repository for new apps', async () => {
    await rm(paths.emptyRepository, { recursive: true, force: true });
    await new Repository(paths.emptyRepository, git).init(paths.tmp);
  });

  const room = new Room(paths.data, config.diskFloor);
  const reader = new ThreadReader({ logger });
  const { environments, compiler, cachePruner, ahead, systemPackages } = openBuilds({
    ...{ config, paths, launcher, tools, python, env: buildEnv, reader, room, logger },
    onCompiled: async (environment) => void (await runtime.provide?.(environment)),
    cage: async () => {
      await settle();
      return buildCage(cage, config.cageFolders);
    },
  });
  // Before Redis starts: what it downloads takes longest. Where there are apps, their next pushes find what they need.
  if (store.list().length === 0) ahead?.begin();

  const [redis] = await both(openRedis({ config, paths, mark, logger }), template);
  const readiness = new Readiness(logger);
  readiness.watch('redis', () => redis.trouble());
  readiness.watch('disk', async () => postponed(later.missing) ?? (await room.trouble()));
  readiness.watch('cage', () => (cage.isOpen ? cage.sentence : undefined));
  readiness.watch('runtime', () =>
    running.ping().then(
      () => undefined,
      () => 'Docker does not answer.',
    ),
  );

  const policy = (): CagePolicy => ({
    kind: running.cageKind(),
    readOnly: config.cageReadOnly,
    devices: config.cageDevices,
  });
  const processes = openProcesses({
    ...{ config, paths, launcher, store, runtime, basePath, url, settle, policy },
    changesUser: running.changesUser,
    processConfig,
  });
  const routes = new RouteTable();
  const turns = new Turns();
  const serving = new Serving({
    store,
    paths,
    routes,
    processes,
    runtime,
    drain: config.drain,
    config: processConfig,
    logger,
  });
  const headStarts = new HeadStarts({
    store,
    wake: () => void reader.begin(),
    start: (...what) => processes.startAhead(...what),
    limit: config.deploys,
  });
  const pruner = new Pruner({
    store,
    paths,
    git,
    environments,
    runtime,
    configs: appConfigs,
    keep: config.keptReleases,
    logger,
  });
  const inspector = new Inspector(reader, policy);
  const deploys = new Deploys({
    store,
    paths,
    git,
    sources: new ReleaseSources({
      repository: new RepositoryReleases({
        ...{ paths, git, environments, systemPackages, inspector, reader, runtime },
        configs: effective,
      }),
      folder: new FolderReleases(environments, reader),
    }),
    serving,
    headStarts,
    configs: effective,
    masks,
    pruner,
    compiler,
    readiness,
    room,
    optionLimits: config.optionLimits,
    url,
    logger,
  });
  const queue = new DeployQueue({ ...redis.queues, concurrency: config.deploys, deploys, logger });

  const folderSource = new FolderSource({ store, deploys, serving, logger });
  const repositorySource = new RepositorySource({ store, paths, git, deploys, serving });
  const sources = new AppSources({ repository: repositorySource, folder: folderSource });
  const maintenance = new Maintenance({ store, paths, git, mark: buildMark(mark), logger });
  const backups = new Backups({
    ...{ data: paths.data, tmp: paths.tmp, path: config.path, plan: config.backup, s3: config.s3, logger },
    hold: () => {
      const releases = store.list().map(({ id }) => maintenance.hold(id));
      return () => {
        for (const release of releases) release();
      };
    },
  });
  const newApps = new NewApps({ store, paths, git, turns, opens: config.defaultAccess });
  const pushed = new PushedApps({ store, paths, git, newApps, inspector, room, maintenance });
  const files = new AppFiles({ store, paths, git, sources, deploys, inspector, turns });
  const configs = new Configs({ store, paths, git, reader, configs: appConfigs, effective, sources, vault, deploys });
  const removal = new Removal({ store, deploys, serving, configs: appConfigs, turns });
  const previews = new Previews({ store, routes, newApps, removal, settings: config.previews, logger });

  const inPlace = openInPlace({
    ...{ config, paths, file, store, git, newApps, removal, source: folderSource, reader, serving, ports },
    ...{ appFiles: files, configs, logger },
  });
  const sleeper = new Sleeper({ store, routes, serving, rule: config.sleep, logger });
  const apps = new Apps({
    ...{ store, serving, sleeper, newApps, removal, sources, previews, turns },
    chooseBranch: (id, branch) => chooseBranch({ store, paths, git }, id, branch),
  });
  const host: Host = {
    apps,
    files,
    releases: new Releases({ store, paths, git, deploys, serving, configs, sources }),
    config: configs,
    previews: new AppPreviews({ store, apps, paths, git, deploys, inspector, previews }),
    masks,
  };
  const chores = new Background((error) => logger.warn({ err: error }, 'the clean-up after the start failed'));
  const tidy = async (): Promise<void> => {
    await later.tidy('remove unused previews', () => previews.look());
    await later.tidy('remove apps that were never pushed', () => pushed.removeUnpushed());
    await later.tidy('remove old releases', () => pruner.tidy());
    await compiler.begin();
    cachePruner.soon();
  };
  const unfinished = {
    'an app cannot be deleted completely yet': () => removal.finish(),
    'the rest of an app that was not created cannot be deleted yet': () => newApps.finish(),
  };
  const mender = new Mender({ store, serving, unfinished, logger });
  readiness.watch('supervisor', () => mender.trouble);

  /** What acts by itself, and what waits for work: ended in this order, before what it works with. */
  const looking = [
    ...[
      () => ahead?.close(),
      () => environments.close(),
      () => compiler.close(),
      () => cachePruner.close(),
      () => running.rest(),
      () => chores.settled(),
      () => inPlace.rest(),
      () => mender.close(),
    ],
    ...[() => maintenance.close(), () => backups.close()],
  ];
  const waiting = [() => queue.close(), () => redis.close(), () => sleeper.close(), () => previews.close()];
  const notEnded = (error: unknown): void => logger.error({ err: error }, 'A part of the server could not be closed.');
  return {
    host,
    controller: inPlace.controller,
    store,
    runtime,
    serving,
    traffic: new Traffic(),
    git,
    routes,
    deploys,
    pushed,
    previews,
    headStarts,
    masks,
    sleeper,
    async pictureCage() {
      await settle();
      return pictureCage(cage);
    },
    cage,
    running,
    readiness,
    backups,
    maintenance,
    vault,
    redis: redis.queues,
    async ping() {
      const trouble = await redis.trouble();
      if (trouble !== undefined) throw new Error(trouble);
    },
    url,
    async begin() {
      await reconcile({ store, paths, git, deploys, serving, logger });
      await inPlace.begin();
      chores.own(tidy());
      queue.begin();
      mender.begin();
      maintenance.begin();
      backups.begin();
    },
    rest: () =>
      endInTurn([...looking, () => deploys.stop(), () => headStarts.close(), () => inPlace.close()], notEnded),
    async end({ keepApps }) {
      await endInTurn(
        [
          ...waiting,
          () => (keepApps ? serving.leave() : serving.end()),
          () => running.leave(),
          () => reader.close(),
          () => redis.stop(),
        ],
        notEnded,
      );
      if (!keepApps) running.close();
    },
    async calm(limitMs) {
      await queue.pause();
      await deploys.whenIdle(limitMs);
    },
    resume: queue.resume.bind(queue),
    // Half of it is closed before the rest is: who could not close a part must not go on either.
    handOver: () =>
      endInTurn(
        [
          ...looking,
          () => deploys.interrupt(),
          () => headStarts.close(),
          () => inPlace.close(),
          ...waiting,
          () => serving.handOver(),
          () => running.leave(),
          () => store.handOver(),
          () => reader.close(),
          () => redis.leave(),
        ],
        notEnded,
      ),
  };
}

/** What a start has left for later, in a sentence. */
function postponed(missing: readonly string[]): string | undefined {
  return missing.length === 0 ? undefined : `The disk is full or read-only. Postponed: ${listed(missing)}.`;
}
