import { createHash } from 'node:crypto';
import { readFile, realpath } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Middleware } from 'koa';
import { ConfigError, readConfig, type Config } from './settings.js';
import { takeData } from './server/data-folder.js';
import { Photographer } from './pictures/photographer.js';
import { assembleDeploying } from './server/compose.js';
import { refusalOf } from './errors.js';
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
import { greet, offerExample } from './server/greeting.js';
import { createLogger, type Logger } from './logger.js';
import { accessLog } from './logs/access-log.js';
import { tail } from './logs/tail.js';
import { findChromium } from './pictures/chromium.js';
import { startTimeOf } from './runtime/process/proc.js';
import { UsageMeter } from './runtime/process/usage.js';
import { ConfigFile } from './store/config-file.js';
import { Credentials } from './store/credentials.js';
import { removeServerRecord, writeServerRecord } from './store/lock.js';
import { LogFolder } from './store/log-folder.js';
import { Paths } from './store/paths.js';
import { Pictures } from './store/pictures.js';
import { Sessions } from './store/sessions.js';
import { Attempts } from './domain/access/attempts.js';
import { redirectOf } from './domain/in-place/extra-paths.js';
import { hasSession } from './web/auth.js';
import { consoleRouter } from './web/console/router.js';
import { galleryRouter } from './web/gallery.js';
import { createPages } from './web/pages.js';
import { linksOf } from './web/links.js';
import { PublicFiles } from './web/public.js';
import { createWeb } from './web/server.js';
import { Views } from './web/views.js';
import { Stop } from './server/stop.js';

/** The largest push, in bytes. */
const MAX_PUSH = 2 * 1024 * 1024 * 1024;
/** How many lines of its first deploy are shown to who waits for an app. */
const ABSENT_LINES = 14;
/** The most bytes of one upload. */
const MAX_UPLOAD = 500 * 1024 * 1024;

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

/** The whole server, from the process environment to its end; mistakes that were to be expected end it with one line. */
export async function main(): Promise<void> {
  try {
    const config = await settings();
    const logs = await LogFolder.open(config.controller.logs);
    const copy =
      typeof logs === 'string'
        ? undefined
        : (line: string): void => void logs.controller.append(line).catch(() => undefined);
    const logger = createLogger(config.logLevel, process.stdout, copy);
    if (typeof logs === 'string') logger.warn(logs);
    await serve(config, logger, typeof logs === 'string' ? undefined : logs);
  } catch (error) {
    const expected = error instanceof ConfigError ? error : refusalOf(error);
    process.stderr.write(`streamlit-host: ${expected?.message ?? String((error as Error).stack ?? error)}\n`);
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
  const stop = new Stop();
  // Before anything is started that would be left behind.
  stop.hearSignals();
  // Said before anything else is started: nothing would end it again.
  await close(
    await listen(config, {
      request: (_, response) => response.destroy(),
      upgrade: (_, socket) => socket.destroy(),
      closeSockets: () => undefined,
    }),
  );
  const mark = createHash('sha256')
    .update(await realpath(paths.data))
    .digest('hex')
    .slice(0, 16);

  const base = { text: config.publicBase };
  const publicBase = (): string => base.text;
  const basePath = new URL(config.publicBase).pathname.replace(/\/$/, '');
  const url = (app: string): string => `${publicBase()}/apps/${app}/`;

  const routes = new RouteTable();
  const deploying = await assembleDeploying({
    config,
    paths,
    launcher: join(ROOT, 'python/launch.py'),
    file: configFile(config),
    mark,
    routes,
    publicBase,
    basePath,
    url,
    logger,
  });
  const { store, git, deploys, platform, pushed, previews, headStarts, sleeper, folders, importer, adoption } =
    deploying;
  const credentials = await Credentials.load(paths.adminToken, config.token);

  const pushes = new Pushes({
    apps: store,
    deploys: {
      inspect: pushed.inspect.bind(pushed),
      request: deploys.request.bind(deploys),
      adoptBranch: pushed.adoptBranch.bind(pushed),
    },
    previews,
    headStarts,
    url,
    logger,
  });
  const hooks = new HookServer(
    paths.hookSocket,
    (call) => pushes.handle(call),
    (error) => logger.warn({ err: error }, 'a hook failed'),
  );
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

  const files = new PublicFiles({
    folder: join(ROOT, 'public'),
    highlight: join(ROOT, 'node_modules/@highlightjs/cdn-assets'),
  });
  const views = new Views({ templates: join(ROOT, 'templates'), files });
  const gateway = new Gateway({
    apps: store,
    routes,
    pages: new AppPages({
      apps: store,
      paths,
      frontends: new Frontends(),
      basePath,
      module: `${basePath}${files.path('js/release.js')}`,
    }),
    files: new StaticFiles(join(paths.cache, 'frontend')),
    basePath,
    publicBase,
    wake: (app) => sleeper.wake(app),
    absent: new Absent({
      page: (page, app, facts) => views.renderGateway(page, linksOf(publicBase()), app, facts),
      buildLog: async (app, release) =>
        (await tail(paths.buildLog(app, release), ABSENT_LINES)).lines.map(await platform.mask(app)),
      isOperator: (request) => hasSession(request.headers.cookie, sessions),
      log: (text, facts) => logger.debug(facts, text),
    }),
    log: (text, facts) => logger.debug(facts, text),
  });

  const sessions = await Sessions.open(paths.sessions, {
    fingerprint: credentials.fingerprint,
    warn: (text) => logger.warn(text),
  });
  const uploads = { tmp: paths.tmp, maxBytes: MAX_UPLOAD };
  const usage = new UsageMeter();
  const pictures = new Pictures(paths);
  const mistakes = (): readonly string[] => folders.mistakes;
  const common = { apps: platform, views, publicBase };
  const web = createWeb({
    apps: platform,
    controller: {
      mistakes,
      refresh: (by) => folders.refresh(by),
      import: (path, by) => importer.import(path, by),
      adopt: (id, by) => adoption.adopt(id, by),
    },
    publicBase,
    access: { check: (token) => credentials.check(token), sessions, attempts },
    logs: paths,
    memoryOf: (pid) => usage.memoryOf(pid),
    logger,
    pages: createPages(views, publicBase),
    uploads,
    stopServer: (options) => stop.ask(options),
    closing: stop.asked,
    version: await versionOf(ROOT),
    open: [files.middleware(), galleryRouter({ ...common, pictures }).routes() as Middleware],
    console: [
      consoleRouter({
        ...common,
        mistakes,
        logs: paths,
        uploads,
        usage: (pid) => usage.of(pid),
        logger,
      }).routes() as Middleware,
    ],
  });
  const entry = createEntry({
    basePath,
    gateway,
    git: gitHandler.handle.bind(gitHandler),
    web,
    redirect: (path) => redirectOf(path, store.list()),
    ...seen(logFolder),
  });

  await hooks.listen();
  const unfollow = logFolder?.follow(store, paths, (text) => logger.warn(text));
  await deploying.begin();
  const server = await listen(config, entry);
  const { port } = server.address() as AddressInfo;
  if (config.port === 0 && config.publicBase.endsWith(':0')) base.text = config.publicBase.replace(/:0$/, `:${port}`);
  const local = `http://${localHost(config.bind)}:${port}${basePath}`;
  await writeServerRecord(paths.server, {
    pid: process.pid,
    startTime: startTimeOf(process.pid) ?? '',
    url: publicBase(),
    local,
  });
  const photographer = config.pictures
    ? new Photographer({
        apps: platform,
        pictures,
        chromium: () => findChromium(config.path),
        path: config.path,
        tmp: paths.tmp,
        mark: `${mark}/:picture`,
        local,
        logger,
      })
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
  await photographer?.close();
  await deploying.rest();
  await hooks.close();
  entry.closeSockets();
  await close(server);
  await deploying.end({ keepApps });
  unfollow?.();
  await logFolder?.close();
  await removeServerRecord(paths.server);
}

function seen(logs: LogFolder | undefined): Pick<EntryOptions, 'seen'> {
  return logs === undefined ? {} : { seen: accessLog(logs.website) };
}

async function versionOf(root: string): Promise<string> {
  const text = await readFile(join(root, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
