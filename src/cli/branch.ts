import { appPath, type App } from './api.js';
import type { Context } from './context.js';

type Branched = App & { deploy_branch: string | null };

/** Prints or changes the deploy branch of an app. Deploys nothing. */
export async function branch(cli: Context, id: string, name: string | undefined): Promise<void> {
  const path = appPath(id);
  const api = await cli.api();
  const app = await (name === undefined ? api.get<Branched>(path) : api.patch<Branched>(path, { deploy_branch: name }));
  if (cli.out.json) return cli.out.data(app);
  if (name !== undefined)
    return cli.out.print(
      `${id} deploys ${name}. To deploy a commit that you already pushed, run "streamlit-host redeploy ${id}".`,
    );
  cli.out.print(app.deploy_branch ?? 'not set yet (the first push sets it)');
}
