import { createHash } from 'node:crypto';
import { readFile, realpath, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ConnectionOptions } from 'bullmq';
import type { Middleware } from 'koa';
import { Environments } from './build/environment.js';
import { findTools } from './build/tools.js';
import { ConfigError, readConfig, type Config } from './config.js';
import { Adoption } from './deploy/adoption.js';
import { AppFiles } from './deploy/app-files.js';
import { Configs } from './deploy/configs.js';
import { takeData } from './deploy/data-folder.js';
import { Deploys } from './deploy/deploys.js';
import { Folders } from './deploy/folders.js';
import { Importer } from './deploy/importer.js';
import { InPlace } from './deploy/in-place.js';
import { InheritedConfig } from './deploy/inherited-config.js';
import { Keeper } from './deploy/keeper.js';
import { Photographer } from './deploy/photographer.js';
import { Platform } from './deploy/platform.js';
import { Previews } from './deploy/previews.js';
import { ProcessConfig } from './deploy/process-config.js';
import { Processes } from './deploy/processes.js';
import { PushedApps } from './deploy/pushed-apps.js';
import { DeployQueue } from './deploy/queue.js';
import { reconcile } from './deploy/reconcile.js';
import { startRedis } from './deploy/redis-server.js';
import { Serving } from './deploy/serving.js';
import { Sleeper } from './deploy/sleeper.js';
import { Watcher } from './deploy/watcher.js';
import { Refusal } from './errors.js';
import { Absent } from './gateway/absent.js';
import { createEntry, type EntryOptions } from './gateway/entry.js';
import { Frontends } from './gateway/frontend.js';
import { Gateway } from './gateway/gateway.js';
import { close, listen, localHost } from './gateway/listener.js';
import { AppPages } from './gateway/pages.js';
import { StaticFiles } from './gateway/static-files.js';
import { RouteTable } from './gateway/routes.js';
import { GitHandler } from './git/handler.js';
import { HookServer } from './git/hook-server.js';
import { Pushes } from './git/pushes.js';
import { greet, offerExample } from './greeting.js';
import { createLogger, type Logger } from './logger.js';
import { accessLog } from './logs/access-log.js';
import { maskUrls } from './logs/mask.js';
import { tail } from './logs/tail.js';
import { findChromium } from './runtime/chromium.js';
import { endMarked, MARK } from './runtime/marked.js';
import { Ports } from './runtime/ports.js';
import { startTimeOf } from './runtime/proc.js';
import { UsageMeter } from './runtime/usage.js';
import { AppConfigs } from './store/app-config.js';
import { AppStore } from './store/apps.js';
import { ConfigFile } from './store/config-file.js';
import { CookieSecrets } from './store/cookie-secret.js';
import { Credentials } from './store/credentials.js';
import { Git } from './store/git.js';
import { removeServerRecord, writeServerRecord } from './store/lock.js';
import { LogFolder } from './store/log-folder.js';
import { Paths } from './store/paths.js';
import { Pictures } from './store/pictures.js';
import { Repository } from './store/repository.js';
import { SecretFiles } from './store/secret-files.js';
import { Sessions } from './store/sessions.js';
import { Vault } from './store/vault.js';
import { Attempts } from './domain/attempts.js';
import { Turns } from './domain/turns.js';
import { redirectOf } from './domain/extra-paths.js';
import { hasSession } from './web/auth.js';
import { consoleRouter } from './web/console/router.js';
import { galleryRouter } from './web/gallery.js';
import { createPages } from './web/pages.js';
import { linksOf } from './web/links.js';
import { PublicFiles } from './web/public.js';
import { createWeb } from './web/server.js';
import { Views } from './web/views.js';
import { Stop } from './stop.js';

/** The largest push, in bytes. */
const MAX_PUSH = 2 * 1024 * 1024 * 1024;
/** How many lines of its first deploy are shown to who waits for an app. */
const ABSENT_LINES = 14;
/** How long an install may print nothing, in ms. */
const MAX_BUILD_IDLE = 10 * 60_000;
/** The most bytes of one upload. */
const MAX_UPLOAD = 500 * 1024 * 1024;

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

/** The whole server, from the process environment to its end; mistakes that were to be expected end it with one line. */
export async function main(): Promise<void> {
  try {
    const config = await settings();
    const logs = await LogFolder.open(config.controller.logs);
    const copy = typeof logs === 'string' ? undefined : (line: string): void => void logs.controller.append(line).catch(() => undefined);
    const logger = createLogger(config.logLevel, process.stdout, copy);
    if (typeof logs === 'string') logger.warn(logs);
    await serve(config, logger, typeof logs === 'string' ? undefined : logs);
  } catch (error) {
    const expected = error instanceof Refusal || error instanceof ConfigError;
    process.stderr.write(`streamlit-host: ${expected ? error.message : String((error as Error).stack ?? error)}\n`);
    // What was started already (Redis, adopted apps) would keep the process alive; the next start takes it over.
    process.exit(error instanceof ConfigError ? 2 : 1);
  }
}

/** The settings; config.json may name the port where nothing else does. */
async function settings(): Promise<Config> {
  const config = readConfig(process.env, process.cwd());
  const { websitePort } = (await configFile(config).read()).config;
  return websitePort === undefined ? config : readConfig(process.env, process.cwd(), { port: websitePort });
}

function configFile({ controller, data }: Config): ConfigFile {
  return new ConfigFile(controller.config, new Paths(data).lastConfig, controller.apps);
}

async function serve(config: Config, logger: Logger, logFolder: LogFolder | undefined): Promise<void> {
  const paths = new Paths(config.data);
  await takeData(paths);
  // Said before anything else is started: nothing would end it again.
  await close(await listen(config, { request: (_, response) => response.destroy(), upgrade: (_, socket) => socket.destroy(), closeSockets: () => undefined }));
  const mark = createHash('sha256').update(await realpath(paths.data)).digest('hex').slice(0, 16);

  const store = new AppStore(paths);
  for (const problem of await store.load()) logger.error(problem);
  // What an earlier server started and did not write down, and its builds, are nobody's any more.
  const known = new Set(store.list().flatMap((app) => app.processes.map((one) => one.mark)));
  await endMarked(mark, known);

  const vault = new Vault(paths);
  for (const problem of await vault.open()) logger.error(problem);
  const appConfigs = new AppConfigs(vault);
  const inherited = new InheritedConfig({ store, configs: appConfigs });
  const cookies = new CookieSecrets(paths, vault);
  const secretFiles = new SecretFiles(paths);
  await sealSecrets(store, cookies, secretFiles, logger);

  const base = { text: config.publicBase };
  const publicBase = (): string => base.text;
  const basePath = new URL(config.publicBase).pathname.replace(/\/$/, '');
  const url = (app: string): string => `${publicBase()}/apps/${app}/`;

  const path = [dirname(process.execPath), config.path].join(delimiter);
  const git = new Git(path);
  await rm(paths.emptyRepository, { recursive: true, force: true });
  await new Repository(paths.emptyRepository, git).init(paths.tmp);

  const redis =
    config.redisUrl === undefined
      ? await startRedis({ dir: paths.redis, runDir: paths.run, binaryDirs: [join(paths.tools, 'bin')], path: config.path, logger })
      : undefined;
  const connection: ConnectionOptions = redis?.connection ?? connectionTo(config.redisUrl ?? '');

  const routes = new RouteTable();
  const credentials = await Credentials.load(paths.adminToken, config.token);
  const tools = await findTools(join(paths.tools, 'bin'), config.path);
  if (tools.uv === undefined) logger.warn('uv was not found, so environments are made with venv and pip, which takes longer.');
  const environments = new Environments({
    root: paths.environments,
    tmp: paths.tmp,
    cache: paths.cache,
    tools,
    limits: { totalMs: config.limits.buildMs, idleMs: Math.min(config.limits.buildMs, MAX_BUILD_IDLE) },
    env: { PATH: config.path, HOME: config.home, LANG: 'C.UTF-8', ...config.buildEnv, [MARK]: `${mark}/build` },
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
    startLimitMs: config.limits.startMs,
    sessionTtlMs: config.drain.ttlMs,
    config: processConfig,
  });
  const serving = new Serving({ store, paths, routes, processes, drain: config.drain, config: processConfig, changed: (app) => platform.processChanged(app), logger });
  const keeper = new Keeper({ store, paths, git, logger });
  const deploys = new Deploys({
    store,
    paths,
    git,
    environments,
    serving,
    url,
    wake: (app) => queue.wake(app),
    tidy: async (app): Promise<void> => {
      await keeper.tidyApp(app);
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
  const platform = new Platform({ store, paths, git, deploys, serving, configs, turns, files: appFiles, inPlace, inherited, previews: config.previews.on });
  const pushed = new PushedApps({ store, paths, git, platform });
  const previews = new Previews({ store, routes, apps: platform, settings: config.previews, logger });
  const queue = new DeployQueue({
    connection,
    prefix: `streamlit-host:${mark}`,
    concurrency: config.deploys,
    run: (app) => deploys.run(app),
    wanted: () => deploys.wanted(),
    logger,
  });

  const file = configFile(config);
  const folders: Folders = new Folders({
    file,
    // Our own records of apps are no apps.
    apps: config.controller.apps === paths.apps ? undefined : config.controller.apps,
    store,
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

  const pushes = new Pushes({
    apps: store,
    deploys: { inspect: pushed.inspect.bind(pushed), request: deploys.request.bind(deploys), adoptBranch: pushed.adoptBranch.bind(pushed) },
    previews,
    url,
    logger,
  });
  const hooks = new HookServer(paths.hookSocket, (call) => pushes.handle(call), (error) => logger.warn({ err: error }, 'a hook failed'));
  const attempts = new Attempts();
  const gitHandler = new GitHandler({
    check: (token) => credentials.check(token),
    attempts,
    repositories: {
      find: (app) => (store.find(app) === undefined ? undefined : paths.repository(app)),
      empty: paths.emptyRepository,
      demandPushable: previews.demandPushable.bind(previews),
      begin: pushed.begin.bind(pushed),
      end: pushed.end.bind(pushed),
    },
    pushes,
    env: git.env,
    hooks: join(ROOT, 'hooks'),
    hookSocket: paths.hookSocket,
    maxPush: MAX_PUSH,
    logger,
  });

  const files = new PublicFiles({ folder: join(ROOT, 'public'), highlight: join(ROOT, 'node_modules/@highlightjs/cdn-assets') });
  const views = new Views({ templates: join(ROOT, 'templates'), files });
  const gateway = new Gateway({
    apps: store,
    routes,
    pages: new AppPages({ apps: store, paths, frontends: new Frontends(), basePath, module: `${basePath}${files.path('js/release.js')}` }),
    files: new StaticFiles(join(paths.cache, 'frontend')),
    basePath,
    publicBase,
    wake: (app) => sleeper.wake(app),
    absent: new Absent({
      page: (page, app, facts) => views.renderGateway(page, linksOf(publicBase()), app, facts),
      buildLog: async (app, release) => (await tail(paths.buildLog(app, release), ABSENT_LINES)).lines.map(await platform.mask(app)),
      isOperator: (request) => hasSession(request.headers.cookie, sessions),
      log: (text, facts) => logger.debug(facts, text),
    }),
    log: (text, facts) => logger.debug(facts, text),
  });

  const sessions = await Sessions.open(paths.sessions, { fingerprint: credentials.fingerprint, warn: (text) => logger.warn(text) });
  const uploads = { tmp: paths.tmp, maxBytes: MAX_UPLOAD };
  const logs = {
    runLog: (id: string): string => paths.runLog(id, store.find(id)?.live ?? store.find(id)?.lastRelease ?? 0),
    buildLog: (id: string, release: number): string => paths.buildLog(id, release),
  };
  const stop = new Stop();
  const usage = new UsageMeter();
  const pictures = new Pictures(paths);
  const common = { apps: platform, views, publicBase };
  const web = createWeb({
    apps: platform,
    controller: {
      refresh: (by) => folders.refresh(by),
      import: (path, by) => importer.import(path, by),
      adopt: (id, by) => adoption.adopt(id, by),
    },
    publicBase,
    access: { check: (token) => credentials.check(token), sessions, attempts },
    logs,
    memoryOf: (pid) => usage.memoryOf(pid),
    logger,
    pages: createPages(views, publicBase),
    uploads,
    stopServer: (options) => stop.ask(options),
    closing: stop.asked,
    version: await versionOf(ROOT),
    open: [files.middleware(), galleryRouter({ ...common, pictures }).routes() as Middleware],
    console: [consoleRouter({ ...common, logs, uploads, usage: (pid) => usage.of(pid), logger }).routes() as Middleware],
  });
  const entry = createEntry({ basePath, gateway, git: gitHandler.handle.bind(gitHandler), web, redirect: (path) => redirectOf(path, store.list()), ...seen(logFolder) });

  await hooks.listen();
  const unfollow = logFolder?.follow(store, paths, (text) => logger.warn(text));
  await reconcile({ store, paths, git, deploys, serving, logger });
  await folders.begin();
  await previews.look();
  await keeper.tidy();
  for (const app of deploys.wanted()) queue.wake(app);
  const server = await listen(config, entry);
  const { port } = server.address() as AddressInfo;
  if (config.port === 0 && config.publicBase.endsWith(':0')) base.text = config.publicBase.replace(/:0$/, `:${port}`);
  const local = `http://${localHost(config.bind)}:${port}${basePath}`;
  await writeServerRecord(paths.server, { pid: process.pid, startTime: startTimeOf(process.pid) ?? '', url: publicBase(), local });
  const photographer = config.pictures
    ? new Photographer({ apps: platform, pictures, chromium: () => findChromium(config.path), path: config.path, tmp: paths.tmp, mark: `${mark}/:picture`, local, logger })
    : undefined;
  const example = await offerExample(
    paths,
    git,
    { from: join(ROOT, 'examples/hello'), url: publicBase(), ownToken: config.token === undefined },
    logger,
  );
  greet(publicBase(), sessions.makeCode().code, store.list().length === 0 ? example : undefined);

  const { keepApps } = await stop.wanted();
  logger.info(keepApps ? 'Stopping; the apps go on.' : 'Stopping, with all apps.');
  await watcher.close();
  await photographer?.close();
  await deploys.stop();
  await adoption.close();
  await hooks.close();
  entry.closeSockets();
  await close(server);
  await queue.close();
  await sleeper.close();
  await previews.close();
  await (keepApps ? serving.leave() : serving.end());
  await redis?.stop();
  unfollow?.();
  await logFolder?.close();
  await removeServerRecord(paths.server);
}

function seen(logs: LogFolder | undefined): Pick<EntryOptions, 'seen'> {
  return logs === undefined ? {} : { seen: accessLog(logs.website) };
}

/** What an earlier server left as plain text is encrypted, and the secrets of processes that are gone are removed. */
async function sealSecrets(store: AppStore, cookies: CookieSecrets, files: SecretFiles, logger: Logger): Promise<void> {
  await files.sweep(store.list().flatMap((app) => app.processes.map(({ release, port }) => ({ app: app.id, release, port }))));
  for (const { id } of store.list()) {
    await cookies.seal(id).catch((error: unknown) => logger.error({ app: id, err: error }, "an app's cookie secret could not be encrypted"));
  }
}

/** Hides in a deploy's log what must not be read. Where an app's values cannot be read, its process cannot say them either. */
async function deployMask(configs: Configs, app: string, logger: Logger): Promise<(text: string) => string> {
  const hide = await configs.mask(app).catch((error: unknown) => {
    logger.error({ app, err: error }, "an app's config cannot be read");
    return (text: string): string => text;
  });
  return (text) => maskUrls(hide(text));
}

function connectionTo(redisUrl: string): ConnectionOptions {
  return redisUrl.startsWith('unix://') ? { path: redisUrl.slice('unix://'.length) } : { url: redisUrl };
}

async function versionOf(root: string): Promise<string> {
  const text = await readFile(join(root, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

