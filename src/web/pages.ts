import { STATUS_CODES } from 'node:http';
import { linksOf } from './links.js';
import type { WebPages } from './server.js';
import type { Views } from './views.js';

/** The pages that belong to no part of the console: errors, the login, the API's document. */
export function createPages(views: Views, publicBase: () => string): WebPages {
  const site = (csrf?: string) => ({ links: linksOf(publicBase()), csrf });
  return {
    error: (status, message) =>
      views.render('error', site(), { status, title: TITLES[status] ?? STATUS_CODES[status] ?? 'Error', message }),
    login: (next, error) => views.render('console/login', site(), { next, error }),
    apiDocs: (docs, csrf) => views.render('api-docs', site(csrf), docs),
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
