import { appPath } from './api.js';
import type { Context } from './context.js';
import { usage } from './failures.js';

/** Removes an app and all of it, where its name was given twice. */
export async function destroy(cli: Context, id: string, options: { confirm?: string }): Promise<void> {
  const path = appPath(id);
  const api = await cli.api();
  // An unknown app is told as such, whatever else is amiss.
  await api.get(path);
  if (options.confirm !== id) {
    throw usage(`This removes ${id} with its releases, files and logs: add --confirm ${id} if you mean it.`);
  }
  await api.delete(`${path}?confirm=${encodeURIComponent(id)}`);
  if (cli.out.json) return cli.out.data({ destroyed: id });
  cli.out.print(`${id} is gone.`);
}
