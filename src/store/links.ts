import { randomUUID } from 'node:crypto';
import { rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import type { Release } from '../domain/app/release.js';
import type { Paths } from './paths.js';

/**
 * Points `current`, `venv` and `run.log` in an app's folder at its live release, each by one rename, for people who look
 * at the disk. Nothing reads them back.
 */
export async function linkLive(paths: Paths, app: string, release: Release): Promise<void> {
  const folder = paths.app(app);
  const links = {
    current: paths.sourceOf(app, release),
    venv: paths.environmentOf(release),
    'run.log': paths.runLog(app, release.number),
  };
  for (const [name, target] of Object.entries(links))
    if (target !== undefined) await link(join(folder, name), relative(folder, target));
}

/** Makes a symbolic link, or replaces one, by one rename. */
export async function link(path: string, target: string): Promise<void> {
  const draft = join(dirname(path), `.${basename(path)}-${randomUUID()}`);
  try {
    await symlink(target, draft);
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
}
