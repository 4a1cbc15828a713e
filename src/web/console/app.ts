import { z } from 'zod';
import { pendingRelease, printingRelease } from '../../domain/app/app.js';
import { MAX_REPLICAS, replicasOf, replicasSchema } from '../../domain/app/replicas.js';
import { counted } from '../../lib/words.js';
import { tail } from '../../logs/tail.js';
import { LAYOUT_KEYS, type Layout } from '../../domain/project/layout.js';
import { Refusal } from '../../errors.js';
import { about } from '../audited.js';
import { bodies, parseInput } from '../api/schemas.js';
import { presentRelease, sortApps } from '../presenters.js';
import { buildLogView, runLogView, shown } from './logs.js';
import { attempt, type Page } from './page.js';
import type { AddRoute } from './route.js';

/** How many processes an app is to have; a form without the field changes nothing. */
const replicasForm = z.object({
  replicas: z
    .string()
    .transform((text) => (text.trim() === '' ? undefined : Number(text)))
    .pipe(replicasSchema.optional()),
});

/** How many of the latest deploys and log lines the overview shows. */
const RECENT = 5;
const LINES = 100;

/** One app: what it is doing, what can be done with it, and its settings. */
export function appRoutes(add: AddRoute): void {
  add('get', '/apps/:id', 'see', (page) => overview(page));

  add('post', '/apps/:id/start', 'run', (page) =>
    act(page, 'start', async (id) => void (await page.host.apps.start(id, page.by))),
  );
  add('post', '/apps/:id/stop', 'run', (page) => act(page, 'stop', async (id) => void (await page.host.apps.stop(id))));
  add('post', '/apps/:id/restart', 'run', (page) =>
    act(page, 'restart', async (id) => void (await page.host.apps.restart(id, page.by))),
  );

  add('post', '/apps/:id/redeploy', 'deploy', (page) =>
    attempt(
      async () => {
        const { id } = page.status.app;
        const deploy = await page.host.releases.redeploy(id, page.by, page.field('fresh') === '1');
        page.go(`apps/${id}/deploys/${deploy.release}`);
      },
      (refusal) => overview(page, refusal),
    ),
  );

  add('get', '/apps/:id/settings', 'settings', (page) => settings(page));
  add('post', '/apps/:id/settings', 'settings', (page) =>
    attempt(
      async () => {
        const { id } = page.status.app;
        const { name, description, tags, hidden } = parseInput(bodies.updateForm, {
          name: page.field('name'),
          description: page.field('description'),
          tags: page.field('tags'),
          hidden: String(page.field('hidden') !== ''),
        });
        const previews = page.field('previews') === 'on';
        const { replicas } = parseInput(replicasForm, { replicas: page.field('replicas') });
        const scales = replicas !== undefined && replicas !== replicasOf(page.status.app);
        if (scales) about(page.ctx, counted(replicas, 'replica'));
        // Unchanged settings keep following the server's default.
        const branch = page.field('branch').trim();
        const switched = page.status.app.preview === undefined && previews !== page.host.previews.of(id).on;
        await page.host.apps.describe(id, {
          name: name ?? '',
          description: description ?? '',
          tags: tags ?? [],
          hidden: hidden ?? false,
          ...(switched ? { previews } : {}),
          ...(scales ? { replicas } : {}),
          ...(branch === '' ? {} : { deployBranch: branch }),
          ...(page.status.app.place === undefined ? { layout: layoutIn(page) } : {}),
        });
        page.go(`apps/${id}/settings?done=save`);
      },
      (refusal) => settings(page, refusal),
    ),
  );

  add('post', '/apps/:id/previews', 'deploy', (page) =>
    attempt(
      async () => {
        const deploy = await page.host.previews.create(page.status.app.id, page.field('branch'), page.by);
        page.go(`apps/${deploy.app}/deploys/${deploy.release}`);
      },
      (refusal) => overview(page, refusal),
    ),
  );

  add('post', '/apps/:id/previews/:preview/remove', 'deploy', (page) =>
    attempt(
      async () => {
        const { id } = page.status.app;
        const { app } = page.host.apps.get(page.param('preview'));
        if (app.preview?.of !== id)
          throw new Refusal('not-found', 'preview-not-found', `${id} has no preview "${app.id}".`);
        await page.host.apps.remove(app.id);
        page.go(`apps/${id}?done=remove-preview`);
      },
      (refusal) => overview(page, refusal),
    ),
  );

  add('get', '/apps/:id/delete', 'delete', async (page) =>
    page.show('console/delete', { ...(await page.app('settings')), error: undefined }),
  );
  add('post', '/apps/:id/delete', 'delete', async (page) => {
    const { id } = page.status.app;
    if (page.field('confirm').trim() !== id) {
      const error = page.words.t('delete.mistyped', { id });
      return page.show('console/delete', { ...(await page.app('settings')), error }, 422);
    }
    await page.host.apps.remove(id);
    page.go('?done=delete');
  });
}

/** What the form says of where in its repository the app is; a field that is not there changes nothing. */
function layoutIn(page: Page): Layout {
  const body = (page.ctx.request as { body?: object }).body ?? {};
  const there = LAYOUT_KEYS.filter((key) => Object.hasOwn(body, key));
  return Object.fromEntries(there.map((key) => [key, page.field(key)]));
}

async function act(page: Page, name: string, work: (id: string) => Promise<void>): Promise<void> {
  await attempt(
    async () => {
      const { id } = page.status.app;
      await work(id);
      page.go(`apps/${id}?done=${name}`);
    },
    (refusal) => overview(page, refusal),
  );
}

async function overview(page: Page, refusal?: Refusal): Promise<void> {
  const { app } = page.status;
  const { logs } = page.deps;
  const previews = page.host.previews.of(app.id);
  const pending = pendingRelease(app);
  const lines = await shown(page, app.id, (await tail(logs.runLog(app.id, printingRelease(app)), LINES)).lines);
  const notice = refusal === undefined ? page.notice : page.refused(refusal);
  page.show(
    'console/overview',
    {
      ...(await page.app('overview', notice)),
      previews: {
        on: previews.on,
        list: sortApps(await Promise.all(previews.list.map((status) => page.present(status)))),
        stored: await page.host.previews.stored(app.id),
      },
      recent: app.releases
        .slice(-RECENT)
        .reverse()
        .map((release) =>
          presentRelease(app, release, page.links, page.now, page.host.releases.openPages(app.id), page.words),
        ),
      log: runLogView(app, lines, LINES, page.words),
      deployLog:
        pending === undefined
          ? undefined
          : buildLogView(
              app,
              pending,
              (await tail(logs.buildLog(app.id, pending.number), LINES)).lines,
              LINES,
              page.words,
            ),
    },
    refusal?.status,
  );
}

async function settings(page: Page, refusal?: Refusal): Promise<void> {
  const { app } = page.status;
  page.show(
    'console/settings',
    {
      ...(await page.app('settings')),
      clone: `git clone ${page.links.git(app.id)}`,
      error: page.sentence(refusal),
      field: refusal?.field,
      name: refusal === undefined ? app.name : page.field('name'),
      description: refusal === undefined ? app.description : page.field('description'),
      branch: refusal === undefined ? (app.deployBranch ?? '') : page.field('branch'),
      layout: { root: '', main: '', dependencies: '', ...(refusal === undefined ? app.layout : layoutIn(page)) },
      previews: refusal === undefined ? page.host.previews.of(app.id).on : page.field('previews') === 'on',
      tags: refusal === undefined ? app.tags.join(', ') : page.field('tags'),
      hidden: refusal === undefined ? app.hidden : page.field('hidden') !== '',
      replicas: refusal === undefined ? replicasOf(app) : page.field('replicas'),
      maxReplicas: MAX_REPLICAS,
    },
    refusal?.status,
  );
}
