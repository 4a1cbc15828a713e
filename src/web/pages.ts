import { STATUS_CODES } from 'node:http';
import { linksOf } from './links.js';
import type { Principal } from '../domain/access/principal.js';
import type { Rights } from '../domain/access/rights.js';
import type { SignedIn } from './auth.js';
import type { WebPages } from './server.js';
import type { Site } from './page-models.js';
import type { Views } from './views.js';

/** The pages that belong to no part of the console: errors, the login, the API's document. */
export function createPages(views: Views, publicBase: () => string, rights: Rights): WebPages {
  const site = (by?: SignedIn): Site => ({
    links: linksOf(publicBase()),
    csrf: by?.session?.csrf,
    ...siteOf(by?.principal, rights),
  });
  return {
    error: (status, message) =>
      views.render('error', site(), { status, title: TITLES[status] ?? STATUS_CODES[status] ?? 'Error', message }),
    login: (model) => views.render('console/login', site(), model),
    openApp: (model) => views.render('console/open', site(), model),
    join: (model) => views.render('console/join', site(), model),
    apiDocs: (docs, by) => views.render('api-docs', site(by), docs),
  };
}

const TITLES: Record<number, string> = {
  401: 'Login required',
  403: 'Not allowed',
  404: 'Page not found',
  409: 'Conflict',
  413: 'Too large',
  422: 'Invalid request',
  429: 'Too many attempts',
  500: 'Something went wrong',
  503: 'Temporarily unavailable',
};

/** What the head of every page says of the person who looks, and offers to them. */
export function siteOf(by: Principal | undefined, rights: Rights): Pick<Site, 'who' | 'people' | 'machine'> {
  return {
    who: by?.account === undefined ? undefined : by.name,
    people: by !== undefined && rights.may(by, 'people'),
    machine: by !== undefined && rights.may(by, 'server'),
  };
}
