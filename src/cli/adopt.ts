import { appPath } from './api.js';
import type { Context } from './context.js';
import { changeAndFollow } from './deploy-log.js';

/** Gives an in-place app its own repository, and follows its deploy. */
export function adopt(cli: Context, id: string, { wait }: { wait: boolean }): Promise<void> {
  return changeAndFollow(cli, appPath(id, '/adopt'), { wait });
}
