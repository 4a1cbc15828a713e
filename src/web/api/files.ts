import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Context } from 'koa';
import type { FileChange } from '../../apps/files.js';
import type { Host } from '../../host/host.js';
import { findRelease } from '../../domain/app/app.js';
import { Refusal } from '../../errors.js';
import { Turns } from '../../lib/turns.js';
import { signedIn } from '../auth.js';
import { isLeftOut } from '../../lib/left-out.js';
import { safePath } from '../upload/path.js';
import { withBody } from '../upload/receive.js';
import { codes } from './codes.js';
import { presentDeploy } from './present.js';
import { route, type ApiContext, type Route } from './route.js';
import { answers, type DeployAnswer } from './answers.js';
import { conditions, known, params, queries } from './schemas.js';

/** The largest file (bytes) that can be edited this way. */
const MAX_FILE = 5_000_000;

/** The file is not what the sender believes. */
class Changed extends Refusal {
  override get status(): number {
    return 412;
  }
}

/** The calls that read and edit single files of an app's repository. */
export function fileRoutes(api: ApiContext): Route[] {
  const { host } = api;
  /** Between reading a file of an app and committing it, no other edit of that app falls. */
  const edits = new Turns();

  return [
    route({
      method: 'get',
      path: '/apps/{id}/files',
      tag: 'files',
      can: 'files',
      summary: 'List files',
      params: params.app,
      answers: {
        200: { description: 'The files of the latest commit.', content: { 'application/json': answers.files } },
      },
      async handle(ctx, { params: { id } }) {
        host.apps.get(id);
        const url = (path: string): string =>
          `${api.publicBase()}/api/apps/${id}/files/${path.split('/').map(encodeURIComponent).join('/')}`;
        ctx.body = { files: (await host.files.list(id)).map(({ path, size }) => ({ path, size, url: url(path) })) };
      },
    }),

    route({
      method: 'get',
      path: '/apps/{id}/files/{path}',
      tag: 'files',
      can: 'files',
      summary: 'Read a file',
      params: params.file,
      headers: known,
      codes: ['file-not-found', 'file-too-large', 'path-unsafe'],
      answers: {
        304: { description: 'The file is the one that If-None-Match names.' },
        200: {
          description: 'The file from the latest commit. The ETag identifies its content.',
          content: {
            'text/plain': { type: 'string' },
            'application/octet-stream': { type: 'string', format: 'binary' },
          },
        },
      },
      async handle(ctx, { params: { id, path } }) {
        host.apps.get(id);
        const content = await host.files.read(id, await pathIn(id, path, (asked) => safePath(asked, 'path')));
        ctx.status = 200;
        ctx.etag = etagOf(content);
        ctx.set('Cache-Control', 'no-cache');
        if (ctx.fresh) {
          ctx.status = 304;
          return;
        }
        // It is shown as text or saved, never run: it stands on our own origin.
        ctx.set('Content-Security-Policy', "sandbox; default-src 'none'");
        ctx.body = content;
        ctx.type = isText(content) ? 'text/plain; charset=utf-8' : 'application/octet-stream';
      },
    }),

    route({
      method: 'put',
      path: '/apps/{id}/files/{path}',
      tag: 'files',
      can: 'push',
      summary: 'Create or replace a file',
      description: `Send the file as the body, at most ${MAX_FILE / 1_000_000} MB. This creates a commit and deploys it; the old release serves until the new one is live. An app that was never deployed can be filled file by file: until it has a main file and a dependency file, "deploy" is null and "lacks" says what is missing.`,
      params: params.file,
      query: queries.commit,
      headers: conditions,
      body: {
        'text/plain': { type: 'string', format: 'binary' },
        'application/octet-stream': { type: 'string', format: 'binary' },
      },
      codes: [
        ...codes.commit,
        'file-changed',
        'file-exists',
        'path-reserved',
        'path-unsafe',
        'unsupported-media-type',
        'upload-too-large',
      ],
      answers: {
        200: { description: 'The file was replaced.', content: { 'application/json': answers.saved } },
        201: { description: 'The file was created.', content: { 'application/json': answers.saved } },
      },
      async handle(ctx, { params: { id, path: asked }, query }) {
        host.apps.get(id);
        const path = await pathIn(id, asked, writable);
        if (ctx.is('multipart/*')) ctx.throw(415, 'Send the file itself as the body, not in a form.');
        await withBody(ctx, { tmp: api.uploads.tmp, maxBytes: MAX_FILE }, (file) =>
          edits.take(id, async () => {
            const before = await contentOf(host, id, path);
            demandUnchanged(ctx, path, before);
            const message = query.message ?? `${before === undefined ? 'Add' : 'Edit'} ${path}`;
            const { deploy, lacks } = await commit(
              ctx,
              id,
              { set: [{ path, file }], remove: [], replace: false },
              message,
            );
            const etag = etagOf(await readFile(file));
            ctx.status = before === undefined ? 201 : 200;
            ctx.etag = etag;
            ctx.body = { path, etag: `"${etag}"`, deploy, lacks };
          }),
        );
      },
    }),

    route({
      method: 'delete',
      path: '/apps/{id}/files/{path}',
      tag: 'files',
      can: 'push',
      summary: 'Delete a file',
      params: params.file,
      query: queries.commit,
      headers: conditions,
      codes: [...codes.commit, 'file-not-found', 'file-changed', 'file-exists', 'path-reserved', 'path-unsafe'],
      answers: {
        200: {
          description:
            'The file was deleted. The deploy, or null for an app that was never deployed and is not complete.',
          content: { 'application/json': answers.deploy.nullable() },
        },
      },
      async handle(ctx, { params: { id, path: asked }, query }) {
        host.apps.get(id);
        const path = await pathIn(id, asked, writable);
        await edits.take(id, async () => {
          demandUnchanged(ctx, path, await host.files.read(id, path));
          const change = { set: [], remove: [path], replace: false };
          ctx.body = (await commit(ctx, id, change, query.message ?? `Delete ${path}`)).deploy;
        });
      },
    }),
  ];

  /** The path of a file: git takes names that no upload may have, so one that is there has the name that it has. */
  async function pathIn(id: string, asked: string, otherwise: (asked: string) => string): Promise<string> {
    return (await host.files.list(id)).some(({ path }) => path === asked) ? asked : otherwise(asked);
  }

  async function commit(
    ctx: Context,
    id: string,
    change: FileChange,
    message: string,
  ): Promise<{ deploy: DeployAnswer | null; lacks: string | null }> {
    const { deploy, lacks = null } = await host.files.commit(id, change, signedIn(ctx).principal, message);
    if (deploy === undefined) return { deploy: null, lacks };
    const { app } = host.apps.get(id);
    const release = findRelease(app, deploy.release);
    return { deploy: release === undefined ? null : presentDeploy(app, release, api.publicBase()), lacks };
  }
}

/** @throws Refusal where the path may not be written */
function writable(asked: string): string {
  const path = safePath(asked, 'path');
  if (!isLeftOut(path)) return path;
  throw new Refusal(
    'invalid',
    'path-reserved',
    `"${path}" can't be part of an app. Files like this are created by git, Python or the system.`,
    { field: 'path' },
  );
}

async function contentOf(host: Host, id: string, path: string): Promise<Buffer | undefined> {
  try {
    return await host.files.read(id, path);
  } catch (error) {
    if (error instanceof Refusal && error.kind === 'not-found') return undefined;
    throw error;
  }
}

/** @see https://www.rfc-editor.org/rfc/rfc9110#section-13.1 @throws Changed */
function demandUnchanged(ctx: Context, path: string, content: Buffer | undefined): void {
  const current = content === undefined ? undefined : etagOf(content);
  if (ctx.get('if-match') !== '' && !names(ctx.get('if-match'), current)) {
    throw new Changed(
      'conflict',
      'file-changed',
      `Someone else changed "${path}" in the meantime. Read it again and merge your change.`,
      { field: 'If-Match' },
    );
  }
  if (ctx.get('if-none-match') !== '' && names(ctx.get('if-none-match'), current)) {
    throw new Changed('conflict', 'file-exists', `A file named "${path}" already exists.`, { field: 'If-None-Match' });
  }
}

function names(header: string, etag: string | undefined): boolean {
  if (etag === undefined) return false;
  return header.split(',').some((each) => each.trim() === '*' || each.trim().replace(/^W\//, '') === `"${etag}"`);
}

function etagOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 32);
}

function isText(content: Buffer): boolean {
  if (content.includes(0)) return false;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(content);
    return true;
  } catch {
    // Not UTF-8: bytes.
    return false;
  }
}
