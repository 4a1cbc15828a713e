import { appPath } from './api.js';
import type { Context } from './context.js';
import { changeAndFollow } from './deploy-log.js';

/** Deploys the latest commit again, and follows the deploy. @param fresh whether to install all packages again */
export function redeploy(
  cli: Context,
  id: string,
  { wait, fresh = false }: { wait: boolean; fresh?: boolean },
): Promise<void> {
  return changeAndFollow(cli, appPath(id, `/redeploy${fresh ? '?fresh=1' : ''}`), { wait });
}
