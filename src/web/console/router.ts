import { Router } from '@koa/router';
import type { Verb } from '../../domain/access/permissions.js';
import { askedBy, doneBy } from '../audited.js';
import { claimedBy } from '../auth.js';
import { accessRoutes } from './access.js';
import { accountRoutes } from './account.js';
import { alertRoutes } from './alerts.js';
import { appRoutes } from './app.js';
import { appsRoutes } from './apps.js';
import { auditRoutes } from './audit.js';
import { configRoutes } from './config.js';
import { deployRoutes } from './deploys.js';
import { drainRoutes } from './drains.js';
import { editRoutes } from './edits.js';
import { errorRoutes } from './errors.js';
import { fileRoutes } from './files.js';
import { logRoutes } from './logs.js';
import { metricsRoutes } from './metrics.js';
import { peopleRoutes } from './people.js';
import { Page, type ConsoleDeps } from './page.js';
import type { AddRoute, Route } from './route.js';

export type { ConsoleDeps } from './page.js';

/** One route of the console. */
export interface ConsoleRoute {
  method: 'get' | 'post';
  /** Below `/console`. */
  path: string;
  can: Verb;
  route: Route;
}

/** Every route of the console. */
export function consoleRoutes(): ConsoleRoute[] {
  const routes: ConsoleRoute[] = [];
  const add: AddRoute = (method, path, can, route) => void routes.push({ method, path, can, route });
  appsRoutes(add);
  peopleRoutes(add);
  auditRoutes(add);
  accountRoutes(add);
  appRoutes(add);
  logRoutes(add);
  metricsRoutes(add);
  errorRoutes(add);
  alertRoutes(add);
  drainRoutes(add);
  deployRoutes(add);
  fileRoutes(add);
  configRoutes(add);
  editRoutes(add);
  accessRoutes(add);
  return routes;
}

/**
 * The pages below `/console/`, to stand behind `guardConsole` and what parses forms. What a person may not do is refused here,
 * before the route sees the request.
 */
export function consoleRouter(deps: ConsoleDeps): Router {
  const router = new Router({ prefix: '/console', sensitive: true });
  for (const { method, path, can, route } of consoleRoutes()) {
    router[method](path, async (ctx) => {
      const page = new Page(ctx, deps);
      const asked = { by: claimedBy(ctx), door: 'console', verb: can, app: page.param('id') } as const;
      await deps.audit.pass({ ...asked, ...askedBy(ctx, `/console${path}`) }, async () => {
        await route(page);
        return doneBy(ctx);
      });
    });
  }
  return router;
}
