import { printingRelease, type App } from '../../domain/app/app.js';
import { isPending, type Release } from '../../domain/app/release.js';
import { search } from '../../logs/search.js';
import { tail } from '../../logs/tail.js';
import { Refusal } from '../../errors.js';
import type { LogView } from '../page-models.js';
import type { Page } from './page.js';
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
    const view = runLogView(app, lines, count);
    page.show('console/logs', {
      ...(await page.app('logs')),
      log: q === '' ? view : { ...view, follow: undefined, empty: `No lines match "${q}".` },
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
    if (error instanceof Refusal && error.kind === 'unavailable') return [error.message];
    throw error;
  }
}

/** The log of the app's process, followed for as long as there is an app. */
export function runLogView(app: App, lines: string[], count: number): LogView {
  return {
    id: 'run-log',
    label: `Log of ${app.name}`,
    lines,
    follow: `/api/apps/${app.id}/logs?source=run&tail=${count}&follow=1`,
    empty: 'No output yet.',
  };
}

/** The log of a deploy, followed until it ends. */
export function buildLogView(app: App, release: Release, lines: string[], count: number): LogView {
  const pending = isPending(release.state);
  return {
    id: 'build-log',
    label: `Deploy log of release ${release.number}`,
    lines,
    follow: pending
      ? `/api/apps/${app.id}/logs?source=build&release=${release.number}&tail=${count}&follow=1`
      : undefined,
    empty: pending ? 'Waiting for output …' : 'This deploy has no log.',
  };
}

function countOf(text: string): number {
  const count = Number(text);
  return Number.isInteger(count) && count >= 1 ? Math.min(count, MOST_LINES) : LINES;
}
