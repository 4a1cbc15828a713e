import type { IncomingMessage } from 'node:http';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Middleware } from 'koa';
import type { Alerts } from '../alerts/alerts.js';
import type { Drains } from '../drains/drains.js';
import { authenticate, tokenOf, type Principal } from '../domain/access/principal.js';
import { appsBaseFor, unsafeOrigin } from '../domain/access/origins.js';
import { looksLikeToken } from '../domain/access/tokens.js';
import { sharePass } from '../domain/access/pass.js';
import { TrustedProxies } from '../domain/access/visitor.js';
import { redirectOf } from '../domain/in-place/extra-paths.js';
import { Absent } from '../gateway/absent.js';
import { createEntry, type Entry, type EntryOptions } from '../gateway/entry.js';
import { FrontendKeys } from '../gateway/frontend-keys.js';
import { Frontends } from '../gateway/frontend.js';
import { Gateway } from '../gateway/gateway.js';
import { isOurHost } from '../gateway/hosts.js';
import { AppPages } from '../gateway/pages.js';
import { StaticFiles } from '../gateway/static-files.js';
import type { Switchboard } from '../gateway/switchboard.js';
import type { HookServer } from '../git/hook-server.js';
import { checksOf, runChecks } from './checks.js';
import { Repairs } from './repairs.js';
import { accessLog } from '../logs/access-log.js';
import { tail } from '../logs/tail.js';
import { UsageMeter } from '../runtime/usage.js';
import type { Config } from '../settings.js';
import { Passkeys } from '../host/passkeys.js';
import { Providers } from '../host/providers.js';
import type { LogFolder } from '../store/log-folder.js';
import { Pictures } from '../store/pictures.js';
import { admitter } from '../web/admit.js';
import { sessionFrom } from '../web/session.js';
import { baseOf, baseReader, passCookie } from '../web/session-cookie.js';
import { ProxyLogins } from '../web/proxy-login.js';
import { consoleRouter } from '../web/console/router.js';
import { exposition } from '../web/exposition.js';
import { galleryRouter } from '../web/gallery.js';
import { languageOf } from '../web/language.js';
import { fromElsewhere, linksOf } from '../web/links.js';
import { wordsOf } from '../web/messages/messages.js';
import { createPages } from '../web/pages.js';
import { PublicFiles } from '../web/public.js';
import type { ReloadResult } from '../web/api/route.js';
import { createWeb } from '../web/server.js';
import { Views } from '../web/views.js';
import { openGitDoor, type GitDoorOptions } from './git-door.js';
import { openIdentity, type Identity } from './identity.js';
import type { Measuring } from './metrics.js';
import { exposedApps } from './otlp.js';
import type { Stop } from './stop.js';

/** The most bytes of one upload. */
const MAX_UPLOAD = 500 * 1024 * 1024;
/** The number of lines of its first deploy that are shown to visitors waiting for an app. */
const ABSENT_LINES = 14;

export interface DoorsOptions extends GitDoorOptions {
  config: Config;
  measuring: Pick<Measuring, 'metrics' | 'errors'>;
  alerts: Alerts;
  drains: Drains;
  /** The path of the platform's public URL. */
  basePath: string;
  /** The base URL of apps; the public base if they have no origin of their own. */
  appsBase: () => string;
  stop: Stop;
  /** Aborted when event streams are to end, since the server stops or another one takes over. */
  closing: AbortSignal;
  /** Passes on what waited for an app when another server took over. */
  board: Switchboard;
  /** Replaces this server by a new one. */
  reload: (options: { waitMs: number }) => Promise<ReloadResult>;
  logFolder: LogFolder | undefined;
}

/** The entry points for people and programs: git, the gateway to the apps, the API and the console. */
export interface Doors {
  /** Answers every request on the main port; without apps if they have their own origin. */
  entry: Entry;
  /** Answers every request on the apps' own port, if they have one. */
  appsEntry: Entry | undefined;
  /** The other end of git's hooks; not listening yet. */
  hooks: HookServer;
  gateway: Gateway;
  sessions: Identity['sessions'];
  audit: Identity['audit'];
  /** Resolves when it is on disk who has logged in, and which tokens were used. */
  written(): Promise<void>;
  auditLog: Identity['auditLog'];
  pictures: Pictures;
}

/** Builds the doors to what was composed. Nothing listens yet. */
export async function openDoors(options: DoorsOptions): Promise<Doors> {
  const { config, paths, root, composed, publicBase, appsBase, basePath, stop, logFolder, logger } = options;
  const { metrics, errors } = options.measuring;
  const { board, closing, alerts, drains } = options;
  const { store, host, url } = composed;
  const apart = config.appsOrigin !== undefined;
  const identity = await openIdentity({ config, paths, store, vault: composed.vault, publicBase, logger });
  const { sessions, people, factors, appAccess, rights, attempts, tokens, ci, check, auditLog, audit, written } =
    identity;
  const passkeys = new Passkeys({ factors, people, publicBase });
  const pictures = new Pictures(paths);
  const files = new PublicFiles({
    folder: join(root, 'public'),
    libraries: join(root, 'dist/libraries'),
  });
  const views = new Views({ templates: join(root, 'templates'), files });

  const proxies = new TrustedProxies(config.trustedProxies);
  const visitor = proxies.visitor.bind(proxies);
  const base = baseReader(publicBase);
  const proxyLogins = new ProxyLogins({
    ...{ login: config.proxyLogin, sessions, audit, people, base },
    trusts: (address) => proxies.has(address),
    addressOf: (request) => visitor(request).address,
  });
  const { git, hooks } = openGitDoor(options, { check, attempts, visitor, rights, audit });
  // Over plain http nothing tells the operator from a script of another app, which could read what the page shows.
  const loggedIn = (request: IncomingMessage): Principal | undefined =>
    apart ? undefined : sessionFrom(request.headers.cookie, { sessions, people }, base())?.principal;
  const admit = admitter({ rights, sessions, people, base });
  const gateway = new Gateway({
    apps: store,
    routes: composed.routes,
    pages: new AppPages({
      apps: store,
      paths,
      frontends: new Frontends(new FrontendKeys(join(paths.cache, 'frontend-keys'))),
      basePath,
      module: `${basePath}${files.path('js/release.js')}`,
      stay: files.text('js/stay.js'),
      words: async (headers) => JSON.stringify((await wordsOf(languageOf(headers))).of('visit.')),
    }),
    files: new StaticFiles(join(paths.cache, 'frontend')),
    basePath,
    publicBase: appsBase,
    visitor,
    appHeaders: config.appHeaders,
    logsIn: (authorization) =>
      // One that has ended as well: it is nobody else's to see.
      looksLikeToken(tokenOf(authorization) ?? '') || authenticate(authorization, check) !== undefined,
    admit,
    asked(request, app, { by: person, may, pass }) {
      const by = person ?? (pass && ({ kind: 'person', name: pass.who } as const));
      if (by === undefined || rights.openingOf(app) === 'public') return;
      audit.opened({ by, from: visitor(request).address, app: app.id }, may);
    },
    // A login elsewhere is seen only at the same host name: cookies ignore ports, and nothing else.
    loginUrl(next, app) {
      if (new URL(publicBase()).hostname !== new URL(appsBase()).hostname) return undefined;
      const page = rights.openingOf(app) === 'password' ? `open/${app.id}` : 'login';
      return `${publicBase()}/console/${page}?next=${encodeURIComponent(next)}`;
    },
    share(code, app, request) {
      const pass = sharePass(code);
      const found = rights.shareOf(code, app, Date.now());
      // The right one passes: behind a proxy everybody has the guesser's address.
      if (found === undefined) attempts.count(visitor(request).address);
      const options = found && { until: found.expiresAt, embed: found.embed };
      return options && passCookie(app.id, pass, baseOf(appsBase()), options);
    },
    endedUrl: (app) => `${publicBase()}/console/open/${app.id}?ended`,
    wake: (app) => composed.sleeper.wake(app),
    again: board,
    absent: new Absent({
      async page(page, app, facts, { headers, url: asked = '' }) {
        const links = linksOf(publicBase(), url);
        const words = await wordsOf(languageOf(headers));
        const site = { links: apart ? fromElsewhere(links) : links, words, page: asked };
        return views.renderGateway(page, site, app, facts);
      },
      buildLog: async (app, release) =>
        (await tail(paths.buildLog(app, release), ABSENT_LINES)).lines.map(await host.masks.of(app)),
      isLoggedIn: (request) => loggedIn(request) !== undefined,
      isOperator: (request, app) => {
        const by = loggedIn(request);
        return by !== undefined && rights.may(by, 'logs', app);
      },
      log: (text, facts) => logger.debug(facts, text),
    }),
    traffic: composed.traffic,
    log: (text, facts) => logger.debug(facts, text),
  });

  const usage = new UsageMeter(composed.runtime);
  const uploads = { tmp: paths.tmp, maxBytes: MAX_UPLOAD };
  const mistakes = (): readonly string[] => composed.controller.mistakes();
  const gallery = galleryRouter({
    ...{ apps: host.apps, views, publicBase, url, pictures },
    mayOpen: (cookie, app) => admit(cookie, app).may,
  });
  const usageOf = usage.of.bind(usage);
  const unsafe = () => (config.unsafeOrigin ? unsafeOrigin(publicBase()) : undefined);
  const pages = consoleRouter({
    host,
    people,
    factors,
    passkeys,
    access: appAccess,
    tokens,
    ci,
    rights,
    audit,
    auditLog,
    sessions,
    views,
    publicBase,
    url,
    mistakes,
    troubles: () => composed.readiness.troubles(),
    unsafe,
    logs: paths,
    uploads,
    usage: usageOf,
    metrics,
    errors,
    alerts,
    drains,
    logger,
  });
  const repairs = new Repairs({ paths, gitLeftovers: () => composed.maintenance.leftovers() });
  const checks = checksOf({
    ...{ paths, publicBase, appsBase, repairs },
    cage: composed.cage,
    running: composed.running,
    unsafe: config.unsafeOrigin,
    readiness: composed.readiness,
  });
  const version = await versionOf(root);
  const web = createWeb({
    host,
    controller: composed.controller,
    publicBase,
    url,
    access: { check, sessions, attempts, passwords: identity.passwords, known: identity.known, people, audit },
    audit,
    auditLog,
    people,
    factors,
    passkeys,
    proxyLogins,
    providers: new Providers({ providers: config.providers, warn: (facts, text) => logger.warn(facts, text) }),
    appAccess,
    tokens,
    ci,
    rights,
    visitor,
    logs: paths,
    usageOf,
    metrics,
    errors,
    alerts,
    drains,
    logger,
    pages: createPages(views, publicBase, rights),
    uploads,
    check: () => runChecks(checks),
    nodes: () => composed.running.nodes(),
    repair: () => repairs.fix(),
    troubles: () => composed.readiness.troubles(),
    runtime: composed.running.facts,
    backups: composed.backups,
    stopServer: (how) => stop.ask(how),
    reload: options.reload,
    closing,
    version,
    open: [
      exposition({
        token: config.metricsToken,
        expose: (format) =>
          metrics.expose(format, {
            version,
            apps: exposedApps(host.apps),
          }),
      }),
      files.middleware(),
      gallery.routes() as Middleware,
    ],
    console: [pages.routes() as Middleware],
  });
  const common: Omit<EntryOptions, 'isOurHost'> = {
    basePath,
    gateway,
    screen: proxyLogins.screen.bind(proxyLogins),
    welcome: proxyLogins.welcome.bind(proxyLogins),
    git: git.handle.bind(git),
    web,
    redirect: (path) => redirectOf(path, store.list()),
    failed: (error, path) =>
      logger.error({ err: error, path: path.split('?', 1)[0] }, 'a request could not be answered'),
    ...(logFolder === undefined ? {} : { seen: accessLog(logFolder.website) }),
  };
  const isOurs = (base: () => string) => (host: string | undefined) =>
    isOurHost(host, { publicBase: base(), bind: config.bind, named: config.hosts });
  const there = (host: string | undefined): string => appsBaseFor(host, publicBase(), appsBase());
  const entry = createEntry({
    ...common,
    isOurHost: isOurs(publicBase),
    ...(apart ? { part: { of: 'platform', appsBase: there } } : {}),
  });
  const appsEntry = apart ? createEntry({ ...common, isOurHost: isOurs(appsBase), part: { of: 'apps' } }) : undefined;
  return { entry, appsEntry, hooks, gateway, sessions, written, audit, auditLog, pictures };
}

/** The version of the program in a folder. */
export async function versionOf(root: string): Promise<string> {
  const text = await readFile(join(root, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
