import { appPath, type Changed } from './api.js';
import type { Context } from './context.js';
import { afterChange } from './deploy-log.js';

/** Deploys the newest commit again, and follows it. */
export async function redeploy(cli: Context, id: string, options: { wait: boolean }): Promise<void> {
  const path = appPath(id, '/redeploy');
  const api = await cli.api();
  const { deploy } = await api.post<Changed>(path);
  if (deploy === null) throw new Error('the server began no deploy');
  await afterChange(cli, api, id, deploy, options.wait);
}
