import { randomUUID } from 'node:crypto';
import { rename, rm, symlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Paths } from './paths.js';

/**
 * Points `current`, `venv` and `run.log` in an app's folder at its live release, each by one rename, for people who look
 * at the disk. Nothing reads them back.
 */
export async function linkLive(paths: Paths, app: string, release: number, environment: string): Promise<void> {
  const folder = paths.app(app);
  const links = {
    current: paths.source(app, release),
    venv: paths.environment(environment),
    'run.log': paths.runLog(app, release),
  };
  for (const [name, target] of Object.entries(links)) {
    const draft = join(folder, `.${name}-${randomUUID()}`);
    try {
      await symlink(relative(folder, target), draft);
      await rename(draft, join(folder, name));
    } finally {
      await rm(draft, { force: true });
    }
  }
}
