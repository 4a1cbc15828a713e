import { resolve } from 'node:path';
import type { Context } from './context.js';
import { tell, type Refreshed } from './refresh.js';

/** Takes a whole installation over. @param path its folder or its config.json */
export async function importFrom(cli: Context, path: string): Promise<void> {
  const api = await cli.api();
  tell(cli, await api.post<Refreshed>('/import', { path: resolve(cli.cwd, path) }));
}
