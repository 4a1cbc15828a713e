import { Router } from '@koa/router';
import type { Context } from 'koa';
import { Attempts } from '../domain/access/attempts.js';
import { PASS_MS } from '../domain/access/pass.js';
import { networkOf } from '../domain/access/visitor.js';
import { isKnown, type App } from '../domain/app/app.js';
import type { Rights } from '../domain/access/rights.js';
import type { Access as AppAccess } from '../host/access.js';
import type { Audit } from '../host/audit.js';
import { Refusal } from '../errors.js';
import { loginToken } from './csrf.js';
import { wordsIn } from './language.js';
import { passCookie, type Base } from './session-cookie.js';

export interface OpenAppOptions {
  find: (id: string) => App | undefined;
  rights: Pick<Rights, 'openingOf'>;
  access: Pick<AppAccess, 'tryPassword'>;
  audit: Pick<Audit, 'login'>;
  base: () => Base;
  page(ctx: Context, model: OpenAppModel): string;
}

/** What the page shows that stands before an app with a password, or instead of one whose link has ended. */
export interface OpenAppModel {
  /** The CSRF token of its form. */
  proof: string;
  app: { id: string; name: string };
  /** The page of the app to go to. */
  next: string;
  /** True where a share link has expired or was revoked. */
  ended: boolean;
  /** True where the password of the app opens it. */
  asks: boolean;
  error: string | undefined;
}

/** The page that asks for the password of an app. */
export function openAppRoutes(options: OpenAppOptions): Router {
  const { find, rights, access, audit, base } = options;
  // Each app of each visitor: nobody is kept out of one app by guesses at another.
  const attempts = new Attempts();
  const router = new Router({ sensitive: true });

  router.get('/console/open/:id', (ctx) => show(ctx, appIn(ctx), nextIn(ctx, ctx.query.next)));

  router.post('/console/open/:id', async (ctx) => {
    const app = appIn(ctx);
    const { password, next: to } = (ctx.request as { body?: Record<string, unknown> }).body ?? {};
    const next = nextIn(ctx, to);
    const visitor = `${networkOf(ctx.ip)} ${app.id}`;
    // Counted before it is looked at: of many that come at once, no more pass.
    attempts.demand(visitor);
    attempts.failed(visitor);
    const until = Date.now() + PASS_MS;
    const pass = typeof password === 'string' ? await access.tryPassword(app.id, password, until) : undefined;
    const what = `password of ${app.id}`;
    audit.login({ who: undefined, door: 'app', from: ctx.ip, what }, pass === undefined ? 'refused' : 'ok');
    if (pass === undefined) return show(ctx, app, next, wordsIn(ctx).t('openApp.wrong'));
    attempts.right(visitor);
    ctx.append('Set-Cookie', passCookie(app.id, pass, base(), { until, embed: false }));
    ctx.status = 303;
    ctx.redirect(base().path + next);
  });

  return router;

  function show(ctx: Context, app: App, next: string, error?: string): void {
    ctx.type = 'html';
    const [ended, asks] = [ctx.query.ended !== undefined, rights.openingOf(app) === 'password'];
    ctx.status = error !== undefined ? 401 : ended ? 410 : 200;
    const proof = loginToken(ctx, base(), `/console/open/${app.id}`);
    ctx.body = options.page(ctx, { proof, app: { id: app.id, name: app.name }, next, ended, asks, error });
  }

  /** @throws Refusal `app-not-found` where there is none, or everybody may open it */
  function appIn(ctx: Context): App {
    const { id = '' } = ctx.params as { id?: string };
    const app = find(id);
    if (app !== undefined && isKnown(app)) {
      const opening = rights.openingOf(app);
      if (opening === 'password' || (opening !== 'public' && ctx.method === 'GET' && ctx.query.ended !== undefined))
        return app;
    }
    throw new Refusal('not-found', 'app-not-found', `There is no app "${id}".`);
  }
}

/** A page of the app itself, and nothing else. */
function nextIn(ctx: Context, value: unknown): string {
  const { id = '' } = ctx.params as { id?: string };
  const own = `/apps/${id}/`;
  const url = typeof value === 'string' && value.startsWith(own) ? new URL(value, 'http://here.invalid') : undefined;
  return url?.pathname.startsWith(own) === true && !url.pathname.includes('//') ? url.pathname + url.search : own;
}
