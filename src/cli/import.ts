import { resolve } from 'node:path';
import type { Context } from './context.js';
import { tell } from './refresh.js';
import type { RefreshedAnswer } from '../web/api/answers.js';

/** Imports another installation. @param path its folder or its config.json */
export async function importFrom(cli: Context, path: string): Promise<void> {
  const api = await cli.api();
  tell(cli, await api.post<RefreshedAnswer>('/import', { path: resolve(cli.cwd, path) }));
}
