import { appPath, type App } from './api.js';
import type { Context } from './context.js';

/** Where in its repository an app is; an empty text = found by itself. */
export interface LayoutOptions {
  main?: string;
  root?: string;
  dependencies?: string;
}

type LaidOut = App & { main: string | null; root: string | null; dependencies: string | null };

/** Prints where in its repository an app is, or changes that. Deploys nothing. */
export async function layout(cli: Context, id: string, options: LayoutOptions): Promise<void> {
  const path = appPath(id);
  const api = await cli.api();
  const change = layoutOf(options);
  const changes = Object.keys(change).length > 0;
  const app = await (changes ? api.patch<LaidOut>(path, change) : api.get<LaidOut>(path));
  if (cli.out.json) return cli.out.data(app);
  cli.out.print(`main file: ${app.main ?? 'found automatically'}`);
  cli.out.print(`dependency file: ${app.dependencies ?? 'found automatically'}`);
  cli.out.print(`root folder: ${app.root ?? 'the top of the repository'}`);
  if (changes) cli.out.print(`Applied on the next deploy. To deploy now, run "streamlit-host redeploy ${id}".`);
}

/** The fields of the API for what was given. */
export function layoutOf({ main, root, dependencies }: LayoutOptions): Record<string, string> {
  const given = { main, root, dependencies };
  return Object.fromEntries(Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
