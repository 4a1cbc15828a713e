import { join } from 'node:path';
import type { FileChange, StagedFile } from '../../apps/files.js';
import type { Deploy } from '../../deploys/ongoing.js';
import type { Principal } from '../../domain/access/principal.js';
import type { AppFacts, AppStatus } from '../../host/apps.js';
import type { Host } from '../../host/host.js';
import { Refusal } from '../../errors.js';
import { isLeftOut } from '../../lib/left-out.js';
import { unpack } from './archive.js';
import { checkTree, safePath, withoutTopFolder } from './path.js';
import type { Upload, UploadedFile } from './receive.js';

/** What people say of a new app. */
export interface NewApp {
  name: string;
  id?: string | undefined;
  description?: string | undefined;
  root?: string | undefined;
  main?: string | undefined;
  dependencies?: string | undefined;
}

/** What changes of an app. */
export type AppUpdate = { [Fact in keyof Omit<AppFacts, 'previews' | 'layout'>]: AppFacts[Fact] | undefined } & {
  root?: string | undefined;
  main?: string | undefined;
  dependencies?: string | undefined;
  previews_on?: boolean | undefined;
  deploy_branch?: string | undefined;
};

/**
 * Makes an app of a form with files: creates, commits, deploys. Where the files are refused, there is no app either.
 * @param by who sent it
 * @throws Refusal
 */
export async function createFrom(
  host: Host,
  input: NewApp,
  upload: Upload,
  by: Principal,
): Promise<{ status: AppStatus; deploy: Deploy }> {
  const change = await changeOf(upload, true);
  if (change === undefined) {
    throw new Refusal(
      'invalid',
      'files-missing',
      'The form has no files. Send "app" (and "requirements"), an "archive", or "files".',
      { field: 'app' },
    );
  }
  const { root, main, dependencies, ...texts } = input;
  const layout = given({ root, main, dependencies });
  const { app } = await host.apps.create({ ...(given(texts) as { name: string }), layout, by });
  try {
    const { deploy } = await host.files.commit(app.id, { ...change, replace: true }, by, messageOf(change));
    if (deploy === undefined) throw new Error(`the files of ${app.id} were kept and not deployed`);
    return { status: host.apps.get(app.id), deploy };
  } catch (error) {
    await host.apps.remove(app.id);
    throw error;
  }
}

/**
 * Changes an app by a form: its texts, its files (one commit, one deploy), or both. Where the files are refused, the
 * texts stay as they were.
 * @throws Refusal
 */
export async function updateFrom(
  host: Host,
  id: string,
  input: AppUpdate,
  upload: Upload | undefined,
  by: Principal,
): Promise<{ status: AppStatus; deploy: Deploy | undefined }> {
  const { name, description, tags, hidden, layout: before } = host.apps.get(id).app;
  const change = upload === undefined ? undefined : await changeOf(upload, false);
  const { previews_on: previews, deploy_branch: deployBranch, root, main, dependencies, ...texts } = input;
  const layout = given({ root, main, dependencies });
  const moves = Object.keys(layout).length > 0;
  const changes = given({ ...texts, previews, deployBranch, layout: moves ? layout : undefined });
  const describes = Object.keys(changes).length > 0;
  if (describes) await host.apps.describe(id, changes);
  if (change === undefined) return { status: host.apps.get(id), deploy: undefined };
  try {
    const { deploy } = await host.files.commit(id, change, by, messageOf(change));
    return { status: host.apps.get(id), deploy };
  } catch (error) {
    if (describes) await host.apps.describe(id, { name, description, tags, hidden });
    if (moves) await host.apps.describe(id, { layout: { root: '', main: '', dependencies: '', ...before } });
    throw error;
  }
}

/**
 * What a form's files change. "app" becomes app.py and "requirements" becomes requirements.txt, whatever their names;
 * an "archive" is the whole project; "files" have their paths as names.
 * @param whole true for a new app: a folder dropped into the browser loses its own name then
 * @returns undefined where the form has no file
 * @throws Refusal
 */
export async function changeOf(upload: Upload, whole: boolean): Promise<FileChange | undefined> {
  const fields = new Map<string, UploadedFile[]>();
  for (const file of upload.files) {
    const field = file.field.replace(/\[\]$/, '');
    if (!['app', 'requirements', 'archive', 'files'].includes(field)) {
      throw new Refusal(
        'invalid',
        'field-invalid',
        `"${field}" does not take files. Use app, requirements, archive or files.`,
        { field },
      );
    }
    fields.set(field, [...(fields.get(field) ?? []), file]);
  }
  if (fields.size === 0) return undefined;
  const app = single(fields, 'app');
  const requirements = single(fields, 'requirements');
  const archive = single(fields, 'archive');
  const files = fields.get('files') ?? [];
  if (archive !== undefined && files.length > 0) {
    throw new Refusal('invalid', 'field-invalid', 'Send either an "archive" or "files", not both.', { field: 'files' });
  }
  const base =
    archive === undefined
      ? filesOf(files, whole && app === undefined)
      : await unpack(archive.file, join(upload.folder, 'unpacked'));
  const set = new Map(base.map((file) => [file.path, file]));
  if (app !== undefined) set.set('app.py', { path: 'app.py', file: app.file });
  if (requirements !== undefined) set.set('requirements.txt', { path: 'requirements.txt', file: requirements.file });
  if (set.size === 0)
    throw new Refusal('invalid', 'files-missing', 'None of these files can be part of an app.', { field: 'files' });
  return { set: [...set.values()], remove: [], replace: archive !== undefined };
}

function filesOf(files: UploadedFile[], stripTop: boolean): StagedFile[] {
  const kept = files
    .map((file) => ({ path: safePath(file.name, 'files'), file: file.file }))
    .filter((file) => !isLeftOut(file.path));
  const paths = kept.map((file) => file.path);
  const final = stripTop ? withoutTopFolder(paths) : paths;
  checkTree(final, 'files');
  return kept.map((file, place) => ({ ...file, path: final[place] ?? file.path }));
}

function single(fields: Map<string, UploadedFile[]>, field: string): UploadedFile | undefined {
  const [first, second] = fields.get(field) ?? [];
  if (second !== undefined) throw new Refusal('invalid', 'field-invalid', `"${field}" takes only one file.`, { field });
  return first;
}

function messageOf(change: FileChange): string {
  const names = change.set.map((file) => file.path);
  return names.length <= 3 && names.join(', ').length <= 100
    ? `Upload ${names.join(', ')}`
    : `Upload ${names.length} files`;
}

/** Without what was not given: absent is not the same as undefined. */
function given<T extends object>(input: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as never;
}
