import { appPath, type App } from './api.js';
import type { Context } from './context.js';

/** Starts, stops, restarts one app, or puts it to sleep, and touches no other. */
export async function changeApp(cli: Context, verb: 'start' | 'stop' | 'sleep' | 'restart', id: string): Promise<void> {
  const path = appPath(id, `/${verb}`);
  const api = await cli.api();
  const app = await api.post<App>(path);
  if (cli.out.json) return cli.out.data(app);
  if (app.state === 'created') return cli.out.print(`${app.id} has not been deployed yet.`);
  if (app.state === 'sleeping') return cli.out.print(`${app.id} is asleep. The next visit to ${app.url} wakes it.`);
  cli.out.print(app.state === 'stopped' ? `${app.id} is stopped.` : `${app.id} is ${app.state}: ${app.url}`);
}
