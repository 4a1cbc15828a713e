import { basename, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { Refusal } from '../errors.js';
import { appPath, type Api, type Changed } from './api.js';
import { archiveOf } from './archive.js';
import type { Context } from './context.js';
import { afterChange } from './deploy-log.js';
import { usage } from './failures.js';
import { formOf } from './form.js';
import { layoutOf, type LayoutOptions } from './layout.js';

export interface DeployOptions extends LayoutOptions {
  app?: string;
  wait: boolean;
}

/** Uploads a folder, creates the app if necessary, and follows the deploy. */
export async function deploy(cli: Context, dir: string | undefined, options: DeployOptions): Promise<void> {
  const folder = resolve(cli.cwd, dir ?? '.');
  const name = basename(folder);
  const id = options.app ?? idOf(name);
  if (id === '') throw usage(`The folder name "${name}" does not make a valid app id. Name the app with --app.`);
  const path = appPath(id);
  const api = await cli.api();
  const known = await exists(api, path);
  const archive = await archiveOf(folder);
  cli.out.note(
    known ? `Uploading ${archive.what} to ${id} …` : `Creating the app ${id} and uploading ${archive.what} …`,
  );
  for (const file of archive.heldBack)
    cli.out.note(`Not uploaded, because it holds secrets: ${file}. ${whereTo(id, file)}`);
  const fields = { ...(known ? {} : { id, name: options.app ?? name }), ...layoutOf(options) };
  const form = formOf(fields, {
    field: 'archive',
    name: `${id}.tar.gz`,
    type: 'application/gzip',
    content: archive.content,
  });
  const sent = { boundary: form.boundary, body: Readable.from(form.body) };
  const changed = await api
    .form<Changed>(known ? 'PATCH' : 'POST', known ? path : '/apps', sent)
    .catch((error: unknown) => {
      if (error instanceof Refusal) for (const line of howToChoose(error, dir, options.app)) cli.out.note(line);
      throw error;
    });
  if (changed.deploy === null) throw new Error('the server accepted the files but did not start a deploy');
  await afterChange(cli, api, changed.id, changed.deploy, options.wait);
}

/** How to store a file with secrets outside of the code. */
function whereTo(id: string, file: string): string {
  return file.endsWith('.toml')
    ? `Store it with: streamlit-host secrets set ${id} ${file}`
    : `Store its values with: streamlit-host config import ${id} ${file}`;
}

/** The commands that would deploy what was refused. */
function howToChoose({ code, choices }: Refusal, dir: string | undefined, app: string | undefined): string[] {
  const option = code === 'no-entrypoint' ? '--main' : code === 'no-requirements' ? '--dependencies' : undefined;
  const lines = choices.filter((choice) => /^[\w./@+-]+$/.test(choice));
  if (option === undefined || lines.length === 0) return [];
  const words = [...(dir === undefined ? [] : [dir]), ...(app === undefined ? [] : ['--app', app])];
  return [
    'To deploy one of them, now and later:',
    ...lines.map((choice) => `  ${['streamlit-host deploy', ...words, option, choice].join(' ')}`),
  ];
}

/** Derives an app id from a folder's name, as the server does from an app's name. */
export function idOf(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/\p{Mark}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 50)
    .replace(/^-+|-+$/g, '');
}

async function exists(api: Api, path: string): Promise<boolean> {
  try {
    await api.get(path);
    return true;
  } catch (error) {
    if (error instanceof Refusal && error.code === 'app-not-found') return false;
    throw error;
  }
}
