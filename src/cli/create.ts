import type { App } from './api.js';
import type { Context } from './context.js';
import { layoutOf, type LayoutOptions } from './layout.js';

/** Creates an app that waits for its first push. */
export async function create(
  cli: Context,
  name: string,
  options: { id?: string; description?: string } & LayoutOptions,
): Promise<void> {
  const api = await cli.api();
  const { id, description } = options;
  const app = await api.post<App>('/apps', {
    name,
    ...(id === undefined ? {} : { id }),
    ...(description === undefined ? {} : { description }),
    ...layoutOf(options),
  });
  if (cli.out.json) return cli.out.data(app);
  cli.out.print(`Created ${app.id}. Push to deploy it:`);
  cli.out.print(`  git remote add host ${app.git_url}`);
  cli.out.print('  git push host main');
}
