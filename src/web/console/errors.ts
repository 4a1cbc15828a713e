import { presentTime } from '../numbers.js';
import type { Page } from './page.js';
import type { AddRoute } from './route.js';

/** The exceptions that an app has printed. */
export function errorRoutes(add: AddRoute): void {
  add('get', '/apps/:id/errors', 'logs', show);
  add('post', '/apps/:id/errors/clear', 'run', async (page) => {
    const { id } = page.status.app;
    await page.deps.errors.clear(id);
    page.go(`apps/${id}/errors?done=errors-cleared`);
  });
}

async function show(page: Page): Promise<void> {
  const { app } = page.status;
  const kinds = await page.deps.errors.of(app.id, app.createdAt);
  const release = (number: number) => ({ number, href: page.links.console(`apps/${app.id}/deploys/${number}`) });
  page.show('console/errors', {
    ...(await page.app('errors')),
    mayClear: page.may('run'),
    errors: kinds.map((one) => ({
      type: one.type,
      message: one.message,
      place: one.file === '' ? '' : `${one.file}:${one.line}`,
      function: one.function === '<module>' ? '' : one.function,
      count: one.count,
      first: presentTime(one.firstSeen, page.now, page.words),
      last: presentTime(one.lastSeen, page.now, page.words),
      firstRelease: release(one.firstRelease),
      lastRelease: release(one.lastRelease),
      isNew: one.firstRelease === app.live,
      traceback: one.traceback.join('\n'),
    })),
  });
}
