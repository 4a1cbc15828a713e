import { appPath } from './api.js';
import type { Context } from './context.js';
import { changeAndFollow } from './deploy-log.js';

/** Deploys the newest commit again, and follows it. */
export function redeploy(cli: Context, id: string, { wait }: { wait: boolean }): Promise<void> {
  return changeAndFollow(cli, appPath(id, '/redeploy'), { wait });
}
