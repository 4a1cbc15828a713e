import { findRelease, type App } from '../../domain/app/app.js';
import type { Release } from '../../domain/app/release.js';
import { Refusal } from '../../errors.js';
import { tail } from '../../logs/tail.js';
import { presentDiff } from '../diff.js';
import { presentRelease } from '../presenters.js';
import { buildLogView } from './logs.js';
import { attempt, type Page } from './page.js';
import type { AddRoute } from './route.js';

const LINES = 5_000;

/** An app's deploys, each with its log. */
export function deployRoutes(add: AddRoute): void {
  add('get', '/apps/:id/deploys', 'see', (page) => list(page));

  add('get', '/apps/:id/deploys/:number', 'logs', async (page) => {
    const { app, release } = find(page);
    const { lines } = await tail(page.deps.logs.buildLog(app.id, release.number), LINES);
    const view = presentRelease(app, release, page.links, page.now, page.host.releases.openPages(app.id), page.words);
    page.show('console/deploy', {
      ...(await page.app('deploys')),
      release: view,
      log: buildLogView(app, release, lines, LINES, page.words),
      packages: release.lock === undefined ? undefined : `/api/apps/${app.id}/deploys/${release.number}/packages`,
      download: `/api/apps/${app.id}/logs?source=build&release=${release.number}&download=1`,
    });
  });

  add('post', '/apps/:id/deploys/:number/cancel', 'deploy', async (page) => {
    const { app, release } = find(page);
    const after = await page.host.releases.cancel(app.id, release.number);
    page.go(`apps/${app.id}/deploys/${release.number}${after.state === 'cancelled' ? '?done=cancel' : ''}`);
  });

  add('post', '/apps/:id/deploys/:number/end', 'deploy', (page) =>
    attempt(
      async () => {
        const { app, release } = find(page);
        await page.host.releases.retire(app.id, release.number);
        page.go(`apps/${app.id}/deploys?done=end`);
      },
      (refusal) => list(page, refusal),
    ),
  );

  add('get', '/apps/:id/deploys/:number/rollback', 'files', async (page) => {
    const { app, release } = find(page);
    page.show('console/rollback', {
      ...(await page.app('deploys')),
      release: presentRelease(app, release, page.links, page.now, undefined, page.words),
      diff: presentDiff(await page.host.releases.diff(app.id, release.number), page.words),
    });
  });

  // A deploy like any other: what is live serves until this one does.
  add('post', '/apps/:id/deploys/:number/rollback', 'deploy', (page) =>
    attempt(
      async () => {
        const { app, release } = find(page);
        const deploy = await page.host.releases.rollback(app.id, release.number, page.by);
        page.go(`apps/${app.id}/deploys/${deploy.release}`);
      },
      (refusal) => list(page, refusal),
    ),
  );
}

async function list(page: Page, refusal?: Refusal): Promise<void> {
  const { app } = page.status;
  const pages = page.host.releases.openPages(app.id);
  const releases = app.releases
    .map((release) => presentRelease(app, release, page.links, page.now, pages, page.words))
    .reverse();
  const notice = refusal === undefined ? page.notice : page.refused(refusal);
  page.show('console/deploys', { ...(await page.app('deploys', notice)), releases }, refusal?.status);
}

function find(page: Page): { app: App; release: Release } {
  const { app } = page.status;
  const text = page.param('number');
  const release = /^[1-9]\d{0,8}$/.test(text) ? findRelease(app, Number(text)) : undefined;
  if (release === undefined) throw new Refusal('not-found', 'release-not-found', `${app.name} has no such release.`);
  return { app, release };
}
