import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import { Refusal } from '../../errors.js';
import { encodePath } from '../links.js';
import { formatBytes } from '../../lib/units.js';
import { presentFiles } from '../presenters.js';
import type { Page } from './page.js';
import type { AddRoute } from './route.js';

/** What is larger (bytes) is not edited in a browser. */
const EDITABLE = 1_000_000;

const LANGUAGES: Record<string, string> = {
  '.py': 'python',
  '.pyi': 'python',
  '.md': 'markdown',
  '.toml': 'ini',
  '.ini': 'ini',
  '.cfg': 'ini',
  '.json': 'json',
  '.yaml': 'yaml',
  '.yml': 'yaml',
  '.css': 'css',
  '.js': 'javascript',
  '.html': 'xml',
  '.svg': 'xml',
  '.xml': 'xml',
  '.sql': 'sql',
  '.sh': 'bash',
};

/** The files of an app's newest commit, to be looked at. */
export function fileRoutes(add: AddRoute): void {
  add('get', '/apps/:id/files', 'files', async (page) => {
    const { app } = page.status;
    const files = await page.host.files.list(app.id);
    page.show('console/files', {
      ...(await page.app('files')),
      folders: presentFiles(files, app.id, page.links),
      count: files.length,
      clone: `git clone ${page.links.git(app.id)}`,
    });
  });

  add('get', '/apps/:id/files/*path', 'files', async (page) => {
    if (page.ctx.query.raw !== undefined) return raw(page);
    await showFile(page, draftOf(page));
  });
}

/** A refusal that the editor's page tells, with what the person had typed. */
export interface Refused {
  error: string;
  status: number;
  /** The text that was not saved; undefined where something else was refused. */
  text?: string;
  /** Which content that text was an edit of, where it may have changed since. */
  was?: string;
  /** The path that the file was not moved to. */
  to?: string;
}

/** What somebody typed before they had to log in again. */
function draftOf(page: Page): Refused | undefined {
  const { lapsed } = page;
  if (lapsed === undefined || !(page.sends('content') || page.sends('to'))) return undefined;
  return {
    error: page.sentence(lapsed),
    status: 200,
    ...(page.sends('content') ? { text: page.field('content'), was: page.field('was') } : { to: page.field('to') }),
  };
}

/** Of two people who edit a file, the second is told. */
export function changedMeanwhile(path: string): Refusal {
  return new Refusal(
    'conflict',
    'file-changed',
    `Someone else changed ${path} while you edited it, so your version was not saved. Save again to replace theirs with the text below.`,
  );
}

/** One file in the editor. @throws Refusal `file-not-found` */
export async function showFile(page: Page, refused?: Refused): Promise<void> {
  const { app } = page.status;
  const path = page.param('path');
  const files = await page.host.files.list(app.id);
  const { size } = files.find((file) => file.path === path) ?? { size: 0 };
  // What is too large is not even read.
  const bytes = size <= EDITABLE ? await page.host.files.read(app.id, path) : undefined;
  const text = bytes === undefined ? undefined : textOf(bytes);
  const was = bytes === undefined ? '' : fingerprint(bytes);
  const error =
    refused?.was === undefined || refused.was === was ? refused?.error : page.sentence(changedMeanwhile(path));
  page.show(
    'console/file',
    {
      ...(await page.app('files')),
      folders: presentFiles(files, app.id, page.links, path),
      count: files.length,
      path,
      editable: text !== undefined,
      text: refused?.text ?? text ?? '',
      language: languageOf(path),
      size: formatBytes(size),
      unsaved: refused?.text !== undefined,
      stored: text ?? '',
      was,
      message: refused?.text === undefined ? '' : page.field('message'),
      newPath: refused?.to ?? path,
      moving: refused !== undefined && refused.text === undefined,
      error,
      download: `${page.links.console(`apps/${app.id}/files/${encodePath(path)}`)}?raw`,
    },
    refused?.status,
  );
}

/** Names a file's content. */
export function fingerprint(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The file itself, always as a download: it is the app's, and must not run as a page of ours. */
async function raw(page: Page): Promise<void> {
  const path = page.param('path');
  const bytes = await page.host.files.read(page.status.app.id, path);
  page.ctx.attachment(path.slice(path.lastIndexOf('/') + 1));
  page.ctx.type = 'application/octet-stream';
  page.ctx.body = bytes;
}

function textOf(bytes: Buffer): string | undefined {
  return bytes.length <= EDITABLE && isUtf8(bytes) && !bytes.includes(0) ? bytes.toString('utf8') : undefined;
}

function languageOf(path: string): string {
  return LANGUAGES[extname(path).toLowerCase()] ?? (path.endsWith('requirements.txt') ? 'ini' : '');
}
