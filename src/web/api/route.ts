import { Router } from '@koa/router';
import type { Context } from 'koa';
import type { z } from 'zod';
import type { Alerts } from '../../alerts/alerts.js';
import type { Drains } from '../../drains/drains.js';
import type { Backups } from '../../backup/backups.js';
import type { Verb } from '../../domain/access/permissions.js';
import type { Rights } from '../../domain/access/rights.js';
import type { Audit } from '../../host/audit.js';
import type { Host } from '../../host/host.js';
import type { Access } from '../../host/access.js';
import type { TrustedCi } from '../../host/trusted-ci.js';
import type { AccessTokens } from '../../host/tokens.js';
import type { People } from '../../host/people.js';
import type { SecondFactors } from '../../host/second-factors.js';
import type { Controller } from '../../in-place/controller.js';
import type { Trouble } from '../../lib/readiness.js';
import type { Errors } from '../../metrics/errors.js';
import type { Metrics } from '../../metrics/metrics.js';
import type { Logger } from '../../logger.js';
import type { AuditLog } from '../../store/audit-log.js';
import type { Paths } from '../../store/paths.js';
import type { Sessions } from '../../store/sessions.js';
import { askedBy, doneBy } from '../audited.js';
import { signedIn } from '../auth.js';
import { demandBody } from '../body.js';
import type { Links } from '../links.js';
import type { ProblemCode } from '../problem.js';
import type { UsageOf } from './present.js';
import type { ChecksAnswer, NodesAnswer, RepairsAnswer } from './answers.js';
import { parseInput } from './schemas.js';

/** What the calls of the API work with. */
export interface ApiContext {
  host: Host;
  people: People;
  /** The second factors of accounts. */
  factors: SecondFactors;
  access: Access;
  tokens: AccessTokens;
  /** The CI jobs that deploy without a secret. */
  ci: TrustedCi;
  /** Decides who may do what. */
  rights: Rights;
  /** Asks, and writes down who did what. */
  audit: Audit;
  /** What was written down. */
  auditLog: Pick<AuditLog, 'entries' | 'verify' | 'files'>;
  /** The apps in place. */
  controller: Controller;
  /** The one address everything links to, without a trailing slash. */
  publicBase(): string;
  links(): Links;
  /** Where the logs are. */
  logs: Pick<Paths, 'runLog' | 'buildLog'>;
  /** What an app's process uses, asked for one app after the other. */
  usageOf: UsageOf;
  /** What was measured. */
  metrics: Pick<Metrics, keyof Metrics>;
  /** The exceptions of apps. */
  errors: Pick<Errors, 'of' | 'clear'>;
  /** Where alerts are sent, and what is wrong. */
  alerts: Pick<Alerts, 'of' | 'add' | 'remove' | 'test' | 'mails'>;
  /** Where the output of apps is sent. */
  drains: Pick<Drains, 'of' | 'add' | 'remove'>;
  sessions: Sessions;
  /** The machines that apps run on; undefined where that is the server's alone. */
  nodes(): Promise<NodesAnswer['nodes'] | undefined>;
  /** Runs all checks of the server. */
  check(): Promise<ChecksAnswer['checks']>;
  /** Puts right what the checks find and the server can put right without losing anything. */
  repair(): Promise<RepairsAnswer['repairs']>;
  /** What keeps deploys from being run. */
  troubles(): Promise<readonly Trouble[]>;
  /** What runs pushed apps. */
  runtime(): { kind: 'process' | 'docker' | 'swarm'; version: string | null };
  backups: Pick<Backups, 'stream' | 'make'>;
  /** The folder for work in progress, and the most bytes of one upload. */
  uploads: { tmp: string; maxBytes: number };
  /** Ends the server, once this answer is on its way. */
  stopServer(options: { keepApps: boolean }): void;
  /** Replaces the server by a new one, and resolves once that serves. @param options.waitMs how long deploys may take to finish @throws Refusal `reload-failed`, `reload-in-progress` */
  reload(options: { waitMs: number }): Promise<ReloadResult>;
  /** Aborted when the server ends: what streams, ends too. */
  closing: AbortSignal;
  logger: Logger;
}

/** The server that has taken over. */
export interface ReloadResult {
  pid: number;
}

/** A body that a call takes, for the document: by media type, a schema or a plain description of bytes. */
export type BodyContent = Record<string, z.ZodType | { type: 'string'; format: 'binary' }>;

/** One of the answers of a route, for the OpenAPI document. */
export interface Answer {
  description: string;
  /** By media type. JSON of a schema, or text. */
  content?: Record<string, z.ZodType | { type: 'string'; format?: 'binary' }>;
}

/**
 * A call of the API. One value is the truth about it: requests are validated by the schemas from which the document is
 * made, so that the two cannot drift apart.
 */
export interface Route {
  method: 'get' | 'post' | 'patch' | 'put' | 'delete';
  /** As OpenAPI writes it, below /api: `/apps/{id}`. `{path}` at the end stands for a path with its "/". */
  path: string;
  tag: 'apps' | 'deploys' | 'logs' | 'files' | 'config' | 'people' | 'metrics' | 'server';
  /**
   * What the caller must be allowed to do, to the app that the path names where it names one. Anyone: who calls is not known, and
   * the call itself asks for a proof and writes down what came of it.
   */
  can: Verb | 'anyone';
  summary: string;
  description?: string;
  params?: z.ZodObject;
  query?: z.ZodObject;
  headers?: z.ZodObject;
  body?: BodyContent;
  answers: Record<number, Answer>;
  /** The codes of what can go wrong, in addition to those that follow from its input (`codesOf`). */
  codes?: readonly ProblemCode[];
  handle(ctx: Context, input: { params: never; query: never }): Promise<void>;
}

/** A route whose handler knows the types of what was validated. */
export function route<
  P extends z.ZodObject = z.ZodObject<Record<never, never>>,
  Q extends z.ZodObject = z.ZodObject<Record<never, never>>,
>(
  definition: Omit<Route, 'params' | 'query' | 'handle'> & {
    params?: P;
    query?: Q;
    handle(ctx: Context, input: { params: z.infer<P>; query: z.infer<Q> }): Promise<void>;
  },
): Route {
  return definition;
}

/**
 * The routes as Koa has them; a method that a path does not know is answered with 405. What a caller may not do is refused here,
 * before the route sees the request.
 */
export function mount(routes: readonly Route[], audit: Pick<Audit, 'pass'>): Router {
  const router = new Router({ prefix: '/api', sensitive: true });
  for (const each of routes) {
    const { can: verb } = each;
    if (verb === 'anyone') continue;
    router.register(patternOf(each), [each.method], async (ctx: Context) => {
      const { principal: by, session } = signedIn(ctx);
      const door = session === undefined ? 'api' : 'console';
      await audit.pass({ by, door, verb, app: appIn(ctx), ...askedBy(ctx, each.path) }, async () => {
        await handle(ctx, each);
        return doneBy(ctx);
      });
    });
  }
  return router;
}

/** The routes that anyone may call, to stand before the guard. */
export function mountOpen(routes: readonly Route[]): Router {
  const router = new Router({ prefix: '/api', sensitive: true });
  for (const each of routes.filter(({ can }) => can === 'anyone')) {
    router.register(patternOf(each), [each.method], async (ctx: Context) => {
      ctx.set('Cache-Control', 'no-store');
      await handle(ctx, each);
    });
  }
  return router;
}

function patternOf({ path }: Route): string {
  return path.replace('/{path}', '/*path').replace(/\{(\w+)\}/g, ':$1');
}

async function handle(ctx: Context, route: Route): Promise<void> {
  const params: unknown = route.params === undefined ? {} : parseInput(route.params, ctx.params);
  const query: unknown = route.query === undefined ? {} : parseInput(route.query, ctx.query);
  if (replaces(route)) demandBody(ctx);
  await route.handle(ctx, { params: params as never, query: query as never });
}

/** Returns whether a call replaces something by its body. */
export function replaces({ method, body }: Pick<Route, 'method' | 'body'>): boolean {
  return method === 'put' && body !== undefined;
}

/** The app that a path names. */
function appIn(ctx: Context): string | undefined {
  const { id } = ctx.params as { id?: string };
  return id;
}
