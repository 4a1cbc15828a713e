import type { Context, Middleware } from 'koa';
import { signedIn } from '../auth.js';
import type { SignedIn } from '../session.js';
import { accessRoutes } from './access.js';
import { ciRoutes } from './ci.js';
import { alertRoutes } from './alerts.js';
import { appRoutes } from './apps.js';
import { auditRoutes } from './audit.js';
import { configRoutes } from './config.js';
import { controllerRoutes } from './controller.js';
import { deployRoutes } from './deploys.js';
import { presentDocs, type ApiDocs } from './docs.js';
import { drainRoutes } from './drains.js';
import { errorRoutes } from './errors.js';
import { eventRoutes } from './events.js';
import { fileRoutes } from './files.js';
import { logRoutes } from './logs.js';
import { meRoutes } from './me.js';
import type { OpenApiDocument } from './openapi.js';
import { peopleRoutes } from './people.js';
import { metricsRoutes } from './metrics.js';
import { mount, mountOpen, type ApiContext, type Route } from './route.js';
import { secondFactorRoutes } from './second-factor.js';
import { sessionRoutes } from './sessions.js';
import { tokenRoutes } from './tokens.js';
import { serverRoutes } from './server.js';

export interface ApiOptions extends ApiContext {
  version: string;
  /** The page that documents the API. @param by who looks at it */
  docs(ctx: Context, model: ApiDocs, by: SignedIn): string;
}

/** Every call of the API. */
export function apiRoutes(api: ApiContext): Route[] {
  return [
    ...appRoutes(api),
    ...deployRoutes(api),
    ...logRoutes(api),
    ...metricsRoutes(api),
    ...errorRoutes(api),
    ...alertRoutes(api),
    ...drainRoutes(api),
    ...fileRoutes(api),
    ...configRoutes(api),
    ...controllerRoutes(api),
    ...eventRoutes(api),
    ...accessRoutes(api),
    ...peopleRoutes(api),
    ...meRoutes(api),
    ...tokenRoutes(api),
    ...ciRoutes(api),
    ...sessionRoutes(api),
    ...secondFactorRoutes(api),
    ...auditRoutes(api),
    ...serverRoutes(api),
  ];
}

/**
 * The API with its document, below `/api`.
 * @returns what anyone may call, to stand before the guard, and all that stands behind it
 */
export function createApi(options: ApiOptions): { open: Middleware; guarded: Middleware[] } {
  const routes = apiRoutes(options);
  const router = mount(routes, options.audit);
  const describe = async (): Promise<OpenApiDocument> => {
    const { describeApi } = await import('./openapi.js');
    return describeApi(routes, { publicBase: options.publicBase(), version: options.version });
  };

  router.get('/openapi.json', async (ctx) => {
    ctx.body = await describe();
  });
  router.get('/docs', async (ctx) => {
    ctx.type = 'html';
    ctx.body = options.docs(ctx, presentDocs(await describe()), signedIn(ctx));
  });
  const allowed = router.allowedMethods() as Middleware;
  const demandMethod: Middleware = async (ctx, next) => {
    await allowed(ctx, next);
    // By now `Allow` says which methods there are (https://www.rfc-editor.org/rfc/rfc9110#section-15.5.6).
    if (ctx.status === 405 || ctx.status === 501) ctx.throw(ctx.status);
  };
  return {
    open: mountOpen(routes).routes() as Middleware,
    guarded: [router.routes() as Middleware, demandMethod],
  };
}
