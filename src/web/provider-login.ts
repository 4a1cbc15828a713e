import { Router } from '@koa/router';
import type { Context } from 'koa';
import { Attempts } from '../domain/access/attempts.js';
import type { People } from '../host/people.js';
import type { Leave, Providers } from '../host/providers.js';
import { Refusal } from '../errors.js';
import { beginSession, sessionFrom, type Access } from './session.js';
import { forgetLeave, leavesIn, setLeave, type Base } from './session-cookie.js';

export interface ProviderLoginOptions {
  access: Access;
  people: Pick<People, 'logInWith'>;
  providers: Providers;
  base: () => Base;
  /** The public URL, without a trailing slash. */
  publicBase: () => string;
  /** Where a login leads to, from what a request says. */
  nextOf: (value: unknown) => string;
  /** Shows the login page with why a login failed. */
  refuse: (ctx: Context, next: string, refusal: Refusal) => Promise<void>;
}

/** The longest address (characters) that a login leads back to: it is kept in a cookie. */
const MAX_NEXT = 2_000;

/** The logins with a provider of OpenID Connect: out to it, back from it, and out of it. */
export function providerLoginRoutes(options: ProviderLoginOptions): Router {
  const { access, people, providers, base, publicBase, nextOf } = options;
  // Counted apart from passwords, which go on where a provider is broken.
  const tries = new Attempts();
  const router = new Router({ sensitive: true });
  const backOf = (id: string): string => `${publicBase()}/console/login/${id}/callback`;

  router.get('/console/login/:provider', async (ctx) => {
    const next = nextOf(ctx.query.next);
    if (sessionFrom(ctx.headers.cookie, access, base()) !== undefined) return go(ctx, base().path + next);
    await attempt(ctx, next, async () => {
      const { url, leave } = await providers.begin(idIn(ctx), backOf(idIn(ctx)));
      setLeave(ctx, JSON.stringify({ ...leave, next: next.length > MAX_NEXT ? '/console/' : next }), base());
      go(ctx, url.href);
    });
  });

  router.get('/console/login/:provider/callback', async (ctx) => {
    const all = leavesIn(ctx, base()).flatMap((text) => parseLeave(text) ?? []);
    const left = all.find(({ provider, state }) => provider === idIn(ctx) && state === ctx.query.state);
    const next = nextOf((left ?? all[0])?.next);
    await attempt(ctx, next, async () => {
      const { name } = providers.get(idIn(ctx));
      forgetLeave(ctx, base());
      // Of another tab, of yesterday, or of another browser, whose login this must not become.
      if (left === undefined) {
        const sentence = `This login with ${name} has expired, or began in another tab. Log in again.`;
        throw new Refusal('forbidden', 'provider-login-expired', sentence);
      }
      // Each costs the provider a request.
      tries.demand(ctx.ip);
      tries.failed(ctx.ip);
      const url = new URL(backOf(idIn(ctx)));
      url.search = ctx.search;
      const person = await people.logInWith(providers.get(left.provider), await providers.finish(left, url));
      tries.right(ctx.ip);
      await beginSession(ctx, access, base(), { ...person, provider: left.provider });
      go(ctx, base().path + next);
    });
  });

  router.get('/console/login/:provider/logout', async (ctx) => {
    await attempt(ctx, '/console/', async () => {
      const login = `${publicBase()}/console/login`;
      go(ctx, (await providers.endUrl(idIn(ctx), login))?.href ?? login);
    });
  });

  return router;

  async function attempt(ctx: Context, next: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const what = `log in with ${idIn(ctx)}`;
      if (error.kind !== 'not-found') access.audit.login({ who: undefined, from: ctx.ip, what }, 'refused');
      await options.refuse(ctx, next, error);
    }
  }
}

function idIn(ctx: Context): string {
  return (ctx.params as { provider?: string }).provider ?? '';
}

function go(ctx: Context, url: string): void {
  ctx.status = 303;
  ctx.redirect(url);
}

/** What our own cookie says; undefined where it is missing or somebody else has written it. */
export function parseLeave(text: string): (Leave & { next: string }) | undefined {
  try {
    const found = JSON.parse(text) as unknown;
    if (typeof found !== 'object' || found === null) return undefined;
    const { provider, state, nonce, verifier, next } = found as Record<string, unknown>;
    const all = [provider, state, nonce, verifier, next];
    return all.every((one) => typeof one === 'string') ? (found as Leave & { next: string }) : undefined;
  } catch {
    return undefined; // That is the only reason.
  }
}
