import { appPath } from './api.js';
import type { Context } from './context.js';
import { usage } from './failures.js';

/** Deletes an app and its data if --confirm repeats its id. @throws Refusal `usage` */
export async function deleteApp(cli: Context, id: string, options: { confirm?: string }): Promise<void> {
  const path = appPath(id);
  const api = await cli.api();
  // An unknown app takes precedence over a missing --confirm.
  await api.get(path);
  if (options.confirm !== id) {
    throw usage(`This permanently deletes ${id} with its releases, files and logs. Pass --confirm ${id} to go ahead.`);
  }
  await api.delete(`${path}?confirm=${encodeURIComponent(id)}`);
  if (cli.out.json) return cli.out.data({ deleted: id, destroyed: id });
  cli.out.print(`Deleted ${id}.`);
}
