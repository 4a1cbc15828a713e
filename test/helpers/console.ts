import { join } from 'node:path';
import type { Middleware } from 'koa';
import { pino } from 'pino';
import { Rights } from '../../src/domain/access/rights.js';
import { Access } from '../../src/host/access.js';
import { Passwords } from '../../src/store/passwords.js';
import { consoleRouter } from '../../src/web/console/router.js';
import { createPages } from '../../src/web/pages.js';
import { PublicFiles } from '../../src/web/public.js';
import { Views } from '../../src/web/views.js';
import { LIGHT, noAlerts, noDrains, noErrors, noMetrics, startWeb, type TestWeb } from './web.js';
import { endWithFile } from './ends.js';
import { ROOT } from './host.js';

/** The console with its real pages in this process, with quiet apps behind it. It ends with the test file. */
export async function startConsole(options: Parameters<typeof startWeb>[0] = {}): Promise<TestWeb> {
  const files = new PublicFiles({ folder: join(ROOT, 'public'), libraries: join(ROOT, 'node_modules') });
  const views = new Views({ templates: join(ROOT, 'templates'), files });
  const rights = new Rights({ find: (id) => web.apps.find(id) });
  // It is given what the server makes, and the server is given it.
  let routes: Middleware | undefined;
  const router: Middleware = (ctx, next) => {
    routes ??= consoleRouter({
      ...{
        host: web.apps.host,
        people: web.people,
        factors: web.factors,
        passkeys: web.passkeys,
        tokens: web.tokens,
        ci: web.ci,
        rights,
      },
      access: new Access({ store: web.apps.store, users: web.users, passwords: new Passwords(LIGHT) }),
      ...{ audit: web.audit, auditLog: web.auditLog, sessions: web.sessions, views },
      ...{ mistakes: () => [], troubles: () => Promise.resolve([]), unsafe: () => undefined },
      logs: { runLog: () => '/nowhere', buildLog: () => '/nowhere' },
      uploads: { tmp: web.folder, maxBytes: 1_000 },
      publicBase: () => web.base(),
      url: (app) => `${web.base()}/apps/${app}/`,
      usage: () => undefined,
      ...{ metrics: noMetrics(web.apps), errors: noErrors, alerts: noAlerts, drains: noDrains },
      logger: pino({ level: 'silent' }),
    }).routes() as unknown as Middleware;
    return routes(ctx, next) as Promise<void>;
  };
  const web = await startWeb({
    open: [files.middleware()],
    console: [router],
    pages: createPages(views, () => web.base(), rights),
    ...options,
  });
  endWithFile(() => web.close());
  return web;
}
