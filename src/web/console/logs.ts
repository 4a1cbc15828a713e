import { printingRelease, type App } from '../../domain/app/app.js';
import { isPending, type Release } from '../../domain/app/release.js';
import { search } from '../../logs/search.js';
import { tail } from '../../logs/tail.js';
import { Refusal } from '../../errors.js';
import type { LogView } from '../page-models.js';
import type { Page } from './page.js';
import type { Words } from '../messages/messages.js';
import type { AddRoute } from './route.js';

const LINES = 500;
const MOST_LINES = 10_000;

/** What an app prints. */
export function logRoutes(add: AddRoute): void {
  add('get', '/apps/:id/logs', 'logs', async (page) => {
    const { app } = page.status;
    const path = page.deps.logs.runLog(app.id, printingRelease(app));
    const q = page.field('q', page.ctx.query).slice(0, 200);
    const count = countOf(page.field('tail', page.ctx.query));
    const found =
      q === ''
        ? (await tail(path, count)).lines
        : (await search(path, q, { limit: count })).matches.map(({ line }) => line).reverse();
    // What is hidden cannot be searched for either.
    const lines = (await shown(page, app.id, found)).filter((line) => line.toLowerCase().includes(q.toLowerCase()));
    const view = runLogView(app, lines, count, page.words);
    page.show('console/logs', {
      ...(await page.app('logs')),
      log: q === '' ? view : { ...view, follow: undefined, empty: page.words.t('log.noMatch', { q }) },
      q,
      tail: count,
      download: `/api/apps/${app.id}/logs?source=run&download=1`,
    });
  });
}

/** The lines without the app's config vars and secrets; where these cannot be read, nothing but why. */
export async function shown(page: Page, id: string, lines: readonly string[]): Promise<string[]> {
  try {
    const hide = await page.host.masks.of(id);
    return lines.map(hide);
  } catch (error) {
    if (error instanceof Refusal && error.kind === 'unavailable') return [page.sentence(error)];
    throw error;
  }
}

/** The log of the app's process, followed for as long as there is an app. */
export function runLogView(app: App, lines: string[], count: number, words: Words): LogView {
  return {
    id: 'run-log',
    label: words.t('log.of', { name: app.name }),
    lines,
    follow: `/api/apps/${app.id}/logs?source=run&tail=${count}&follow=1`,
    empty: words.t('log.none'),
  };
}

/** The log of a deploy, followed until it ends. */
export function buildLogView(app: App, release: Release, lines: string[], count: number, words: Words): LogView {
  const pending = isPending(release.state);
  return {
    id: 'build-log',
    label: words.t('log.ofDeploy', { number: release.number }),
    lines,
    follow: pending
      ? `/api/apps/${app.id}/logs?source=build&release=${release.number}&tail=${count}&follow=1`
      : undefined,
    empty: words.t(pending ? 'log.waiting' : 'log.noDeployLog'),
  };
}

function countOf(text: string): number {
  const count = Number(text);
  return Number.isInteger(count) && count >= 1 ? Math.min(count, MOST_LINES) : LINES;
}
