import type { IncomingHttpHeaders } from 'node:http';
import { Router } from '@koa/router';
import type { Context, Middleware } from 'koa';
import Negotiator from 'negotiator';
import { parseUrl } from '../lib/parse-url.js';
import { english, languages, wordsOf, type Language, type Words } from './messages/messages.js';
import type { Base } from './session-cookie.js';

const COOKIE = 'streamlit_host_language';

/** How long a choice is remembered, in seconds. */
const YEAR = 365 * 86_400;

/** What browsers may ask for, by primary tag: any English, any Chinese. */
const TAGS: Record<string, Language> = { en: 'en', zh: 'zh-CN' };

/** The language that the visitor chose, or else the one that their browser prefers. */
export function languageOf(headers: IncomingHttpHeaders): Language {
  const [, chosen] = new RegExp(`(?:^|;\\s*)${COOKIE}=([\\w-]+)`).exec(headers.cookie ?? '') ?? [];
  const known = languages.find((one) => one === chosen);
  return known ?? TAGS[new Negotiator({ headers }).language(Object.keys(TAGS)) ?? 'en'] ?? 'en';
}

/** Finds out the language of every page. The API itself speaks English. */
export function chooseLanguage(): Middleware {
  return async (ctx, next) => {
    (ctx.state as { words?: Words }).words = await wordsOf(languageOf(ctx.headers));
    await next();
  };
}

/** The messages for the answer to a request, which depends on its language from then on. */
export function wordsIn(ctx: Context): Words {
  ctx.vary('Accept-Language');
  ctx.vary('Cookie');
  return (ctx.state as { words?: Words }).words ?? english;
}

/** The page that the answer to a request is, from where the language can be switched: below the public base. */
export function pageIn(ctx: Context): string {
  // What a form was sent to need not be a page.
  return ctx.method === 'GET' || ctx.method === 'HEAD' ? ctx.url : '/console/';
}

/** The path of the switch: it remembers the language and leads back. */
export function switchTo(language: Language, page: string): string {
  return `/_host/language/${language}?next=${encodeURIComponent(page)}`;
}

/** Remembers the language that a visitor chose. */
export function languageRoutes(base: () => Base): Router {
  const router = new Router({ sensitive: true });
  router.get('/_host/language/:language', async (ctx, next) => {
    const language = languages.find((one) => one === ctx.params.language);
    if (language === undefined) {
      await next();
      return;
    }
    const { path, https } = base();
    const secure = https ? '; Secure' : '';
    // Who asks for the head alone looks where a link leads.
    if (ctx.method !== 'HEAD')
      ctx.append(
        'Set-Cookie',
        `${COOKIE}=${language}; Path=${path}/; HttpOnly; SameSite=Lax; Max-Age=${YEAR}${secure}`,
      );
    ctx.set('Cache-Control', 'no-store');
    ctx.redirect(path + placeIn(ctx.query.next));
    ctx.status = 303;
  });
  return router;
}

/** A page of our own origin, as a browser would read its address; the gallery where it is none. */
function placeIn(value: unknown): string {
  const url = typeof value === 'string' ? parseUrl(value, HERE) : undefined;
  return url?.origin === HERE && !url.pathname.startsWith('//') ? url.pathname + url.search : '/';
}

/** Stands for our own origin. */
const HERE = 'http://here.invalid';
