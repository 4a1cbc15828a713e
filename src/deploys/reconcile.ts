import { stat } from 'node:fs/promises';
import { findRelease, type App } from '../domain/app/app.js';
import { mendBranch, type BranchKit } from './branches.js';
import type { Deploys } from './deploys.js';
import { rebuild } from './rebuild.js';
import type { Serving } from '../serving/serving.js';

export interface ReconcileOptions extends BranchKit {
  deploys: Pick<Deploys, 'recover' | 'request'>;
  serving: Pick<Serving, 'adopt' | 'start'>;
  logger: { error(facts: object, text: string): void };
}

/** Makes what runs be what is wanted, after a start of the server. What is wrong with one app keeps no other from running. */
export async function reconcile(options: ReconcileOptions): Promise<void> {
  const { store, serving, deploys, logger } = options;
  const failed = (app: App, error: unknown): void =>
    logger.error({ app: app.id, err: error }, 'an app could not be resumed');
  await deploys.recover();
  const apps = store.list();
  const usedAt = new Map(await Promise.all(apps.map(async (app) => [app.id, await lastUse(options, app)] as const)));
  // Few start at once: those that are used most get their turns first.
  apps.sort((a, b) => (usedAt.get(b.id) ?? 0) - (usedAt.get(a.id) ?? 0));
  await Promise.all(
    apps.map(async (app) => {
      try {
        await serving.adopt(app);
        // What is in the folder of an app in place may not be what ran: only a deploy can tell, and config.json comes first.
        if (app.place === undefined && app.live !== null && app.wanted === 'running') {
          if (!app.asleep) await serving.start(store.get(app.id), { inTurn: true });
        }
        await mendBranch(options, app);
      } catch (error) {
        failed(app, error);
      }
    }),
  );
  // One after the other: after a restore, that is the order in which they are built.
  for (const { id } of apps) {
    const app = store.find(id);
    if (app?.place !== undefined || app?.wanted !== 'running') continue;
    await rebuild(options, app).catch((error: unknown) => failed(app, error));
  }
}

/** When an app was used last, as far as is known: when its live release was deployed, or wrote to its log. In ms since 1970. */
async function lastUse({ paths }: ReconcileOptions, app: App): Promise<number> {
  const live = findRelease(app, app.live);
  const log = live === undefined ? undefined : await stat(paths.runLog(app.id, live.number)).catch(() => undefined);
  const deployed = Date.parse(app.preview?.lastUsedAt ?? live?.finishedAt ?? app.createdAt);
  return Math.max(deployed, log?.mtimeMs ?? 0);
}
