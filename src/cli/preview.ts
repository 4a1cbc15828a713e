import { appPath } from './api.js';
import type { Context } from './context.js';
import { changeAndFollow } from './deploy-log.js';

/** Creates a preview of a previously pushed branch, and follows its deploy. */
export function preview(cli: Context, id: string, branch: string, { wait }: { wait: boolean }): Promise<void> {
  return changeAndFollow(cli, appPath(id, '/previews'), { body: { branch }, wait });
}
