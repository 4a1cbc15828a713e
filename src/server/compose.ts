import { realpath, rm } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import type { ConnectionOptions } from 'bullmq';
import { Environments } from '../environments/environments.js';
import { SystemPackages } from '../environments/system-packages.js';
import { findTools } from '../environments/tools.js';
import type { Config } from '../settings.js';
import { Adoption } from '../in-place/adoption.js';
import { AppFiles } from '../apps/files.js';
import { Configs } from '../apps/config.js';
import { forgetCopied } from './copied.js';
import { deployMask } from '../app-config/deploy-mask.js';
import { Deploys } from '../deploys/deploys.js';
import { Folders } from '../in-place/folders.js';
import { HeadStarts } from '../deploys/head-starts.js';
import { Importer } from '../in-place/importer.js';
import { InPlace } from '../in-place/in-place.js';
import { InheritedConfig } from '../app-config/effective.js';
import { Keeper } from '../deploys/pruner.js';
import { NewApps } from '../apps/new-apps.js';
import { Platform } from '../host/platform.js';
import { Previews } from '../apps/previews.js';
import { ProcessConfig } from '../app-config/process-config.js';
import { Processes } from '../serving/processes.js';
import { PushedApps } from '../apps/pushed-apps.js';
import { DeployQueue } from '../deploys/queue.js';
import { reconcile } from '../deploys/reconcile.js';
import { startRedis } from '../redis/server.js';
import { Releases } from '../host/releases.js';
import { sealSecrets } from './seal-secrets.js';
import { Serving } from '../serving/serving.js';
import { Sleeper } from '../serving/sleeper.js';
import { StoredBranches } from '../apps/stored-branches.js';
import { Watcher } from '../in-place/watcher.js';
import { Turns } from '../lib/turns.js';
import type { RouteTable } from '../gateway/routes.js';
import type { Logger } from '../logger.js';
import { endMarked, MARK } from '../runtime/process/marked.js';
import { Ports } from '../runtime/process/ports.js';
import { AppConfigs } from '../store/app-config.js';
import { AppStore } from '../store/apps.js';
import type { ConfigFile } from '../store/config-file.js';
import { CookieSecrets } from '../store/cookie-secret.js';
import { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';
import { Repository } from '../store/repository.js';
import { SecretFiles } from '../store/secret-files.js';
import { Vault } from '../store/vault.js';

/** How long an install may print nothing, in ms. */
const MAX_BUILD_IDLE = 10 * 60_000;

export interface DeployingOptions {
  config: Config;
  paths: Paths;
  /** The place of what an app's Python runs first. */
  launcher: string;
  /** The file in which folders of apps are named. */
  file: ConfigFile;
  /** By which our children are known. */
  mark: string;
  routes: RouteTable;
  /** Where visitors find the platform, and the path of that. */
  publicBase: () => string;
  basePath: string;
  /** The address of an app. */
  url: (app: string) => string;
  logger: Logger;
}

/** The half of the server that gets from a commit to a live release and keeps that up: all that it hands to the other half. */
export interface Deploying {
  store: AppStore;
  git: Git;
  deploys: Deploys;
  platform: Platform;
  pushed: PushedApps;
  previews: Previews;
  headStarts: HeadStarts;
  sleeper: Sleeper;
  folders: Folders;
  importer: Importer;
  adoption: Adoption;
  /** Brings what runs in line with what is wanted. Before that nothing is deployed. */
  begin(): Promise<void>;
  /** Begins nothing new, and waits for what cannot be left in the middle. */
  rest(): Promise<void>;
  /** Ends it all, once nobody can ask for anything any more. */
  end(options: { keepApps: boolean }): Promise<void>;
}

/** Wires the deploying half. What an earlier server has left behind is cleared away first. */
export async function assembleDeploying({
  config,
  paths,
  launcher,
  file,
  mark,
  routes,
  publicBase,
  basePath,
  url,
  logger,
}: DeployingOptions): Promise<Deploying> {
  const store = new AppStore(paths);
  for (const problem of await store.load()) logger.error(problem);
  await forgetCopied({ store, data: await realpath(paths.data), mark });
  // What an earlier server started and did not write down, and its builds, are nobody's any more.
  const known = new Set(store.list().flatMap((app) => app.processes.map((one) => one.mark)));
  await endMarked(mark, known);

  const vault = new Vault(paths);
  for (const problem of await vault.open()) logger.error(problem);
  const appConfigs = new AppConfigs(vault);
  const inherited = new InheritedConfig({ store, configs: appConfigs });
  const cookies = new CookieSecrets(paths, vault);
  const secretFiles = new SecretFiles(paths);
  await sealSecrets({ store, cookies, files: secretFiles, logger });

  const path = [dirname(process.execPath), config.path].join(delimiter);
  const git = new Git(path);
  await rm(paths.emptyRepository, { recursive: true, force: true });
  await new Repository(paths.emptyRepository, git).init(paths.tmp);

  const redis =
    config.redisUrl === undefined
      ? await startRedis({
          dir: paths.redis,
          runDir: paths.run,
          binaryDirs: [join(paths.tools, 'bin')],
          path: config.path,
          logger,
        })
      : undefined;
  const connection: ConnectionOptions = redis?.connection ?? connectionTo(config.redisUrl ?? '');

  const tools = await findTools(join(paths.tools, 'bin'), config.path);
  if (tools.uv === undefined)
    logger.warn('uv was not found, so environments are made with venv and pip, which takes longer.');
  const environments = new Environments({
    root: paths.environments,
    tmp: paths.tmp,
    cache: paths.cache,
    tools,
    limits: { totalMs: config.limits.buildMs, idleMs: Math.min(config.limits.buildMs, MAX_BUILD_IDLE) },
    env: { PATH: config.path, HOME: config.home, LANG: 'C.UTF-8', ...config.buildEnv, [MARK]: `${mark}/build` },
  });
  const systemPackages = new SystemPackages({
    path: config.path,
    install: config.systemPackages === 'install',
    as: process.getuid?.() === 0 ? [] : ['sudo', '--non-interactive'],
  });
  const ports = new Ports(config.ports);
  const processConfig = new ProcessConfig({ configs: inherited, cookies, files: secretFiles, logger });
  const processes = new Processes({
    store,
    paths,
    ports,
    basePath,
    publicBase,
    path: config.path,
    home: config.home,
    mark,
    launcher,
    memoryLimitMb: config.memoryLimitMb,
    startLimitMs: config.limits.startMs,
    sessionTtlMs: config.drain.ttlMs,
    config: processConfig,
  });
  const serving = new Serving({
    store,
    paths,
    routes,
    processes,
    drain: config.drain,
    config: processConfig,
    changed: (app) => platform.processChanged(app),
    logger,
  });
  const headStarts = new HeadStarts({ store, start: processes.startAhead.bind(processes), limit: config.deploys });
  const keeper = new Keeper({ store, paths, git, environments, keep: config.keptReleases, logger });
  const deploys = new Deploys({
    store,
    paths,
    git,
    environments,
    systemPackages,
    serving,
    headStarts,
    url,
    wake: (app) => queue.wake(app),
    tidy: async (app): Promise<void> => {
      await keeper.tidyAfter(app);
      await configs.tidy(app);
    },
    mask: (app): Promise<(text: string) => string> => deployMask(configs, app, logger),
    configs: inherited,
    logger,
  });
  const configs: Configs = new Configs({ store, configs: appConfigs, cookies, vault, deploys });
  const inPlace = new InPlace({ store, deploys, serving, logger });
  const turns = new Turns();
  const appFiles = new AppFiles({ store, paths, git, deploys, turns });
  const newApps = new NewApps({ store, paths, git, turns });
  const releases = new Releases({ store, paths, git, deploys, serving, configs, inPlace });
  const branches = new StoredBranches({
    store,
    paths,
    git,
    deploys,
    previews: {
      isOn: (app) => previews.isOn(app),
      find: (app, branch) => previews.find(app, branch),
      take: (app, branch) => previews.take(app, branch),
    },
  });
  const platform = new Platform({
    store,
    paths,
    git,
    deploys,
    serving,
    configs,
    turns,
    files: appFiles,
    newApps,
    branches,
    releases,
    inPlace,
    inherited,
    previews: config.previews.on,
  });
  const pushed = new PushedApps({ store, paths, git, newApps });
  const previews: Previews = new Previews({
    store,
    routes,
    newApps,
    apps: platform,
    settings: config.previews,
    logger,
  });
  const queue = new DeployQueue({
    connection,
    prefix: `streamlit-host:${mark}`,
    concurrency: config.deploys,
    run: (app) => deploys.run(app),
    wanted: () => deploys.wanted(),
    logger,
  });

  const folders: Folders = new Folders({
    file,
    // Our own records of apps are no apps.
    apps: config.controller.apps === paths.apps ? undefined : config.controller.apps,
    store,
    newApps,
    platform,
    inPlace,
    serving,
    ports,
    settled: (apps) => watcher.follow(apps),
    logger,
  });
  const watcher = new Watcher({ changed: (app) => folders.changed(app), logger });
  const importer = new Importer(file, folders);
  const adoption = new Adoption({ store, paths, git, file, appFiles, configs, logger });

  const sleeper = new Sleeper({ store, routes, serving, rule: config.sleep, logger });

  return {
    store,
    git,
    deploys,
    platform,
    pushed,
    previews,
    headStarts,
    sleeper,
    folders,
    importer,
    adoption,
    async begin() {
      await reconcile({ store, paths, git, deploys, serving, logger });
      await folders.begin();
      await previews.look();
      await keeper.tidy();
      for (const app of deploys.wanted()) queue.wake(app);
    },
    async rest() {
      await watcher.close();
      await deploys.stop();
      await headStarts.close();
      await adoption.close();
    },
    async end({ keepApps }) {
      await queue.close();
      await sleeper.close();
      await previews.close();
      await (keepApps ? serving.leave() : serving.end());
      await redis?.stop();
    },
  };
}

function connectionTo(redisUrl: string): ConnectionOptions {
  return redisUrl.startsWith('unix://') ? { path: redisUrl.slice('unix://'.length) } : { url: redisUrl };
}
