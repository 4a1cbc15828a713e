import { existsSync } from 'node:fs';
import { system, type Principal } from '../domain/access/principal.js';
import { findRelease, pendingRelease, type App } from '../domain/app/app.js';
import { isComplete } from '../environments/places.js';
import type { Paths } from '../store/paths.js';
import type { Deploys } from './deploys.js';
import type { Deploy } from './ongoing.js';

/**
 * Builds an app's live release again where its environment or its files are missing: a backup holds neither, and an upgrade of the
 * machine may take an environment's Python away.
 * @returns the deploy; undefined where there is nothing to build
 */
export async function rebuild(
  kit: { paths: Paths; deploys: Pick<Deploys, 'request'> },
  app: App,
  by: Principal = system(),
): Promise<Deploy | undefined> {
  const live = findRelease(app, app.live);
  if (live?.environment === undefined || live.folder !== undefined || pendingRelease(app) !== undefined)
    return undefined;
  const { paths } = kit;
  if ((await isComplete(paths.environment(live.environment))) && existsSync(paths.source(app.id, live.number)))
    return undefined;
  const { commit, branch } = live;
  return kit.deploys.request({ app: app.id, commit, branch, by, source: 'rollback', of: live });
}
