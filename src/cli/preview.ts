import { appPath } from './api.js';
import type { Context } from './context.js';
import { changeAndFollow } from './deploy-log.js';

/** Gives a branch that was pushed before its preview, and follows its deploy. */
export function preview(cli: Context, id: string, branch: string, { wait }: { wait: boolean }): Promise<void> {
  return changeAndFollow(cli, appPath(id, '/previews'), { body: { branch }, wait });
}
