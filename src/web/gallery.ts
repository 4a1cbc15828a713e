import { Router } from '@koa/router';
import type { Context } from 'koa';
import type { App } from '../domain/app/app.js';
import type { Apps, AppStatus } from '../host/apps.js';
import { Refusal } from '../errors.js';
import type { Pictures } from '../store/pictures.js';
import { linksOf, type Links } from './links.js';
import { pageIn, wordsIn } from './language.js';
import { english, type Words } from './messages/messages.js';
import { presentState } from './presenters.js';
import type { GalleryCard, TagView } from './page-models.js';
import type { Views } from './views.js';

export interface GalleryDeps {
  apps: Pick<Apps, 'list'>;
  views: Views;
  pictures: Pick<Pictures, 'version' | 'read'>;
  /** The public base, such as `https://apps.example.com/tools`. */
  publicBase: () => string;
  /** The address of an app. */
  url: (app: string) => string;
  /** Whether a browser may open an app: no other is shown to it. */
  mayOpen: (cookie: string | undefined, app: App) => boolean;
}

/** What a visitor looks for. Empty = everything. */
interface Sought {
  tag: string;
  q: string;
}

/**
 * The page for visitors, at `/`: every app that has ever been live and is neither hidden nor a preview. It needs no login,
 * so it tells no more.
 */
export function galleryRouter(deps: GalleryDeps): Router {
  const router = new Router();
  router.get('/', async (ctx) => {
    const words = wordsIn(ctx);
    const links = linksOf(deps.publicBase(), deps.url);
    const sought: Sought = { tag: field(ctx, 'tag').toLowerCase(), q: field(ctx, 'q') };
    const shown = deps.apps
      .list()
      .filter((status) => isShown(status) && deps.mayOpen(ctx.headers.cookie, status.app))
      .sort((a, b) => a.app.name.localeCompare(b.app.name, 'en', { sensitivity: 'base', numeric: true }));
    const tagged = shown.filter(({ app }) => sought.tag === '' || app.tags.includes(sought.tag));
    const cards = await Promise.all(
      tagged.map(async (status) =>
        presentCard(status, links, sought, await deps.pictures.version(status.app.id), words),
      ),
    );
    ctx.type = 'text/html; charset=utf-8';
    ctx.set('Cache-Control', 'no-cache');
    const all = words.t('count.apps', { count: shown.length });
    const model = {
      cards,
      summary: tagged.length === shown.length ? all : words.t('gallery.some', { shown: tagged.length, all }),
      tags: presentTags(shown, links, sought, words),
      ...sought,
      none: cards.every((card) => card.out),
    };
    ctx.body = deps.views.render('gallery', { links, words, page: pageIn(ctx), csrf: undefined }, model);
  });

  router.get('/pictures/:id', async (ctx) => {
    const { id } = ctx.params;
    const status = deps.apps.list().find(({ app }) => app.id === id);
    const version =
      status === undefined || !isShown(status) || !deps.mayOpen(ctx.headers.cookie, status.app)
        ? undefined
        : await deps.pictures.version(status.app.id);
    if (status === undefined || version === undefined)
      throw new Refusal('not-found', 'picture-not-found', 'Picture not found.');
    ctx.set(
      'Cache-Control',
      ctx.query.v === version
        ? `${deps.mayOpen(undefined, status.app) ? 'public' : 'private'}, max-age=31536000, immutable`
        : 'no-cache',
    );
    ctx.etag = version;
    ctx.status = 200;
    if (ctx.fresh) {
      ctx.status = 304;
      return;
    }
    ctx.type = 'image/jpeg';
    ctx.body = await deps.pictures.read(status.app.id);
  });
  return router;
}

function isShown({ app }: AppStatus): boolean {
  return app.live !== null && !app.hidden && app.preview === undefined;
}

/**
 * An app as a visitor sees it; one that was stopped is shown, and leads nowhere.
 * @param picture names its picture; undefined where it has none
 */
export function presentCard(
  { app, state }: AppStatus,
  links: Links,
  sought: Sought,
  picture?: string,
  words: Words = english,
): GalleryCard {
  const search = [app.name, app.description, ...app.tags].join(' ').toLowerCase();
  // As the page's own script does it, which narrows the list while one types.
  const parts = sought.q.toLowerCase().split(/\s+/);
  return {
    id: app.id,
    name: app.name,
    description: app.description,
    tags: app.tags.map((name) => presentTag(name, links, sought, words)),
    state: presentState(state, words),
    url: state === 'stopped' ? undefined : links.app(app.id),
    photo: picture === undefined ? undefined : `${links.base}/pictures/${app.id}?v=${picture}`,
    search,
    out: !parts.every((part) => search.includes(part)),
  };
}

function presentTags(shown: AppStatus[], links: Links, sought: Sought, words: Words): TagView[] {
  const names = [...new Set(shown.flatMap(({ app }) => app.tags))].sort((a, b) =>
    a.localeCompare(b, 'en', { numeric: true }),
  );
  return names.length === 0 ? [] : ['', ...names].map((name) => presentTag(name, links, sought, words));
}

/** A tag as a link; what is searched for stays. @param name empty for all apps */
function presentTag(name: string, links: Links, { tag, q }: Sought, words: Words): TagView {
  const query = new URLSearchParams({ ...(name === '' ? {} : { tag: name }), ...(q === '' ? {} : { q }) }).toString();
  return {
    name: name === '' ? words.t('gallery.all') : name,
    href: `${links.base}/${query === '' ? '' : `?${query}`}`,
    current: name === tag,
  };
}

/** A word of the address's query, no longer than anybody would type it. */
function field(ctx: Pick<Context, 'query'>, name: string): string {
  const value = ctx.query[name];
  return typeof value === 'string' ? value.trim().slice(0, 200) : '';
}
