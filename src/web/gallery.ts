import { Router } from '@koa/router';
import type { Apps, AppStatus } from '../deploy/apps.js';
import { linksOf, presentState, type Links } from './presenters.js';
import type { GalleryCard, Views } from './views.js';

export interface GalleryDeps {
  apps: Apps;
  views: Views;
  /** The public base, such as `https://apps.example.com/tools`. */
  publicBase: () => string;
}

/** The page for visitors, at `/`: every app that has ever been live, without previews. It needs no login, so it tells no more than that. */
export function galleryRouter(deps: GalleryDeps): Router {
  const router = new Router();
  router.get('/', (ctx) => {
    const links = linksOf(deps.publicBase());
    const cards = deps.apps
      .list()
      .filter(({ app }) => app.live !== null && app.preview === undefined)
      .map((status) => presentCard(status, links))
      .sort((a, b) => a.name.localeCompare(b.name, 'en', { sensitivity: 'base', numeric: true }));
    ctx.type = 'text/html; charset=utf-8';
    ctx.set('Cache-Control', 'no-cache');
    const summary = cards.length === 1 ? '1 app' : `${cards.length} apps`;
    ctx.body = deps.views.render('gallery', { links, csrf: undefined }, { cards, summary });
  });
  return router;
}

/** An app as a visitor sees it; one that was stopped is shown, and leads nowhere. */
export function presentCard({ app, state }: AppStatus, links: Links): GalleryCard {
  return {
    id: app.id,
    name: app.name,
    description: app.description,
    state: presentState(state),
    url: state === 'stopped' ? undefined : links.app(app.id),
    search: `${app.name} ${app.description}`.toLowerCase(),
  };
}
