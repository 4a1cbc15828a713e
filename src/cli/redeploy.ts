import { appPath } from './api.js';
import type { Context } from './context.js';
import { changeAndFollow } from './deploy-log.js';

/** Deploys the latest commit again, and follows the deploy. */
export function redeploy(cli: Context, id: string, { wait }: { wait: boolean }): Promise<void> {
  return changeAndFollow(cli, appPath(id, '/redeploy'), { wait });
}
