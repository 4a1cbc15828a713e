import { Router } from '@koa/router';
import { accountRoutes } from './account.js';
import { appRoutes } from './app.js';
import { appsRoutes } from './apps.js';
import { configRoutes } from './config.js';
import { deployRoutes } from './deploys.js';
import { editRoutes } from './edits.js';
import { fileRoutes } from './files.js';
import { logRoutes } from './logs.js';
import { peopleRoutes } from './people.js';
import { Page, type ConsoleDeps } from './page.js';
import type { AddRoute } from './route.js';

export type { ConsoleDeps } from './page.js';

/** The pages below `/console/`, to stand behind `guardConsole` and what parses forms. */
export function consoleRouter(deps: ConsoleDeps): Router {
  const router = new Router({ prefix: '/console', sensitive: true });
  const add: AddRoute = (method, path, can, route) => {
    router[method](path, async (ctx) => {
      const page = new Page(ctx, deps);
      deps.rights.demand(page.by, can, page.param('id'));
      await route(page);
    });
  };
  appsRoutes(add);
  peopleRoutes(add);
  accountRoutes(add);
  appRoutes(add);
  logRoutes(add);
  deployRoutes(add);
  fileRoutes(add);
  configRoutes(add);
  editRoutes(add);
  return router;
}
