import { appPath, type App } from './api.js';
import type { Context } from './context.js';

/** Starts, stops or restarts one app, and touches no other. */
export async function changeApp(cli: Context, verb: 'start' | 'stop' | 'restart', id: string): Promise<void> {
  const path = appPath(id, `/${verb}`);
  const api = await cli.api();
  const app = await api.post<App>(path);
  if (cli.out.json) return cli.out.data(app);
  if (app.state === 'created') return cli.out.print(`${app.id} has not been deployed yet.`);
  cli.out.print(app.state === 'stopped' ? `${app.id} is stopped.` : `${app.id} is ${app.state}: ${app.url}`);
}
