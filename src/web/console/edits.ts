import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureFolder } from '../../lib/ensure-folder.js';
import type { Committed, StagedFile } from '../../apps/files.js';
import { printable } from '../../domain/app/app.js';
import { Refusal } from '../../errors.js';
import { withLineEnds } from '../../lib/line-ends.js';
import { encodePath } from '../links.js';
import { checkTree, safePath } from '../upload/path.js';
import { changedMeanwhile, fingerprint, showFile } from './files.js';
import { attempt, type Page } from './page.js';
import type { AddRoute } from './route.js';

/** What changes an app's files. Each change is one commit and one deploy. */
export function editRoutes(add: AddRoute): void {
  add('get', '/apps/:id/new-file', 'push', (page) => form(page, page.lapsed, 200));
  add('post', '/apps/:id/new-file', 'push', (page) =>
    attempt(
      () => create(page),
      (refusal) => form(page, refusal),
    ),
  );

  add('post', '/apps/:id/files/*path', 'push', (page) => {
    switch (page.field('do')) {
      case 'move':
        return attempt(
          () => move(page),
          (refusal) => showFile(page, { ...told(page, refusal), to: page.field('to') }),
        );
      case 'remove':
        return attempt(
          () => remove(page),
          (refusal) => showFile(page, told(page, refusal)),
        );
      default:
        return attempt(
          () => save(page),
          (refusal) =>
            showFile(page, {
              ...told(page, refusal),
              ...(page.sends('content') && { text: page.field('content') }),
            }),
        );
    }
  });
}

function told(page: Page, refusal: Refusal): { error: string; status: number } {
  return { error: page.sentence(refusal), status: refusal.status };
}

async function form(page: Page, refusal: Refusal | undefined, status = refusal?.status): Promise<void> {
  page.show(
    'console/new-file',
    {
      ...(await page.app('files')),
      path: page.field('path'),
      text: page.field('content'),
      message: page.field('message'),
      error: page.sentence(refusal),
      field: refusal?.field,
    },
    status,
  );
}

async function create(page: Page): Promise<void> {
  const path = await freePath(page, page.field('path'), 'path');
  await stage(page, lines(page.field('content')), async (file) => {
    await done(page, await commit(page, { set: [{ path, file }] }, `Add ${path}`));
  });
}

async function save(page: Page): Promise<void> {
  const { app } = page.status;
  const path = page.param('path');
  const before = await page.host.files.read(app.id, path);
  // A form that lost its text on the way would empty the file.
  if (!page.sends('content'))
    throw new Refusal('invalid', 'field-invalid', '"content" is required.', { field: 'content' });
  const content = withLineEnds(before.toString('utf8'), lines(page.field('content')));
  if (Buffer.from(content).equals(before)) return page.go(`apps/${app.id}/files/${encodePath(path)}?done=same`);
  if (fingerprint(before) !== page.field('was')) {
    throw changedMeanwhile(path);
  }
  await stage(page, content, async (file) => {
    await done(page, await commit(page, { set: [{ path, file }] }, `Edit ${path}`));
  });
}

async function move(page: Page): Promise<void> {
  const { app } = page.status;
  const from = page.param('path');
  const bytes = await page.host.files.read(app.id, from);
  if (page.field('to').trim() === from) return page.go(`apps/${app.id}/files/${encodePath(from)}?done=same`);
  const path = await freePath(page, page.field('to'), 'to', from);
  await stage(page, bytes, async (file) => {
    await done(page, await commit(page, { set: [{ path, file }], remove: [from] }, `Rename ${from} to ${path}`));
  });
}

async function remove(page: Page): Promise<void> {
  const path = page.param('path');
  // A file that is not there is answered as such, not by a commit without a change.
  await page.host.files.read(page.status.app.id, path);
  await done(page, await commit(page, { remove: [path] }, `Delete ${path}`));
}

async function commit(
  page: Page,
  change: { set?: StagedFile[]; remove?: string[] },
  otherwise: string,
): Promise<Committed> {
  const message = page.field('message').trim().slice(0, 200) || otherwise;
  return page.host.files.commit(
    page.status.app.id,
    { set: [], remove: [], ...change, replace: false },
    page.by,
    message,
  );
}

/** Sends the browser to where the deploy is to be watched, or to the files of an app that lacks some. */
async function done(page: Page, { deploy }: Committed): Promise<void> {
  const { id } = page.status.app;
  page.go(deploy === undefined ? `apps/${id}/files?done=kept` : `apps/${id}/deploys/${deploy.release}`);
}

/** Keeps a file's content on disk until it is committed. */
async function stage(page: Page, content: string | Buffer, use: (file: string) => Promise<void>): Promise<void> {
  const folder = join(page.deps.uploads.tmp, `edit-${randomBytes(8).toString('hex')}`);
  await ensureFolder(folder, 0o700);
  try {
    const file = join(folder, 'content');
    await writeFile(file, content, { mode: 0o600 });
    await use(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A path that a person typed, where no file is yet. @param leaving the file that goes from its own place. @throws Refusal */
async function freePath(page: Page, typed: string, field: string, leaving?: string): Promise<string> {
  if (typed.trim() === '' || typed.trim().endsWith('/')) {
    throw new Refusal('invalid', 'path-missing', 'Give the file a name, such as pages/2_Map.py.', { field });
  }
  const path = safePath(typed.trim(), field);
  const files = await page.host.files.list(page.status.app.id);
  const others = files.map((file) => file.path).filter((other) => other !== leaving);
  if (others.includes(path)) {
    throw new Refusal(
      'conflict',
      'file-exists',
      `A file named "${printable(path)}" already exists. Choose another name.`,
      {
        field,
      },
    );
  }
  checkTree([...others, path], field);
  return path;
}

/** A form sends every line with CRLF. */
function lines(text: string): string {
  return text.replace(/\r\n?/g, '\n');
}
