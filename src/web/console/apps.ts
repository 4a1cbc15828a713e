import type { Refusal } from '../../errors.js';
import { isProven, proveForm } from '../auth.js';
import { bodies, parseInput } from '../api/schemas.js';
import { presentSummary, sortApps } from '../presenters.js';
import { createFrom } from '../upload/apply.js';
import { withUpload, type Upload } from '../upload/receive.js';
import { drawSpark, formatValue } from '../plot.js';
import { attempt, type Page } from './page.js';
import type { AddRoute } from './route.js';

/** All apps, and how a new one is made. */
export function appsRoutes(add: AddRoute): void {
  add('get', '/', 'list', async (page) => {
    const list = page.host.apps.list().filter(({ app }) => page.deps.rights.may(page.by, 'open', app));
    const sorted = sortApps(await Promise.all(list.map((status) => page.present(status))));
    const sparks = await page.deps.metrics.sparks();
    const apps = sorted.map((app) => {
      const spark = app.may.see ? sparks.get(app.id) : undefined;
      return {
        ...app,
        spark: spark === undefined ? '' : drawSpark(spark.memory, page.words.t('apps.spark')),
        visitors: spark === undefined ? '' : formatValue(spark.visitors, 'count'),
      };
    });
    const unsafe = page.deps.unsafe();
    page.show('console/apps', {
      mayCreate: page.deps.rights.may(page.by, 'create'),
      apps,
      summary: presentSummary(list, page.words),
      example: page.links.git('hello'),
      notice: page.notice,
      mistakes: page.deps.rights.may(page.by, 'server') ? page.deps.mistakes() : [],
      unsafe: unsafe && page.words.sentence(unsafe),
      waitsFor: (await page.deps.troubles()).map(({ message }) => page.words.sentence(message)),
    });
  });

  add('get', '/new', 'create', (page) => form(page, {}));
  // Browsers with JavaScript send the same files to the API instead, and show how far they are.
  add('post', '/new', 'create', async (page) => {
    let fields: Record<string, unknown> = {};
    const first = ({ csrf }: Record<string, unknown>): void => proveForm(page.ctx, csrf);
    await attempt(
      () =>
        withUpload(page.ctx, { ...page.deps.uploads, first }, async (upload) => {
          delete upload.fields.csrf;
          fields = upload.fields;
          page.go(await create(page, upload));
        }),
      async (refusal) => {
        // The page with its tokens is for who has shown one.
        if (!isProven(page.ctx)) throw refusal;
        form(page, fields, refusal);
      },
    );
  });
}

/** Makes an app of what was sent; without files, one that waits for its first push. @returns where to go */
async function create(page: Page, upload: Upload): Promise<string> {
  const input = parseInput(bodies.create, upload.fields);
  // A field that was left empty comes as a file without a name.
  const files = upload.files.filter(({ name, size }) => name !== '' || size > 0);
  if (files.length === 0) {
    const { name, description, main = '' } = input;
    const { app } = await page.host.apps.create({
      name,
      ...(description === undefined ? {} : { description }),
      layout: { main },
      by: page.by,
    });
    return `apps/${app.id}?done=create`;
  }
  const { status, deploy } = await createFrom(page.host, input, { ...upload, files }, page.by);
  return `apps/${status.app.id}/deploys/${deploy.release}`;
}

function form(page: Page, fields: Record<string, unknown>, refusal?: Refusal): void {
  page.show(
    'console/new',
    {
      name: page.field('name', fields),
      description: page.field('description', fields),
      main: page.field('main', fields),
      error: page.sentence(refusal),
      field: refusal?.field,
      example: page.links.git('my-app'),
    },
    refusal?.status,
  );
}
