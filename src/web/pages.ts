import { STATUS_CODES } from 'node:http';
import type { Context } from 'koa';
import { linksOf } from './links.js';
import { pageIn, wordsIn } from './language.js';
import type { Principal } from '../domain/access/principal.js';
import type { Rights } from '../domain/access/rights.js';
import type { SignedIn } from './session.js';
import type { WebPages } from './server.js';
import type { Site } from './page-models.js';
import type { Views } from './views.js';

/** The pages that belong to no part of the console: errors, the login, the API's document. */
export function createPages(views: Views, publicBase: () => string, rights: Rights): WebPages {
  const site = (ctx: Context, by?: SignedIn): Site => ({
    links: linksOf(publicBase()),
    words: wordsIn(ctx),
    page: pageIn(ctx),
    csrf: by?.session?.csrf,
    ...siteOf(by?.principal, rights),
  });
  return {
    error(ctx, status, message) {
      const words = wordsIn(ctx);
      const named = TITLES.find((one) => one === status);
      const title = named === undefined ? (STATUS_CODES[status] ?? 'Error') : words.t(`error.${named}`);
      return views.render('error', site(ctx), { status, title, message: words.sentence(message) });
    },
    login: (ctx, model) => views.render('console/login', site(ctx), model),
    openApp: (ctx, model) => views.render('console/open', site(ctx), model),
    join: (ctx, model) => views.render('console/join', site(ctx), model),
    second: (ctx, model) => views.render('console/second', site(ctx), model),
    apiDocs: (ctx, docs, by) => views.render('api-docs', site(ctx, by), docs),
  };
}

/** The statuses that have a title of ours. */
const TITLES = [401, 403, 404, 409, 413, 422, 429, 500, 503] as const;

/** What the head of every page says of the person who looks, and offers to them. */
export function siteOf(by: Principal | undefined, rights: Rights): Pick<Site, 'who' | 'people' | 'machine'> {
  return {
    who: by?.account === undefined ? undefined : by.name,
    people: by !== undefined && rights.may(by, 'people'),
    machine: by !== undefined && rights.may(by, 'server'),
  };
}
