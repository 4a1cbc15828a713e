import { appPath, type Changed } from './api.js';
import type { Context } from './context.js';
import { afterChange } from './deploy-log.js';

/** Gives an app in place a repository of its own, and follows its deploy. */
export async function adopt(cli: Context, id: string, options: { wait: boolean }): Promise<void> {
  const path = appPath(id, '/adopt');
  const api = await cli.api();
  const { deploy } = await api.post<Changed>(path);
  if (deploy === null) throw new Error('the server began no deploy');
  await afterChange(cli, api, id, deploy, options.wait);
}
