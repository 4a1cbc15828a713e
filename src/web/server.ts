import type { IncomingMessage, RequestListener } from 'node:http';
import Koa, { type Middleware } from 'koa';
import helmet from 'koa-helmet';
import type { Audit } from '../host/audit.js';
import type { Host } from '../host/host.js';
import type { Access as AppAccess } from '../host/access.js';
import type { TrustedCi } from '../host/trusted-ci.js';
import type { AccessTokens } from '../host/tokens.js';
import type { People } from '../host/people.js';
import { HalfLogins } from '../host/half-logins.js';
import type { Passkeys } from '../host/passkeys.js';
import type { Providers } from '../host/providers.js';
import type { SecondFactors } from '../host/second-factors.js';
import type { Errors } from '../metrics/errors.js';
import type { Metrics } from '../metrics/metrics.js';
import type { Controller } from '../in-place/controller.js';
import type { Rights } from '../domain/access/rights.js';
import type { Visitor } from '../domain/access/visitor.js';
import { hasCode } from '../errors.js';
import type { Logger } from '../logger.js';
import type { Paths } from '../store/paths.js';
import { guardApi, guardConsole } from './auth.js';
import { Drafts } from './drafts.js';
import type { Access, SignedIn } from './session.js';
import type { ApiDocs } from './api/docs.js';
import { createApi } from './api/index.js';
import type { ApiContext } from './api/route.js';
import type { UsageOf } from './api/present.js';
import { chooseLanguage, languageRoutes } from './language.js';
import { linksOf } from './links.js';
import { loginRoutes, type JoinModel, type LoginModel } from './login.js';
import { openAppRoutes, type OpenAppModel } from './open-app.js';
import { answerErrors, isApi } from './problem.js';
import { providerLoginRoutes } from './provider-login.js';
import type { ProxyLogins } from './proxy-login.js';
import { secondStepRoutes, type SecondModel } from './second-step.js';
import { baseReader } from './session-cookie.js';

/** The most bytes of one upload, unless told. */
const MAX_UPLOAD = 500_000_000;

/** The pages that are needed here, as HTML. */
export interface WebPages {
  error(ctx: Koa.Context, status: number, sentence: string): string;
  login(ctx: Koa.Context, model: LoginModel): string;
  join(ctx: Koa.Context, model: JoinModel): string;
  second(ctx: Koa.Context, model: SecondModel): string;
  openApp(ctx: Koa.Context, model: OpenAppModel): string;
  apiDocs(ctx: Koa.Context, model: ApiDocs, by: SignedIn): string;
}

export interface WebOptions {
  host: Host;
  controller: Controller;
  /** The one address everything links to, without a trailing slash; known once the server listens. */
  publicBase(): string;
  /** The address of an app. */
  url: (app: string) => string;
  access: Access;
  people: People;
  /** The second factors of accounts. */
  factors: SecondFactors;
  passkeys: Passkeys;
  /** Where people log in with the account of their company. */
  providers: Providers;
  /** Whom a proxy in front names. */
  proxyLogins?: Pick<ProxyLogins, 'offer' | 'refusalOf'>;
  /** Gives roles in apps. */
  appAccess: AppAccess;
  tokens: AccessTokens;
  /** The CI jobs that deploy without a secret. */
  ci: TrustedCi;
  /** Decides who may do what. */
  rights: Rights;
  /** Asks, and writes down who did what. */
  audit: Audit;
  /** What was written down. */
  auditLog: ApiContext['auditLog'];
  /** Where the logs are. */
  logs: Pick<Paths, 'runLog' | 'buildLog'>;
  /** What an app's process uses. */
  usageOf: UsageOf;
  /** What was measured. */
  metrics: Pick<Metrics, keyof Metrics>;
  /** The exceptions of apps. */
  errors: Pick<Errors, 'of' | 'clear'>;
  /** Where alerts are sent, and what is wrong. */
  alerts: ApiContext['alerts'];
  /** Where the output of apps is sent. */
  drains: ApiContext['drains'];
  logger: Logger;
  pages: WebPages;
  /** The folder for uploads on their way, and the most bytes of one. */
  uploads: { tmp: string; maxBytes?: number };
  /** Who asks. */
  visitor: (request: IncomingMessage) => Pick<Visitor, 'address'>;
  /** Runs all checks of the server. */
  check: ApiContext['check'];
  /** The machines that apps run on. */
  nodes: ApiContext['nodes'];
  repair: ApiContext['repair'];
  /** What keeps deploys from being run. Cheap. */
  troubles: ApiContext['troubles'];
  runtime: ApiContext['runtime'];
  backups: ApiContext['backups'];
  /** Ends the server; called when the answer to the request is on its way. */
  stopServer(options: { keepApps: boolean }): void;
  /** Replaces the server by a new one, and resolves once that serves. */
  reload: ApiContext['reload'];
  /** Aborted when the server ends, so that event streams end too. */
  closing: AbortSignal;
  version: string;
  /** What anybody may see: the gallery, static files. Each passes on what is not its own. */
  open?: Middleware[];
  /** The console's own pages; only for requests of a browser that is signed in (`signedIn(ctx)`). */
  console?: Middleware[];
}

/**
 * Everything that is answered by neither git nor an app: API, console, gallery. Paths arrive without the public base's
 * own path; addresses in answers are made from the public base and nothing else.
 */
export function createWeb(options: WebOptions): RequestListener {
  const { access, logger, pages } = options;
  const base = baseReader(() => options.publicBase());
  const app = new Koa();
  app.silent = true;
  app.on('error', (error: unknown) => {
    // Who left in the middle of an answer, or of a body, is nothing to worry about.
    const left = ['ECONNRESET', 'EPIPE', 'ECANCELED', 'ERR_STREAM_PREMATURE_CLOSE', 'HPE_INVALID_EOF_STATE'].some(
      (code) => hasCode(error, code),
    );
    logger[left ? 'debug' : 'error'](
      { err: error },
      left ? 'a client disconnected during a response' : 'a response ended early',
    );
  });

  app.use(async (ctx, next) => {
    ctx.request.ip = options.visitor(ctx.req).address;
    await next();
  });
  app.use(securityHeaders());
  app.use(chooseLanguage());
  app.use(answerErrors({ page: (ctx, status, sentence) => pages.error(ctx, status, sentence), logger }));
  app.use(answerHealth);
  app.use(answerReadiness(() => options.troubles()));
  app.use(languageRoutes(base).routes() as Middleware);
  for (const middleware of options.open ?? []) app.use(middleware);

  const api = createApi({
    host: options.host,
    people: options.people,
    factors: options.factors,
    access: options.appAccess,
    tokens: options.tokens,
    ci: options.ci,
    rights: options.rights,
    audit: options.audit,
    auditLog: options.auditLog,
    controller: options.controller,
    publicBase: () => options.publicBase(),
    links: () => linksOf(options.publicBase(), options.url),
    logs: options.logs,
    usageOf: options.usageOf,
    metrics: options.metrics,
    errors: options.errors,
    alerts: options.alerts,
    drains: options.drains,
    sessions: access.sessions,
    check: () => options.check(),
    nodes: () => options.nodes(),
    repair: () => options.repair(),
    troubles: () => options.troubles(),
    runtime: () => options.runtime(),
    backups: options.backups,
    uploads: { tmp: options.uploads.tmp, maxBytes: options.uploads.maxBytes ?? MAX_UPLOAD },
    stopServer: (how) => options.stopServer(how),
    reload: (how) => options.reload(how),
    closing: options.closing,
    logger,
    version: options.version,
    docs: (ctx, model, by) => pages.apiDocs(ctx, model, by),
  });
  for (const middleware of [api.open, guardApi(access, base), ...api.guarded]) app.use(below(isApi, middleware));

  const step = secondStepRoutes({
    ...{ access, factors: options.factors, halves: new HalfLogins(options.people), base },
    passkeys: options.passkeys,
    page: (ctx, model) => pages.second(ctx, model),
  });
  const login = loginRoutes({
    access,
    enter: step.enter,
    passkeys: options.passkeys,
    people: options.people,
    providers: options.providers.list(),
    proxyLogins: options.proxyLogins,
    base,
    page: (ctx, model) => pages.login(ctx, model),
    needsLogin: (app) => options.rights.needsLogin(app),
    joinPage: (ctx, model) => pages.join(ctx, model),
  });
  const { people, providers } = options;
  const providerLogin = providerLoginRoutes({
    ...{ access, people, providers, base, publicBase: () => options.publicBase() },
    ...{ nextOf: login.nextOf, refuse: login.refuse },
  });
  const { rights, appAccess, audit } = options;
  const openApp = openAppRoutes({
    ...{ rights, access: appAccess, audit, base, page: (ctx, model) => pages.openApp(ctx, model) },
    find: (id) => rights.find(id),
  });
  const consoleParts = [
    guardConsole(access, base, new Drafts()),
    login.router.routes() as Middleware,
    step.router.routes() as Middleware,
    providerLogin.routes() as Middleware,
    openApp.routes() as Middleware,
    ...(options.console ?? []),
  ];
  for (const middleware of consoleParts) app.use(below(isConsole, middleware));

  const handle = app.callback();
  // It never rejects: what goes wrong is answered, and told to the listener above.
  return (req, res) => void handle(req, res);
}

/** True where a path belongs to the console. */
function isConsole(path: string): boolean {
  return /^\/console(\/|$)/i.test(path);
}

function below(owns: (path: string) => boolean, middleware: Middleware): Middleware {
  return async (ctx, next) => {
    await (owns(ctx.path) ? middleware(ctx, next) : next());
  };
}

/** Says that the server answers, to anybody and nothing more. */
async function answerHealth(ctx: Koa.Context, next: Koa.Next): Promise<void> {
  if (ctx.path !== '/healthz') {
    await next();
    return;
  }
  ctx.set('Cache-Control', 'no-store');
  ctx.body = { status: 'ok' };
}

/** Says whether deploys can run and, if not, why: to anybody, so without names of hosts and files. */
function answerReadiness(troubles: WebOptions['troubles']): Middleware {
  return async (ctx, next) => {
    if (ctx.path !== '/readyz') {
      await next();
      return;
    }
    const reasons = await troubles();
    ctx.set('Cache-Control', 'no-store');
    ctx.status = reasons.length === 0 ? 200 : 503;
    ctx.body = reasons.length === 0 ? { status: 'ok' } : { status: 'not ready', reasons };
  };
}

/**
 * What browsers are told about every page. Cross-Origin-Opener-Policy keeps an app that opens the console in a window
 * from reaching into it. A referrer names our origin alone: an app must not learn the console's addresses, and without any
 * the Origin of a form would be "null". Of a page with the policy "origin", a browser also hides the address in the history
 * that it shows to an app in the same tab (https://html.spec.whatwg.org/multipage/nav-history-apis.html#dom-navigationhistoryentry-url).
 */
function securityHeaders(): Middleware {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    crossOriginOpenerPolicy: { policy: 'same-origin' },
    // The apps on the same origin do not ask for it, and a browser decides once for the whole origin.
    originAgentCluster: false,
    referrerPolicy: { policy: 'origin' },
    // The proxy that terminates TLS decides that; it holds for every other service on the same host.
    strictTransportSecurity: false,
    xFrameOptions: { action: 'deny' },
  });
}
