import { Router } from '@koa/router';
import type { Context } from 'koa';
import { hasSession, signIn, signOut, type Access, type Base } from './auth.js';

export interface LoginOptions {
  access: Access;
  base: () => Base;
  /** The login page. @param next where to go afterwards, @param error why the last try failed */
  page(next: string, error: string | undefined): string;
}

/** The ways into the console and out of it: the login page, the one-use link, and the button "Log out". */
export function loginRoutes(options: LoginOptions): Router {
  const { access, base } = options;
  const router = new Router({ sensitive: true });

  router.get('/console/login', async (ctx) => {
    const next = nextOf(ctx.query.next);
    const { code } = ctx.query;
    // The link stands in a terminal, and is clicked again by who is in already: it must not say that they are not.
    if (ctx.method !== 'HEAD' && hasSession(ctx.headers.cookie, access.sessions, base())) return leave(ctx, next);
    // Who asks for the head alone looks where a link leads, as mail and chat programs do: that must not use it up.
    if (typeof code !== 'string' || ctx.method === 'HEAD') return show(ctx, next);
    if (await signIn(ctx, access, base(), { code })) return leave(ctx, next);
    show(
      ctx,
      next,
      'This login link has expired or was already used. Run "streamlit-host login-link" on the server for a new one, or paste your token.',
    );
  });

  router.post('/console/login', async (ctx) => {
    const { token, next } = (ctx.request as { body?: Record<string, unknown> }).body ?? {};
    if (typeof token === 'string' && (await signIn(ctx, access, base(), { token: token.trim() })))
      return leave(ctx, nextOf(next));
    show(ctx, nextOf(next), 'Invalid token.');
  });

  router.post('/console/logout', async (ctx) => {
    await signOut(ctx, access, base());
    ctx.status = 303;
    ctx.redirect(`${base().path}/console/login`);
  });

  return router;

  function show(ctx: Context, next: string, error?: string): void {
    ctx.status = error === undefined ? 200 : 401;
    ctx.type = 'html';
    ctx.body = options.page(next, error);
  }

  function leave(ctx: Context, next: string): void {
    ctx.status = 303;
    ctx.redirect(base().path + next);
  }
}

/** Where to go after the login: a place of our own, or the console's first page. */
function nextOf(value: unknown): string {
  // As a browser would read it: what leads elsewhere by "//", "\\" or ".." is seen to.
  const url = typeof value === 'string' && URL.canParse(value, HERE) ? new URL(value, HERE) : undefined;
  const ours =
    url?.origin === HERE && /^\/(console|api\/docs)(\/|$)/.test(url.pathname) && !url.pathname.includes('//');
  return ours ? url.pathname + url.search : '/console/';
}

/** Stands for our own origin. */
const HERE = 'http://here.invalid';
